"""The address of a database: its kind, and passwords that are named in it but never stand there.

An experiment is logged, shown and kept whole. So a password is no part of it: the address names a
variable of the environment, as ``postgresql+psycopg://reader:${PRICES_PASSWORD}@host/prices``, and
its value is put in where the connection is made, nowhere else.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import quote, unquote

Kind = Literal["duckdb", "sqlite", "postgresql"]

VARIABLE = re.compile(r"\$\{(\w+)\}")
BETWEEN_USER_AND_HOST = re.compile(r"[^:/]*:([^@]*)@")
SETTING = re.compile(r"(?:password|passwd|pwd|secret|token)\w*\s*=\s*(?!\$\{)[^\s&;'\"]", re.I)
DUCKDB = (".duckdb", ".ddb")


def kind_of(address: str | None) -> Kind:
    """Which of the databases that can be opened for reading only an address belongs to.

    Args:
        address: ``sqlite:///prices.db``, ``postgresql+psycopg://user@host/prices``, a DuckDB file
            or None: DuckDB without a database, over the files that the query names.

    Raises:
        ValueError: None of these; the message holds no more of the address than its scheme.
    """
    if address is None or Path(address).suffix.lower() in DUCKDB:
        return "duckdb"
    scheme, separator, _ = address.partition("://")
    name, _, driver = scheme.partition("+")
    if separator and name == "postgresql":
        return "postgresql"
    if separator and name == "sqlite" and driver in ("", "pysqlite"):
        return "sqlite"
    shown = f"{scheme}://..." if separator else "no address of one"
    raise ValueError(
        f"path must be a database that can be opened for reading only; it is {shown}: write "
        "sqlite:///prices.db, postgresql+psycopg://user@host/prices or prices.duckdb, or leave "
        "path out for DuckDB over the files that the query names"
    )


def holds_password(text: str) -> bool:
    """Whether a password stands in an address or a query itself, not as the name of a variable."""
    _, separator, rest = text.partition("://")
    given = BETWEEN_USER_AND_HOST.match(rest) if separator else None
    if given and given[1] and not VARIABLE.fullmatch(given[1]):
        return True
    return bool(SETTING.search(text) or SETTING.search(unquote(text)))


def filled(address: str, environment: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    """The address with its variables put in, and what must never be shown of it.

    Raises:
        KeyError: The name of a variable that is not set.
    """
    names = VARIABLE.findall(address)
    secrets = [form for name in names for form in (environment[name], quote(environment[name], ""))]
    text = VARIABLE.sub(lambda found: quote(environment[found[1]], ""), address)
    return text, tuple(secret for secret in secrets if secret)


def masked(text: str, secrets: tuple[str, ...]) -> str:
    """``text`` with every secret in it as ``***``."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text
