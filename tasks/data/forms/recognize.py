"""What a file with prices is, and the pandas calls that make the long table of it.

A panel reads a long CSV file in UTF-8, or a long Parquet file, with ISO dates. Everything else is
recognized here: the message of a refused file and ``foldproof init`` say and do the same.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from foldproof.tasks.data.forms.cells import (
    Dated,
    date_column,
    guessed_names,
    is_second_header,
    numbers_in,
)
from foldproof.tasks.data.forms.chain import Chain, written
from foldproof.tasks.data.forms.days import days_of
from foldproof.tasks.data.forms.names import column_of
from foldproof.tasks.data.forms.shapes import BINARY, LONG, ONE, Form, shaped, stacked
from foldproof.tasks.data.forms.text import SUFFIXES, TextForm, UnreadableError, text_form
from foldproof.tasks.data.rows import DataError, first_line

REFUSED: Mapping[str, str] = {
    ".pkl": "a pickle runs code when it is opened; write the table with to_parquet instead",
    ".pickle": "a pickle runs code when it is opened; write the table with to_parquet instead",
    ".rds": "an R file is not read; in R, write it with arrow::write_parquet(readRDS(...), ...)",
    ".duckdb": "a database is read by a query; set data.source: query",
    ".db": "a database is read by a query; set data.source: query and path: sqlite:///...",
    ".sqlite": "a database is read by a query; set data.source: query and path: sqlite:///...",
}
BY_PANDAS: Mapping[str, tuple[str, str, str]] = {
    ".xlsx": ("a workbook", "pd.read_excel({})", "openpyxl"),
    ".xls": ("a workbook", "pd.read_excel({})", "xlrd"),
    ".ods": ("a workbook", "pd.read_excel({})", "odfpy"),
    ".json": ("JSON", "pd.read_json({}, dtype=False)", ""),
    ".h5": ("HDF5", "pd.read_hdf({})", "tables"),
    ".hdf5": ("HDF5", "pd.read_hdf({})", "tables"),
    ".sas7bdat": ("a SAS file", "pd.read_sas({}, encoding='latin-1')", ""),
    ".dta": ("a Stata file", "pd.read_stata({})", ""),
}
"""Suffix -> form of a file that only pandas reads, the call, and the package that the call needs.
"""
MOST = 100_000
"""Rows from which the form is recognized."""


def recognized(name: str) -> Form:
    """What the file or folder ``name`` is.

    Raises:
        UnreadableError: It is not a table of prices of several symbols, or of a kind that cannot be
            read; the message says what to do.
    """
    path = Path(name).expanduser()
    if path.is_dir():
        return folder_form(name, path)
    if not path.is_file():
        raise UnreadableError("there is no such file; correct the path")
    suffix = path.suffix.lower()
    if suffix in REFUSED:
        raise UnreadableError(REFUSED[suffix])
    if suffix in BY_PANDAS:
        raise UnreadableError(through_pandas(name, *BY_PANDAS[suffix]))
    if suffix in BINARY:
        return binary_form(name, path)
    return text_table(name, path, text_form(path))


def through_pandas(name: str, form: str, call: str, package: str) -> str:
    """What to do with a file that only pandas reads. Its index is kept, as it may hold the dates.

    Args:
        name: The file.
        form: What it is.
        call: The call of pandas, with a place for the name.
        package: The package that the call needs; empty if none.
    """
    written = str(Path(name).with_name(f"{Path(name).stem}_long.parquet"))
    needed = f" after pip install {package}" if package else ""
    line = f"{call.format(repr(name))}.to_parquet({written!r})"
    return f"{form} is not read: save it as CSV, or{needed} in Python (import pandas as pd) {line}"


@contextmanager
def form_named(name: str | None) -> Iterator[None]:
    """Name the form of a file, and what mends it, if reading it fails inside.

    Args:
        name: The file; None if the rows come from elsewhere.

    Raises:
        DataError: The error inside, or instead of it the form of the file if that is the cause.
    """
    try:
        yield
    except DataError as error:
        cause = "" if name is None else cause_of(name)
        if not cause:
            raise
        raise DataError(cause) from error


def cause_of(name: str) -> str:
    """Why a file is not read as it is, and what mends it; empty if its form is not the cause."""
    if not Path(name).expanduser().exists():
        return ""
    try:
        return recognized(name).mending
    except UnreadableError as error:
        return f"{name}: {error}"
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return ""  # the error of the reading says more


def folder_form(name: str, path: Path) -> Form:
    """A folder: one partitioned table, or a file of text for each symbol."""
    if any(path.rglob("*.parquet")):
        read = Chain().then(f"pd.read_parquet({name!r})", pd.read_parquet)
        form = shaped(name, read.run(path), read, (), True)
        said = ("it is a folder (a partitioned data set), not a file", *form.said)
        return replace(form, said=said)
    files = sorted(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES)
    if not files:
        raise UnreadableError("it is a folder without Parquet or text files; use a file in it")
    forms = [text_table(str(file), file, text_form(file), alone=True) for file in files]
    single = max(forms, key=lambda form: len(form.said))
    if single.shape != ONE:
        raise UnreadableError(
            f"it is a folder whose files hold several symbols each, such as {files[0].name}; use "
            "one of them, or join them"
        )
    chain, pattern = single.chain or reading(single.name, {}), f"*{files[0].suffix}"
    joined = (
        f"pd.concat({{file.stem: {chain.code.replace(repr(single.name), 'file')} "
        f"for file in sorted(Path({name!r}).glob({pattern!r}))}}, "
        "names=['symbol', None]).reset_index('symbol')"
    )

    def join(folder: Path) -> pd.DataFrame:
        parts = {file.stem: chain.run(file) for file in sorted(folder.glob(pattern))}
        return pd.concat(parts, names=["symbol", None]).reset_index("symbol")

    said = (f"it is a folder of {len(files)} files, one for each symbol", *single.said)
    roles = {"symbol": "symbol"} | dict(single.roles)
    return Form(name, LONG, roles, said, Chain().then(joined, join))


def binary_form(name: str, path: Path) -> Form:
    """A file of Parquet or Arrow."""
    reader = BINARY[path.suffix.lower()]
    read = Chain().then(f"pd.{reader.__name__}({name!r})", reader)
    try:
        frame = read.run(path)
    except (OSError, ValueError) as error:
        kind = "a Parquet" if reader is pd.read_parquet else "an Arrow"
        raise UnreadableError(f"not readable as {kind} file: {first_line(error)}") from error
    if path.suffix.lower() == ".parquet":
        return shaped(name, frame, read, (), False)
    return shaped(name, frame, read, (f"it is a {path.suffix} file",), True)


def reading(name: str, options: Mapping[str, Any]) -> Chain:
    """The calls that read a text file; pandas knows only ASCII signs between thousands."""
    plain = dict(options)
    sign = plain.get("thousands", "")
    if sign.isascii():
        return Chain().then(
            f"pd.read_csv({written((name,), plain)})", partial(pd.read_csv, **plain)
        )
    del plain["thousands"]
    decimal = plain.pop("decimal", ".")
    read = reading(name, plain).call("replace", rf"(?<=\d){sign}(?=\d{{3}})", "", regex=True)
    if decimal == ".":
        return read
    return read.call("replace", r"^([-+]?\d+),(\d+)$", r"\1.\2", regex=True)


def text_table(name: str, path: Path, form: TextForm, alone: bool = False) -> Form:
    """A text file; ``alone`` if it may hold one symbol, whose name is the file's."""
    options, said, cells = dict(form.options), form.said, form.cells
    if not form.header:
        names = guessed_names(cells)
        options |= {"header": None, "names": names}
        cells = [names, *cells]
        said = (*said, f"its columns are taken as {', '.join(names)}")
    if len(cells) > 2 and is_second_header(cells):
        return levels_of_text(name, path, options, said, cells)
    plain_file = path.suffix.lower() == ".csv"
    if not plain_file and not said:
        said = (f"it is a {path.suffix or 'nameless'} file",)
    faulty = bool(options) or not plain_file
    head = [cell if cell.strip() else f"Unnamed: {k}" for k, cell in enumerate(cells[0])]
    frame = pd.DataFrame(cells[1 : MOST + 1], columns=head).replace("", None)
    if frame.empty or frame.columns.duplicated().any():
        return Form(name, LONG, {}, said, None)
    dated = date_column(frame)
    if dated.column is not None and dated.way.pattern:
        options |= {"parse_dates": [dated.column], "date_format": dated.way.pattern}
        said, faulty = (*said, dated.way.words), True
        dated = Dated(dated.column)
    symbol = column_of("symbol", [one for one in head if one != dated.column])
    text = {} if symbol is None else {"converters": {symbol: str}}
    read = reading(name, options | text)
    return shaped(name, numbers_in(frame, form.options), read, said, faulty, dated, alone)


def levels_of_text(
    name: str, path: Path, options: dict[str, Any], said: tuple[str, ...],
    cells: Sequence[Sequence[str]],
) -> Form:  # fmt: skip
    """A text file with two header lines, one of fields and one of symbols."""
    if any(not cell.strip() for cell in cells[0][1:]):
        raise UnreadableError(
            "its header has two lines with merged cells; write the symbol into every cell of the "
            "first line, and run foldproof init again"
        )
    index = [row[0] for row in cells[2:] if any(cell.strip() for cell in row[1:])]
    way = days_of(pd.Series(index))
    if way is None:
        raise UnreadableError("its first column holds no dates; put the dates there")
    options = options | {"header": [0, 1], "index_col": 0}
    if way.pattern:
        options |= {"parse_dates": True, "date_format": way.pattern}
        said = (*said, way.words)
    return stacked(name, reading(name, options), cells[0][1:], cells[1][1:], said)
