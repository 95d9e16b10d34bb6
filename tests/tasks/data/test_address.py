import pytest

from foldproof.tasks.data.address import (
    filled,
    holds_password,
    kind_of,
    masked,
    secrets_in,
    shown,
    without_user,
)


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        (None, "duckdb"), ("prices.duckdb", "duckdb"), ("duckdb:///a/prices.DDB", "duckdb"),
        ("sqlite:///prices.db", "sqlite"), ("sqlite+pysqlite:////a/b.db", "sqlite"),
        ("postgresql://h/d", "postgresql"), ("postgresql+psycopg://u@h:5432/d", "postgresql"),
    ],
)  # fmt: skip
def test_kinds(address: str | None, kind: str) -> None:
    assert kind_of(address) == kind


@pytest.mark.parametrize("address", ["mysql://h/d", "prices.db", "", "sqlite+other:///x.db"])
def test_databases_that_cannot_be_read_only_are_refused(address: str) -> None:
    with pytest.raises(ValueError, match="a database that can be opened for reading only"):
        kind_of(address)


BARE = [
    "postgresql://u:p@h/d", "postgresql+psycopg://u:p#%40ss@h:5432/d", "postgresql://u:p@ss@h/d",
    "postgresql://:p@h/d", "postgresql://u@h/d?password=p", "postgresql://u@h/d?sslpassword=p",
    "postgresql://u@h/d?x=1&PASSWORD%3Dp", "postgresql://u:${A}b@h/d", "postgresql://u:a${B}@h/d",
    "select * from postgres_scan('host=h password=p', 'public', 'prices')",
]  # fmt: skip
CLEAN = [
    "postgresql://u@h/d", "postgresql://u:${A}@h/d", "postgresql://u@h:5432/d",
    "postgresql://u@h/d?password=${A}", "sqlite:////home/a:b@c/x.db", "sqlite:///x.db",
    "select 'a:b@c' as symbol from prices", "prices.duckdb", "",
]  # fmt: skip


@pytest.mark.parametrize("text", BARE)
def test_a_password_in_an_address_is_detected(text: str) -> None:
    assert holds_password(text)


@pytest.mark.parametrize("text", CLEAN)
def test_other_texts_are_not_mistaken_for_passwords(text: str) -> None:
    assert not holds_password(text)


def test_values_of_variables_are_quoted_in_addresses() -> None:
    text, secrets = filled("postgresql://u:${A}@h/d", {"A": "p@s/s"})
    assert text == "postgresql://u:p%40s%2Fs@h/d"
    assert masked(f"{text} and p@s/s", secrets) == "postgresql://u:***@h/d and ***"
    with pytest.raises(KeyError, match="A"):
        filled("postgresql://u:${A}@h/d", {})


@pytest.mark.parametrize(
    ("address", "public", "secrets"),
    [
        ("postgresql://me:s3cret@db:5433/x", "postgresql://me:***@db:5433/x", {"s3cret"}),
        ("postgresql://me:a%40b@db/x", "postgresql://me:***@db/x", {"a%40b", "a@b"}),
        ("postgresql://me:p@s/s@db/x", "postgresql://me:***@db/x", {"p@s/s"}),
        ("https://:s3cret@host:8080", "https://:***@host:8080", {"s3cret"}),
        ("postgresql://db/x?user=me&password=p&a=b", "postgresql://db/x?user=me&password=***&a=b",
         {"p"}),
        ("postgresql://db/x?sslpassword=p", "postgresql://db/x?sslpassword=***", {"p"}),
        ("sqlite:////home/a:b@c/x.db", "sqlite:////home/a:b@c/x.db", set()),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000", set()),
    ],
)  # fmt: skip
def test_an_address_is_shown_without_its_passwords(
    address: str, public: str, secrets: set[str]
) -> None:
    assert shown(address) == public
    assert set(secrets_in(address)) == secrets


def test_user_and_password_are_taken_out_of_a_web_address() -> None:
    assert without_user("http://me:a%40b@host:5000/x") == ("http://host:5000/x", ("me", "a@b"))
    assert without_user("http://host:5000") == ("http://host:5000", None)
    assert without_user("sqlite:///x.db") == ("sqlite:///x.db", None)
