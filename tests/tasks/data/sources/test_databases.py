import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from foldproof.tasks.data import ColumnsSpec, DataError, DataSpec, TargetSpec, build, from_frame
from foldproof.tasks.data.panel.read import read
from foldproof.tasks.data.sources.databases import FOLDERS, opened
from tests.tasks.data.conftest import ROLES
from tests.tasks.data.databases import DATABASES, in_sqlite

TARGET = TargetSpec(5, "return")


def spec_of(address: str | None, query: str, **settings: object) -> DataSpec:
    settings = {"columns": ROLES} | settings
    return DataSpec(source="query", path=address, query=query, **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", DATABASES)
def test_a_database_gives_the_panel_of_the_table_in_memory(
    name: str, market: pd.DataFrame, tmp_path: Path
) -> None:
    """In any order of rows: those of a database have none, so nothing is said of it."""
    shuffled = market.sample(frac=1, random_state=0)
    address, table = DATABASES[name](shuffled, tmp_path)
    panel = build(spec_of(address, f"select * from {table} -- all of it"), TARGET)
    expected = from_frame(market, ROLES, TARGET)
    for array in ("dates", "symbols", "values", "target", "label_end", "member"):
        np.testing.assert_array_equal(getattr(panel, array), getattr(expected, array))
    assert panel.about["warnings"] == expected.about["warnings"]
    assert not any("sorted" in text for text in panel.about["warnings"])
    assert panel.about["title"] == "Your own query of a database"


@pytest.mark.parametrize("name", DATABASES)
def test_the_query_decides_the_rows(name: str, market: pd.DataFrame, tmp_path: Path) -> None:
    address, table = DATABASES[name](market, tmp_path)
    query = f"""
    with few as (select date, symbol as ticker, 2 * price as twice from {table} where price > 40)
    select * from few where ticker <> 'GONE';
    """
    columns = ColumnsSpec(symbol="ticker", price="twice")
    frame = read(spec_of(address, query, columns=columns, min_history=1)).frame
    expected = market[(market["price"] > 40) & (market["symbol"] != "GONE")]
    assert frame["symbol"].tolist() == expected.sort_values(["date", "symbol"])["symbol"].tolist()
    np.testing.assert_array_equal(np.sort(frame["price"]), np.sort(2 * expected["price"]))


WRONG = {
    "a column": ("select date,\n  symbol,\n  clsoe as price\nfrom {}", 3, "clsoe"),
    "a word": ("select date,\n  symbol\nform {}", 3, "near"),
    "a table": ("select *\nfrom nowhere", 2, "nowhere"),
}


@pytest.mark.parametrize("name", DATABASES)
@pytest.mark.parametrize("what", WRONG)
def test_the_error_for_a_wrong_query_names_its_line(
    what: str, name: str, market: pd.DataFrame, tmp_path: Path
) -> None:
    address, table = DATABASES[name](market, tmp_path)
    query, line, said = WRONG[what]
    with pytest.raises(DataError, match=rf"^line {line} of the query.*: .*{said}"):
        read(spec_of(address, query.format(table)))


@pytest.mark.parametrize("name", ["sqlite", "duckdb"])
@pytest.mark.parametrize("change", ["delete from prices", "create table other as select 1 as one"])
def test_the_connection_itself_cannot_write(
    change: str, name: str, market: pd.DataFrame, tmp_path: Path
) -> None:
    """The second lock, with the first one open: the statement reaches the database."""
    address, _ = DATABASES[name](market, tmp_path)
    with (
        pytest.raises(DataError, match=r"read-?only"),
        opened(address, change) as ask,
    ):
        ask(change)
    with opened(address, "") as ask:
        assert ask("select count(*) as n from prices")["n"].tolist() == [len(market)]


@pytest.mark.parametrize("name", DATABASES)
def test_a_query_that_changes_data_is_refused(
    name: str, market: pd.DataFrame, tmp_path: Path
) -> None:
    address, table = DATABASES[name](market, tmp_path)
    with pytest.raises(DataError, match="the query"):
        read(spec_of(address, f"with gone as (delete from {table} returning *) select * from gone"))
    assert len(read(spec_of(address, f"select * from {table}", min_history=1)).frame) == len(market)


def test_a_missing_database_file_is_not_created(tmp_path: Path) -> None:
    """SQLite makes a file that it does not find, unless it is kept from it."""
    with pytest.raises(DataError, match=r"there is no such file; correct the path$"):
        read(spec_of(f"sqlite:///{tmp_path}/prices.db", "select 1"))
    assert [*tmp_path.iterdir()] == []


def test_a_bad_cell_is_named_by_row_date_symbol_and_column(
    market: pd.DataFrame, tmp_path: Path
) -> None:
    address, _ = in_sqlite(market, tmp_path)
    with closing(sqlite3.connect(tmp_path / "prices.db")) as connection:
        connection.execute("update prices set price = 'n.v.' where rowid = 7")
        connection.commit()
    row = market.iloc[6]
    with pytest.raises(DataError) as caught:
        read(spec_of(address, "select * from prices order by rowid"))
    assert str(caught.value) == (
        f"row 7 of the query on {address} ({row['date']:%Y-%m-%d}, {row['symbol']}): price 'n.v.' "
        "is not a number; write 1234.5 and leave missing cells empty"
    )


def test_the_error_without_duckdb_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)  # what an import finds that has failed
    with pytest.raises(DataError, match=r"pip install 'foldproof\[duckdb\]'"):
        read(spec_of(None, "select * from 'prices.parquet'"))


