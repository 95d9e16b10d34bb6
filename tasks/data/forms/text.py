"""The form of a text file: encoding, separator, lines around the table, signs in its numbers."""

import bz2
import csv
import gzip
import lzma
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from foldproof.tasks.data.forms.days import is_text_date
from foldproof.tasks.data.forms.names import DATES, plain

SEPARATORS: Mapping[str, str] = MappingProxyType(
    {";": "semicolons", "\t": "tabs", "|": "vertical bars", ",": "commas", r"\s+": "blanks"}
)
"""Separator -> its name, in the order in which they are tried."""
PACKED: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
)
"""Suffix of a packed file -> how it is opened."""
SUFFIXES = (".csv", ".txt", ".tsv", ".dat", ".tab", ".prn", ".psv")
MOST_BYTES = 1 << 25
"""Bytes from which the form is recognized; the end of a longer file is not looked at."""
LOOKED_AT = 400
"""Lines from which the form is recognized, at most half of them from the end."""
MISSING = ("-", "--", ".", "—", "n.a.", "#N/A N/A", "@NA", "NULL", "n/v", "k.A.", "\\N", "#VALUE!")
"""Texts for a missing value that a panel does not read as missing."""
NUMBER = re.compile(r"[-+]?\d+(\.\d+)?([eE][-+]?\d+)?")
THOUSANDS = (",", ".", "'", "\u2019", " ", "\xa0", "\u202f")
"""Signs between thousands; the decimal sign is another one."""


class UnreadableError(ValueError):
    """A file whose form is known, but which cannot be read; the message says what to do."""


@dataclass(frozen=True)
class TextForm:
    """How a text file is written.

    Attributes:
        options: Arguments of ``pd.read_csv`` that differ from its defaults.
        said: What is unusual, one clause each.
        cells: Rows of cells of the table, the header among them.
        header: Whether the first of them is a header.
    """

    options: Mapping[str, Any]
    said: tuple[str, ...]
    cells: list[list[str]] = field(repr=False)
    header: bool = True


def content_of(file: Path) -> bytes:
    """The first bytes of a text file, unpacked, up to the end of a line.

    Raises:
        UnreadableError: An archive of several files.
    """
    suffix = file.suffix.lower()
    if suffix == ".zip":
        with zipfile.ZipFile(file) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/")]
            if len(names) != 1:
                raise UnreadableError(
                    f"it is an archive of {len(names)} files; unpack it and use one of them"
                )
            with archive.open(names[0]) as stream:
                content = stream.read(MOST_BYTES + 1)
    else:
        with PACKED.get(suffix, open)(file, "rb") as stream:
            content = stream.read(MOST_BYTES + 1)
    return content if len(content) <= MOST_BYTES else content[: content.rfind(b"\n") + 1]


