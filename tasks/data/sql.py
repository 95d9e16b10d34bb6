"""The text of a query: does it only read, how to select from it, which line has an error."""

import re

READING = ("select", "with", "from", "values", "table")
AHEAD = re.compile(r"(?:\s|\(|--[^\n]*(?:\n|$)|/\*.*?\*/)*", re.DOTALL)
LINE = re.compile(r"\bLINE (\d+):")
NAMED = re.compile(
    r'\b(?:no such (?:column|table):|near|column|name|pattern) "?(?P<name>[^\s"]+)', re.IGNORECASE
)
"""The name in a message of SQLite or DuckDB that gives no line."""


def why_not_reading(query: str) -> str:
    """Why a query is not a single statement that reads; empty if it is one.

    This is the first of two safeguards: the connection is opened for reading only as well. A
    semicolon
    is refused even inside quotes, so that no dialect's quoting rules can hide one.
    """
    text = one(query)
    if ";" in text:
        return "contains a semicolon: it must be one statement"
    rest = text[len(AHEAD.match(text)[0]) :]  # type: ignore[index]  # it matches the empty text
    word = re.match(r"\w*", rest)[0].lower()  # type: ignore[index]
    if word not in READING:
        return f"begins with {word or 'nothing'!r}: it must read rows, such as select ..."
    return ""


def one(query: str) -> str:
    """The statement without blanks and semicolons at the end."""
    return query.strip().rstrip("; \n\t\r")


def inner(query: str, what: str = "*", where: str = "") -> str:
    """A select from the query as a table; only a query that reads can be used so.

    The query begins on the first line, so line numbers in the database's messages are right.
    """
    return f"select {what} from ({one(query)}\n) as foldproof_rows {where}".rstrip()


def quoted(name: str) -> str:
    """A column name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


def line_of(query: str, message: str) -> int | None:
    """The line of the query, from 1, that a database's message is about; None if unknown.

    Without a line number in the message it is the only line that contains the name it mentions.
    """
    lines = one(query).splitlines()
    counted = LINE.search(message)
    if counted:
        return max(1, min(int(counted[1]), len(lines)))  # a query may be empty
    found = NAMED.search(message)
    if not found:
        return None
    name = re.compile(rf"(?<!\w){re.escape(found['name'])}(?!\w)", re.IGNORECASE)
    holding = [at for at, line in enumerate(lines, 1) if name.search(line)]
    return holding[0] if len(holding) == 1 else None