SECRET = "s3cr/et@x"
SERVER = "postgresql+{}://reader:${{PRICES_PASSWORD}}@127.0.0.1:1/prices"


@pytest.mark.parametrize(
    ("address", "message"),
    [
        (SERVER.format("asyncpg"), "this driver is asynchronous; write postgresql"),
        (SERVER.format("nix"), "not an address; write postgresql"),
        (SERVER.format("pypostgresql"), "not an address|install the driver"),
        (SERVER.format("psycopg"), "no connection: .*|No module named 'psycopg'; install"),
    ],
)
def test_a_password_from_the_environment_is_in_no_message(
    address: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRICES_PASSWORD", SECRET)
    with pytest.raises(DataError, match=message) as caught:
        read(spec_of(address, "select 1"))
    error: BaseException | None = caught.value
    while error is not None:
        assert "s3cr" not in str(error)
        error = error.__cause__


def test_the_error_names_a_variable_that_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PRICES_PASSWORD", raising=False)
    with pytest.raises(DataError, match=r"the environment does not set PRICES_PASSWORD; export it"):
        read(spec_of(SERVER.format("psycopg"), "select 1"))


@pytest.fixture
def rooted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a CSV file, a link out of it, and a secret file beside it."""
    pytest.importorskip("duckdb")
    root = tmp_path / "it's root"
    (root / "sub").mkdir(parents=True)
    (tmp_path / "secret.csv").write_text("date,symbol,close\n2020-01-02,AAA,1\n")
    (root / "own.csv").write_text("date,symbol,close\n2020-01-02,AAA,1\n2020-01-03,AAA,2\n")
    (root / "sub" / "more.csv").write_text((root / "own.csv").read_text())
    (root / "link.csv").symlink_to(tmp_path / "secret.csv")
    monkeypatch.delenv(FOLDERS, raising=False)
    monkeypatch.chdir(root)
    return root


def test_duckdb_reads_files_of_the_working_directory(
    rooted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    absolute = str(rooted / "own.csv").replace("'", "''")
    for name in ("own.csv", "sub/*.csv", absolute):
        query = f"select * from '{name}'"
        assert len(read(spec_of(None, query, columns=ColumnsSpec(), min_history=1)).frame) == 2
    monkeypatch.chdir("sub")
    monkeypatch.setenv(FOLDERS, f"/nowhere:{rooted}")
    query = f"select * from '{absolute}'"
    assert len(read(spec_of(None, query, columns=ColumnsSpec(), min_history=1)).frame) == 2


@pytest.mark.parametrize(
    "source",
    [
        "read_text('/proc/self/environ')", "read_blob('/proc/self/cmdline')", "'../secret.csv'",
        "'sub/../../secret.csv'", "'link.csv'", "glob('../*')", "glob('/home/*')",
        "'http://127.0.0.1:1/x.csv'", "'s3://bucket/x.parquet'",
        "read_csv(['own.csv', '/etc/passwd'])",
        "read_json('~/x.json')", "sniff_csv('/etc/passwd')",
    ],
)  # fmt: skip
@pytest.mark.parametrize("database", [False, True])
def test_duckdb_reads_nothing_else(source: str, database: bool, rooted: Path) -> None:
    address = None
    if database:
        import duckdb

        address = str(rooted / "prices.duckdb")
        duckdb.connect(address).close()
    with pytest.raises(DataError) as caught:
        read(spec_of(address, f"select * from {source}"))
    said = str(caught.value)
    assert said.startswith("the query")
    assert "may read no file outside" in said
    assert str(rooted) in said
    assert "AAA" not in said
    assert "\n" not in said


@pytest.mark.parametrize(
    "query",
    [
        "select * from market", "select getenv('HOME') as symbol", "select * from frame",
        "with x as (select 1) select * from read_xlsx('own.csv')",
    ],
)  # fmt: skip
def test_duckdb_sees_no_variable_of_python_and_loads_no_extension(
    query: str, rooted: Path, market: pd.DataFrame
) -> None:
    frame = market  # noqa: F841  # what a replacement scan would find
    with pytest.raises(DataError, match="Catalog Error"), opened(None, query) as ask:
        ask(query)


def test_a_query_cannot_change_the_settings_of_its_connection(rooted: Path) -> None:
    import duckdb

    with (
        opened(None, "select 1") as ask,
        pytest.raises((DataError, duckdb.Error), match=r"locked|allowed|configuration"),
    ):
        ask("set enable_external_access = true")
