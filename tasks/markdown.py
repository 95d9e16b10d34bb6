"""Texts and tables in Markdown that show any name as it is written."""

import re
from collections.abc import Iterable, Sequence

SPECIAL = re.compile(
    r"""
    [\\`*|~]                       # escapes, code, emphasis, cells, strikethrough
    | (?<![^\W_])_ | _(?![^\W_])   # emphasis; inside a word an underscore is a letter
    | \](?=[(\[:])                 # links
    | ^(?:\#{1,6}(?=\s|$) | [-+](?=\s|$) | [-=]+$ | :?-+:?$)  # headings, lists, rules
    """,
    re.VERBOSE,
)
NUMBERED = re.compile(r"^(\d+)([.)])(?=\s|$)")
BREAKS = re.compile(r"\s*[\r\n\v\f\x1c-\x1e\x85\u2028\u2029]\s*")


def escaped(text: str) -> str:
    """``text`` as Markdown that renders to the same characters, on one line.

    Characters that mean something are escaped where they would mean it, so ordinary names such as
    ``momentum_252_21`` stay as they are.
    """
    line = BREAKS.sub(" ", text).strip()
    line = SPECIAL.sub(lambda found: "\\" + found.group(), line)
    line = NUMBERED.sub(r"\1\\\2", line)
    line = re.sub(r"&(?=#?\w+;)", "&amp;", line)
    return line.replace("<", "&lt;").replace(">", "&gt;") if re.search(r"<|^>", line) else line


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown, one line per row; the cells show their text as it is written."""
    lines = [[escaped(cell) for cell in head], ["---"] * len(head)]
    lines += [[escaped(cell) for cell in row] for row in rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
