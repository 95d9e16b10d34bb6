"""A query as text: that it only reads, how it stands in another one, where its fault is."""

import re

READING = ("select", "with", "from", "values", "table")
AHEAD = re.compile(r"(?:\s|\(|--[^\n]*(?:\n|$)|/\*.*?\*/)*", re.DOTALL)
LINE = re.compile(r"\bLINE (\d+):")
NAMED = re.compile(
    r'\b(?:no such (?:column|table):|near|column|name|pattern) "?(?P<name>[^\s"]+)', re.IGNORECASE
)
"""What SQLite and DuckDB name where they do not count lines."""


def why_not_reading(query: str) -> str:
    """What keeps a query from being one statement that reads; empty if nothing does.

    This is the first of two locks: the connection is opened for reading only as well. A semicolon
    is refused wherever it stands, within a text too, so that no dialect's quotes can hide one.
    """
    text = one(query)
    if ";" in text:
        return "has a semicolon within: it must be one statement"
    rest = text[len(AHEAD.match(text)[0]) :]  # type: ignore[index]  # it matches nothing, too
    word = re.match(r"\w*", rest)[0].lower()  # type: ignore[index]
    if word not in READING:
        return f"begins with {word or 'nothing'!r}: it must read rows, as select ... does"
    return ""


def one(query: str) -> str:
    """The statement without blanks and semicolons at its end."""
    return query.strip().rstrip("; \n\t\r")


def inner(query: str, what: str = "*", where: str = "") -> str:
    """The query as a table to select from; only what reads can stand there.

    It begins on the first line, so that line numbers in the database's messages are its own.
    """
    return f"select {what} from ({one(query)}\n) as foldproof_rows {where}".rstrip()


def quoted(name: str) -> str:
    """A column name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


def line_of(query: str, message: str) -> int | None:
    """The line of the query that a database's message is about, from 1; None where it is open.

    Where the database does not count lines it is the one on which the name stands that it names.
    """
    lines = one(query).splitlines()
    counted = LINE.search(message)
    if counted:
        return min(int(counted[1]), len(lines))
    found = NAMED.search(message)
    if not found:
        return None
    name = re.compile(rf"(?<!\w){re.escape(found['name'])}(?!\w)", re.IGNORECASE)
    holding = [at for at, line in enumerate(lines, 1) if name.search(line)]
    return holding[0] if len(holding) == 1 else None