def decoded(content: bytes) -> tuple[str, str]:
    """Text and encoding of a file's bytes."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", errors="ignore"), "utf-16"
    try:
        return content.decode("utf-8-sig"), "utf-8"
    except UnicodeDecodeError:
        pass
    try:
        text = content.decode("gb18030")
        if re.search(r"[\u4e00-\u9fff]", text) and not re.search(r"[\u00c0-\u00ff]", text):
            return text, "gb18030"
    except UnicodeDecodeError:
        pass
    return content.decode("cp1252", errors="replace"), "cp1252"


def text_form(file: Path) -> TextForm:
    """The form of a text file.

    Raises:
        UnreadableError: It is empty, or no separator gives a table.
    """
    text, encoding = decoded(content_of(file))
    lines = text.splitlines()
    if not any(line.strip() for line in lines):
        raise UnreadableError("the file is empty; add a header and rows")
    separator = separator_of(lines)
    rows = split(lines, separator)
    filled = [k for k, row in enumerate(rows) if any(cell.strip() for cell in row)]
    width = Counter(len(rows[k]) for k in filled[:LOOKED_AT]).most_common(1)[0][0]
    if width < 2:
        raise UnreadableError("no separator gives it two columns; it is not a table of prices")
    first = next(k for k in filled if len(rows[k]) == width)
    last = next(k for k in reversed(filled) if len(rows[k]) == width)
    options: dict[str, Any] = {}
    said: list[str] = []
    head = rows[filled[0]]
    if first > filled[0] and len(head) >= 2 and any(plain(cell) in DATES for cell in head):
        raise UnreadableError(
            f"its header has {len(head)} names, but most rows have {width} cells; name every "
            "column, or remove the other cells"
        )
    if encoding != "utf-8":
        options["encoding"] = encoding
        said.append(f"the encoding is {encoding}, not UTF-8")
    if separator != ",":
        options["sep"] = separator
        said.append(f"cells are separated by {SEPARATORS[separator]}")
    if filled[0] < first:
        options["skiprows"] = first
        lines_are = "line 1 is" if first == 1 else f"lines 1 to {first} are"
        said.append(f"{lines_are} not part of the table ({lines[filled[0]].strip()[:30]!r})")
    behind = [k for k in filled if k > last]
    if behind and not any(is_text_date(cell) for k in behind for cell in rows[k][:2]):
        options |= {"skipfooter": len(lines) - last - 1, "engine": "python"}
        shown = lines[behind[0]].strip()[:30]
        said.append(f"lines from {behind[0] + 1} on are not part of the table ({shown!r})")
    cells = [rows[k] for k in filled if first <= k <= last and len(rows[k]) == width]
    header = not any(is_number(cell) for cell in cells[0]) or len(cells) == 1
    if not header:
        said.append("there is no header")
    signs(cells[header:], options, said)
    return TextForm(options, tuple(said), cells, header)


def separator_of(lines: list[str]) -> str:
    """The separator that splits most lines into the same number of cells, at least two."""
    looked = [line for line in lines if line.strip()]
    if len(looked) > LOOKED_AT:
        looked = looked[: LOOKED_AT // 2] + looked[-LOOKED_AT // 2 :]
    best, share = ",", 0.0
    for separator in SEPARATORS:
        widths = Counter(len(row) for row in split(looked, separator))
        width, count = max(
            ((w, n) for w, n in widths.items() if w > 1), key=lambda pair: pair[1], default=(1, 0)
        )
        found = count / len(looked)
        if width > 1 and found > share + 0.05:
            best, share = separator, found
    return best


def split(lines: list[str], separator: str) -> list[list[str]]:
    """Each line as cells; a quoted line break stays in the line on which it begins."""
    if separator == r"\s+":
        return [line.split() for line in lines]
    rows: list[list[str]] = [[] for _ in lines]
    reader = csv.reader((f"{line}\n" for line in lines), delimiter=separator)
    start = 0
    try:
        for row in reader:
            if start < len(rows):
                rows[start] = row
            start = reader.line_num
    except csv.Error:
        return [line.split(separator) for line in lines]
    return rows


def is_number(cell: str) -> bool:
    """Whether a cell is a number in any of the usual writings."""
    text = cell.strip()
    return bool(NUMBER.fullmatch(text)) or any(
        number(decimal, sign).fullmatch(text)
        for decimal in ".,"
        for sign in THOUSANDS
        if sign != decimal
    )


@cache
def number(decimal: str, thousands: str, grouped: bool = False) -> re.Pattern[str]:
    """Pattern of numbers with these signs; with ``grouped`` only of those with thousands."""
    many = "+" if grouped else "*"
    whole = rf"\d{{1,3}}({re.escape(thousands)}\d{{3}}){many}"
    return re.compile(rf"[-+]?({whole}{'' if grouped else '|[0-9]+'})({re.escape(decimal)}\d+)?")


def signs(rows: list[list[str]], options: dict[str, Any], said: list[str]) -> None:
    """Add the decimal sign, the sign between thousands and codes for missing values."""
    cells = Counter(cell.strip() for row in rows[:20_000] for cell in row)
    commas = [cell for cell in cells if re.fullmatch(r"[-+]?[\d.'\u2019 \xa0\u202f]+,\d+", cell)]
    points = [cell for cell in cells if re.fullmatch(r"[-+]?[\d,'\u2019 \xa0\u202f]+\.\d+", cell)]
    usual = [cell for cell in commas if number(".", ",", grouped=True).fullmatch(cell)]
    comma = bool(commas) and (
        options.get("sep", ",") != "," or len(commas) - len(usual) > len(points)
    )
    comma = comma and len(commas) >= max(2, len(points))
    decimal = "," if comma else "."
    if comma:
        options["decimal"] = ","
        said.append(f"the decimal sign is a comma ({commas[0]})")
    for sign in THOUSANDS:
        kind = number(decimal, sign, grouped=True) if sign != decimal else None
        example = next((cell for cell in cells if kind and kind.fullmatch(cell)), None)
        if example:
            options["thousands"] = sign
            said.append(f"thousands are separated ({example})")
            break
    codes = [code for code in MISSING if code in cells]
    if codes:
        options["na_values"] = codes
        said.append(f"missing values are written {', '.join(codes)}")
