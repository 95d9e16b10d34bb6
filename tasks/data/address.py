"""The address of a database: its kind, and passwords, which it names but does not contain.

An experiment is logged, shown and kept as it is, so it must not contain a password. The address
names a variable of the environment, as in
``postgresql+psycopg://reader:${PRICES_PASSWORD}@host/prices``, and its value is filled in only
where the connection is made.
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
GIVEN = re.compile(r"(://[^:/?#@]*:)(.*)@")
"""User and password of an address; a password may hold any character."""
GIVEN_SETTING = re.compile(
    r"((?:password|passwd|pwd|secret|token)\w*=)(?!\$\{)([^\s&;'\"]+)", re.IGNORECASE
)
DUCKDB = (".duckdb", ".ddb")


def kind_of(address: str | None) -> Kind:
    """The kind of database at ``address``; all of them can be opened for reading only.

    Args:
        address: ``sqlite:///prices.db``, ``postgresql+psycopg://user@host/prices``, a DuckDB file,
            or None for DuckDB without a database, over the files that the query names.

    Raises:
        ValueError: None of these; the message shows only the scheme of the address.
    """
    if address is None or Path(address).suffix.lower() in DUCKDB:
        return "duckdb"
    scheme, separator, _ = address.partition("://")
    name, _, driver = scheme.partition("+")
    if separator and name == "postgresql":
        return "postgresql"
    if separator and name == "sqlite" and driver in ("", "pysqlite"):
        return "sqlite"
    shown = f"{scheme}://..." if separator else "not an address"
    raise ValueError(
        f"path must be a database that can be opened for reading only; it is {shown}: write "
        "sqlite:///prices.db, postgresql+psycopg://user@host/prices or prices.duckdb, or leave "
        "path out for DuckDB over the files that the query names"
    )


def holds_password(text: str) -> bool:
    """Whether an address or a query contains a password itself, not the name of a variable."""
    _, separator, rest = text.partition("://")
    given = BETWEEN_USER_AND_HOST.match(rest) if separator else None
    if given and given[1] and not VARIABLE.fullmatch(given[1]):
        return True
    return bool(SETTING.search(text) or SETTING.search(unquote(text)))


def filled(address: str, environment: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    """The address with the values of its variables, and the secrets among them.

    Raises:
        KeyError: A variable is not set; its name.
    """
    names = VARIABLE.findall(address)
    secrets = [form for name in names for form in (environment[name], quote(environment[name], ""))]
    text = VARIABLE.sub(lambda found: quote(environment[found[1]], ""), address)
    return text, tuple(secret for secret in secrets if secret)


def shown(address: str) -> str:
    """The address with ``***`` in place of every password in it, whatever else it contains."""
    text = GIVEN.sub(r"\1***@", address)
    return GIVEN_SETTING.sub(r"\1***", text)


def secrets_in(address: str) -> tuple[str, ...]:
    """The passwords in an address, as they are written and decoded."""
    found = [given[2] for given in GIVEN.finditer(address)]
    found += [given[2] for given in GIVEN_SETTING.finditer(address)]
    return tuple({form for text in found if text for form in (text, unquote(text))})


def without_user(address: str) -> tuple[str, tuple[str, str] | None]:
    """An address of the web without user and password, and these two, decoded."""
    scheme, separator, rest = address.partition("://")
    before, at, after = rest.rpartition("@")
    if not separator or not at:
        return address, None
    user, _, password = before.partition(":")
    return f"{scheme}://{after}", (unquote(user), unquote(password))


def masked(text: str, secrets: tuple[str, ...]) -> str:
    """``text`` with ``***`` in place of every secret."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text
