import sqlite3

import pytest

from foldproof.tasks.data.sql import inner, line_of, why_not_reading

READS = [
    "select 1", "  SELECT 1 ;\n", "with a as (select 1) select * from a", "from 'x.parquet'",
    "-- a; note\nselect 1".replace(";", ","), "/* delete */ (select 1) union (select 2)",
    "values (1)", "table prices",
]  # fmt: skip
CHANGES = [
    "delete from prices", "insert into prices values (1)", "update prices set a = 1",
    "drop table a",
    "/* select */ delete from a", "-- select\ncreate table a (b)", "copy a to 'b'", "attach 'a'",
    "pragma user_version = 1", "select 1; drop table prices", "select ';' as a", "", "-- select",
]  # fmt: skip


@pytest.mark.parametrize("query", READS)
def test_queries_that_read_are_accepted(query: str) -> None:
    assert why_not_reading(query) == ""


@pytest.mark.parametrize("query", CHANGES)
def test_queries_that_may_change_data_are_refused(query: str) -> None:
    assert why_not_reading(query)


@pytest.mark.parametrize("query", READS[:3] + READS[4:5])
def test_a_query_can_be_selected_from(query: str) -> None:
    """Also where it ends in a comment."""
    with sqlite3.connect(":memory:") as connection:
        text = inner(query.strip() + " -- end" if ";" not in query else query, "count(*)")
        assert connection.execute(text).fetchall() == [(1,)]
    connection.close()


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ('column "clsoe" does not exist\nLINE 2: clsoe,', 2),
        ("LINE 9: beyond the end", 3),
        ("no such column: clsoe", 2),
        ('Binder Error: Referenced column "CLSOE" not found in FROM clause!', 2),
        ("no such column: close", None),
        ('near "symbol": syntax error', None),
        ("disk I/O error", None),
    ],
)
def test_lines(message: str, line: int | None) -> None:
    """A name on two lines, or as part of another, says nothing."""
    assert line_of("select date, symbol,\nclsoe, symbol\nfrom closest", message) == line
