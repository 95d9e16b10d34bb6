"""What can be wrong with a table, and the one sentence that each gets.

CASES end in an error; WARNED are put right and counted. ``{path}`` stands for the file, ``{folder}`` for
its folder.
"""
# ruff: noqa: E501  # messages stand whole, as their reader sees them

import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from foldproof.tasks.data import ChecksSpec, ColumnsSpec, DataSpec

DAYS = ("2020-01-02", "2020-01-03", "2020-01-06", "2020-01-07", "2020-01-08", "2020-01-09")
ROWS = [
    f"{day},{symbol},{price + k}" for k, day in enumerate(DAYS)
    for symbol, price in (("AAA", 10), ("BBB", 20))
]  # fmt: skip
GOOD = "\n".join(["date,symbol,close", *ROWS]) + "\n"


def table(**columns: list[Any]) -> str:
    """GOOD with further columns."""
    lines = GOOD.splitlines()
    for name, values in columns.items():
        cells = [name, *(str(value) for value in values)]
        lines = [f"{line},{cell}" for line, cell in zip(lines, cells, strict=True)]
    return "\n".join(lines) + "\n"


@dataclass(frozen=True)
class Case:
    """A file, how it is read, and what is said of it; with a query it is a SQLite database."""

    name: str
    content: str | bytes | None
    message: str
    file: str = "prices.csv"
    columns: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    query: str | None = None

    def spec(self, folder: Path) -> DataSpec:
        """Write the file and return the spec that reads it."""
        path = folder / self.file
        if isinstance(self.content, str):
            path.write_text(self.content, encoding="utf-8")
        elif self.content is not None:
            path.write_bytes(self.content)
        settings = {"min_history": 1, "columns": ColumnsSpec(**self.columns)} | self.settings
        if self.query is not None:
            if path.is_file():
                into_sqlite(path)
            return DataSpec("query", f"sqlite:///{path}", query=self.query, **settings)
        return DataSpec(source="file", path=str(path), **settings)

    def expected(self, folder: Path) -> str:
        """The message, with the paths put in."""
        return self.message.format(path=folder / self.file, folder=folder)


def into_sqlite(path: Path) -> None:
    """Turn a CSV file into a database whose table ``prices`` holds it."""
    frame = pd.read_csv(path)
    path.unlink()
    with closing(sqlite3.connect(path)) as connection:
        frame.to_sql("prices", connection, index=False)


READY: dict[str, Any] = {"settings": {"features": "ready"}}
TEN = [0.1 * k for k in range(11)]
TEN_AND_TWO = [0.1 * k for k in range(12)]
LABELS = {"columns": {"target": "y", "label_end": "end", "price": None}}

CASES = [
    Case(
        "a line break in the name of a feature",
        table(**{"z": TEN_AND_TWO}).replace("close,z", 'close,"a\nb"'),
        "{path}: the name of column 'a\\nb' holds an invisible character; rename the column",
        **READY,
    ),
    Case(
        "a feature beyond the largest number of a panel",
        table(z=[1e39, *TEN]),
        "line 2 of {path} (2020-01-02, AAA): z '1e+39' is beyond 3.4e+38, the largest number of a panel; rescale the column",
        **READY,
    ),
    Case(
        "a control character in a symbol",
        GOOD.replace("BBB", "B\x01B"),
        "line 3 of {path} (2020-01-02, B\\x01B): symbol 'B\\x01B' holds an invisible character, so it would be another symbol; remove the character (6 such rows)",
    ),
    Case(
        "rows longer than the header",
        "date,symbol,close\n2020-01-02,AAA,1,2\n2020-01-03,AAA,1,2\n",
        "{path}: its header has 3 names, but most rows have 4 cells; name every column, or remove the other cells",
    ),
    Case(
        "a cell of five million letters",
        GOOD.replace("AAA,10\n", f"AAA,{'x' * 5_000_000}\n", 1),
        f"line 2 of {{path}} (2020-01-02, AAA): close '{'x' * 97}...{'x' * 98}' is not a number; write 1234.5 and leave missing cells empty",
    ),
    Case("missing file", None, "{path}: there is no such file; correct the path"),
    Case(
        "missing folder",
        None,
        "{path}: there is no folder {folder}/nowhere; correct the path",
        file="nowhere/prices.csv",
    ),
    Case(
        "unsupported extension",
        "x",
        "{path}: a workbook is not read: save it as CSV, or after pip install openpyxl in Python (import pandas as pd) pd.read_excel('{path}').to_parquet('{folder}/prices_long.parquet')",
        file="prices.xlsx",
    ),
    Case("empty file", "", "{path}: the file is empty; add a header and rows"),
    Case("header only", "date,symbol,close\n", "{path}: the table has no rows; provide some"),
    Case(
        "unreadable Parquet",
        b"not parquet",
        "{path}: not readable as a Parquet file: …",
        file="prices.parquet",
    ),
    Case(
        "not text",
        b"date,symbol,close\n2020-01-02,\xff\xfe,1\n",
        "{path}: the encoding is cp1252, not UTF-8: run foldproof init {path}, or in Python (import pandas as pd) pd.read_csv('{path}', encoding='cp1252', converters={{'symbol': str}}).to_csv('{folder}/prices_long.csv', index=False)",
    ),
    Case(
        "ragged CSV",
        GOOD + "2020-01-10,AAA,1,2,3\n",
        "{path}: not readable as a CSV file in UTF-8: …",
    ),
    Case(
        "missing column",
        GOOD.replace("symbol", "Symbol "),
        "{path}: no column 'symbol' (columns.symbol); did you mean 'Symbol '? There are date, Symbol , close",
    ),
    Case(
        "misspelt price",
        GOOD.replace("close", "clsoe"),
        "{path}: no column 'close' (columns.price); did you mean clsoe? There are date, symbol, clsoe",
    ),
    Case(
        "wide table",
        "date,AAA,BBB\n2020-01-02,1,2\n",
        "{path}: it is wide, with a column for each of 2 symbols (AAA, BBB): run foldproof init {path}, or in Python (import pandas as pd) pd.read_csv('{path}').melt(id_vars='date', var_name='symbol', value_name='close').dropna().to_csv('{folder}/prices_long.csv', index=False)",
    ),
    Case(
        "no column of symbols",
        "date,f,g\n2020-01-02,1,-2\n",
        "{path}: it is wide, with negative numbers: columns such as 'f' hold returns or yields, not prices; make prices of them, such as (1 + returns).cumprod()",
    ),
    Case(
        "semicolons, decimal commas, dates of Germany",
        "Datum;WKN;Kurs\n31.01.2020;AAA;1,5\n03.02.2020;AAA;1,6\n",
        "{path}: cells are separated by semicolons; the decimal sign is a comma (1,5); dates are written like 31.12.2020: run foldproof init {path}, or in Python (import pandas as pd) pd.read_csv('{path}', sep=';', decimal=',', parse_dates=['Datum'], date_format='%d.%m.%Y', converters={{'WKN': str}}).to_csv('{folder}/prices_long.csv', index=False)",
    ),
    Case(
        "two header lines of yfinance",
        "Price,Close,Close\nTicker,AAA,BBB\nDate,,\n2020-01-02,1,2\n2020-01-03,1,2\n",
        "{path}: its header has two lines, fields (Close) and symbols (AAA, BBB), so it is not a long table: run foldproof init {path}, or in Python (import pandas as pd) pd.read_csv('{path}', header=[0, 1], index_col=0).stack(level=1).rename_axis(index=['date', 'symbol'], columns=None).reset_index().to_csv('{folder}/prices_long.csv', index=False)",
    ),
    Case(
        "one stock without a column of symbols",
        "Date,Open,Close,Volume\n2020-01-02,1,2,3\n2020-01-03,1,2,3\n",
        "{path}: it holds one symbol, and no column names it; put a file for each symbol in one folder, named as the symbol, and run foldproof init FOLDER",
    ),
    Case(
        "line of a vendor before the header",
        "# vendor\n" + GOOD,
        "{path}: line 1 is not part of the table ('# vendor'): run foldproof init {path}, or in Python (import pandas as pd) pd.read_csv('{path}', skiprows=1, converters={{'symbol': str}}).to_csv('{folder}/prices_long.csv', index=False)",
    ),
    Case(
        "duplicate column",
        "date,symbol,close,member,member\n2020-01-02,A,1,1,1\n",
        "{path}: duplicate column 'member'; rename one of them",
    ),
    Case(
        "unparseable date",
        GOOD.replace("2020-01-06,BBB", "06/01/2020,BBB"),
        "line 7 of {path} (BBB): date '06/01/2020' is not an ISO date; write 2020-01-31",
    ),
    Case(
        "missing date",
        GOOD.replace("2020-01-06,BBB", ",BBB"),
        "line 7 of {path} (BBB): date is missing; every row needs a trading day",
    ),
    Case(
        "date of another calendar",
        GOOD.replace("2020-01-06,BBB", "2020-02-30,BBB"),
        "line 7 of {path} (BBB): date '2020-02-30' is not an ISO date; write 2020-01-31",
    ),
    Case(
        "mixed time zones",
        GOOD.replace("2020-01-06", "2020-01-06T00:00+01:00"),
        "line 6 of {path} (AAA): date '2020-01-06T00:00+01:00' has another time zone than the first row; write plain trading days as 2020-01-31 (2 such rows)",
    ),
    Case(
        "future date",
        GOOD.replace("2020-01-09", "2120-01-09"),
        "line 12 of {path} (2120-01-09, AAA): date '2120-01-09' is in the future (today is 2026-01-01); correct it or remove the row (2 such rows)",
    ),
    Case(
        "missing symbol",
        GOOD.replace("2020-01-06,BBB", "2020-01-06,"),
        "line 7 of {path} (2020-01-06): symbol is missing; every row needs a symbol",
    ),
    Case(
        "invisible character in a symbol",
        GOOD.replace("2020-01-06,BBB", "2020-01-06,BBB\u200b"),
        "line 7 of {path} (2020-01-06, BBB\\u200b): symbol 'BBB\\u200b' holds an invisible character, so it would be another symbol; remove the character",
    ),
    Case(
        "invisible character in a column name",
        GOOD.replace("close", "close\u200b"),
        "{path}: no column 'close' (columns.price); did you mean close\\u200b? There are date, symbol, close\\u200b",
    ),
    Case(
        "blank lines before the bad cell",
        GOOD.replace("2020-01-03,AAA", "\n   \n2020-01-03,AAA").replace("BBB,22", "BBB,n.v."),
        "line 9 of {path} (2020-01-06, BBB): close 'n.v.' is not a number; write 1234.5 and leave missing cells empty",
    ),
    Case(
        "line breaks in quotes before the bad cell",
        table(note=['"a\nb\n\nc"', *["x"] * 11]).replace("BBB,22", "BBB,n.v."),
        "line 10 of {path} (2020-01-06, BBB): close 'n.v.' is not a number; write 1234.5 and leave missing cells empty",
    ),
    Case(
        "volume of zero in every row",
        table(volume=[0] * 12),
        "{path}: column 'volume' is 0 in every row; set columns.volume: null, or fill it",
        columns={"volume": "volume"},
    ),
    Case(
        "duplicate row",
        GOOD + ROWS[4] + "\n" + ROWS[5] + "\n",
        "line 14 of {path} (2020-01-06, AAA): symbol 'AAA' is a duplicate on that date; keep one row per date and symbol (2 such rows)",
    ),
    Case(
        "price is not a number",
        GOOD.replace("2020-01-06,BBB,22", "2020-01-06,BBB,n.v."),
        "line 7 of {path} (2020-01-06, BBB): close 'n.v.' is not a number; write 1234.5 and leave missing cells empty",
    ),
    Case(
        "decimal comma",
        GOOD.replace("2020-01-06,BBB,22", '2020-01-06,BBB,"22,5"'),
        "line 7 of {path} (2020-01-06, BBB): close '22,5' is not a number; write 1234.5 and leave missing cells empty",
    ),
    Case(
        "price of zero",
        GOOD.replace("2020-01-06,BBB,22", "2020-01-06,BBB,0"),
        "line 7 of {path} (2020-01-06, BBB): close '0.0' is not positive; correct it or leave the cell empty",
    ),
    Case(
        "negative price",
        GOOD.replace("2020-01-06,BBB,22", "2020-01-06,BBB,-22"),
        "line 7 of {path} (2020-01-06, BBB): close '-22.0' is not positive; correct it or leave the cell empty",
    ),
    Case(
        "a price beyond the largest number of a panel",
        GOOD.replace("2020-01-06,BBB,22", "2020-01-06,BBB,22e300"),
        "line 7 of {path} (2020-01-06, BBB): close '2.2e+301' is beyond 3.4e+38, the largest number of a panel; rescale the column",
    ),
    Case(
        "infinite price",
        GOOD.replace("2020-01-06,BBB,22", "2020-01-06,BBB,inf"),
        "line 7 of {path} (2020-01-06, BBB): close 'inf' is infinite; correct it or leave the cell empty",
    ),
    Case(
        "negative volume",
        table(shares=[5, -1, *range(10)]),
        "line 3 of {path} (2020-01-02, BBB): shares '-1.0' is negative; correct it or leave the cell empty",
        columns={"volume": "shares"},
    ),
    Case(
        "infinite feature",
        table(f=["-inf", *TEN]),
        "line 2 of {path} (2020-01-02, AAA): f '-inf' is infinite; correct it or leave the cell empty",
        **READY,
    ),
    Case(
        "feature with text",
        table(f=["high", *TEN]),
        "line 2 of {path} (2020-01-02, AAA): f 'high' is not a number; write 1234.5 and leave missing cells empty",
        **READY,
    ),
    Case(
        "named feature is empty",
        table(f=[""] * 12),
        "{path}: column 'f' is empty; fill it or use another column",
        columns={"features": ("f",)},
        **READY,
    ),
    Case(
        "price column is empty",
        "\n".join(
            ["date,symbol,close,f", *(f"{r.rsplit(',', 1)[0]},,{k}" for k, r in enumerate(ROWS))]
        ),
        "{path}: column 'close' is empty; fill it or use another column",
        **READY,
    ),
    Case(
        "no ready features",
        GOOD,
        "{path}: there is no ready-made feature, which is a numeric column without a role whose values vary; add one, set features: price, or name your own function",
        **READY,
    ),
    Case(
        "all features constant",
        table(f=[1] * 12),
        "{path}: there is no ready-made feature, which is a numeric column without a role whose values vary; add one, set features: price, or name your own function",
        **READY,
    ),
    Case(
        "column named like a role",
        table(volume=range(12)),
        "{path}: column 'volume' has the name of a role but no role; set columns.volume to 'volume', or rename the column",
        **READY,
    ),
    Case(
        "membership is not true or false",
        table(member=["yes", *[1] * 11]),
        "line 2 of {path} (2020-01-02, AAA): member 'yes' is not true or false; write true, false, 1 or 0",
        columns={"member": "member"},
    ),
    Case(
        "knowledge time is missing",
        table(known=["", *["2020-01-02"] * 11]),
        "line 2 of {path} (2020-01-02, AAA): known is missing; enter when the row became known",
        columns={"known": "known"},
    ),
    Case(
        "all known too late",
        table(known=["2021-01-02"] * 12),
        "{path}: every row became known after the last date, 2020-01-09; check columns.known",
        columns={"known": "known"},
    ),
    Case(
        "label known at once",
        table(y=range(12), end=[r[:10] for r in ROWS], f=range(12)),
        "line 2 of {path} (2020-01-02, AAA): end '2020-01-02' is not after the row's date: this target would already be known (12 such rows)",
        **LABELS,
        **READY,
    ),
    Case(
        "label without an end",
        table(y=range(12), end=["", *["2020-02-01"] * 11], f=range(12)),
        "line 2 of {path} (2020-01-02, AAA): end is missing; enter when the target becomes known, or leave the target empty",
        **LABELS,
        **READY,
    ),
    Case(
        "no row in the range",
        GOOD,
        "{path}: no row from 2021-01-01 to the last date; the rows run from 2020-01-02 to 2020-01-09",
        settings={"start": date(2021, 1, 1)},
    ),
    Case(
        "too little history",
        GOOD,
        "{path}: none of 2 symbols has 252 observed rows (min_history); the longest has 6: lower min_history or provide more history",
        settings={"min_history": 252},
    ),
    Case(
        "shorter than the look-back",
        GOOD,
        "{path}: feature 'return_21' has no value on any of 6 dates; its look-back may exceed the history, or a gap interrupts it",
    ),
    Case(
        "shorter than the horizon",
        table(f=range(12)),
        "{path}: 6 dates are too few for a horizon of 5, which needs 7: shorten target.horizon or provide more history",
        **READY,
    ),
    Case(
        "missing database",
        None,
        "{path}: there is no such file; correct the path",
        file="prices.db",
        query="select * from prices",
    ),
    Case(
        "query of a missing column",
        GOOD,
        "line 3 of the query on sqlite:///{path}: no such column: clsoe",
        file="prices.db",
        query="select date,\n  symbol,\n  clsoe as close\nfrom prices",
    ),
    Case(
        "query of a missing table",
        GOOD,
        "line 1 of the query on sqlite:///{path}: no such table: price",
        file="prices.db",
        query="select * from price",
    ),
    Case(
        "query that changes data",
        GOOD,
        'line 1 of the query on sqlite:///{path}: near "delete": syntax error',
        file="prices.db",
        query="with gone as (delete from prices returning *) select * from gone",
    ),
    Case(
        "query without a role",
        GOOD,
        "the query on sqlite:///{path}: no column 'close' (columns.price); the table must be long, with one row per date and symbol. There are date, symbol",
        file="prices.db",
        query="select date, symbol from prices",
    ),
    Case(
        "query without rows",
        GOOD,
        "the query on sqlite:///{path}: the table has no rows; provide some",
        file="prices.db",
        query="select * from prices where close < 0",
    ),
    Case(
        "bad cell of a query",
        GOOD.replace("2020-01-06,BBB,22", "2020-01-06,BBB,n.v."),
        "row 6 of the query on sqlite:///{path} (2020-01-06, BBB): close 'n.v.' is not a number; write 1234.5 and leave missing cells empty",
        file="prices.db",
        query="select * from prices",
    ),
]

SHUFFLED = "\n".join(["date,symbol,close", *ROWS[::-1]]) + "\n"
KNOWN = {"columns": {"known": "known"}}
CARRIED = [
    f"{row.rsplit(',', 1)[0]},10,0" if "AAA" in row and k else f"{row},5"
    for k, row in enumerate(ROWS)
]
"""AAA has its first price and no volume from its second date on."""
WARNED = [
    Case(
        "adjusted close beside the price",
        table(**{"Adj Close": range(1, 13)}),
        "close is the price although there is a column 'Adj Close': if close is not adjusted for splits and dividends, set columns.price to 'Adj Close'",
    ),
    Case(
        "jump of a price",
        GOOD.replace("2020-01-08,BBB,24", "2020-01-08,BBB,2400"),
        "2 prices differ from the symbol's previous price by a factor of 2.5 or more, or of about 2: BBB x104 on 2020-01-08, BBB x0.0104 on 2020-01-09: a split, another unit or a reused symbol looks like this; use adjusted prices, or raise data.checks.max_jump if they are right",
    ),
    Case(
        "code for a missing value",
        table(shares=[7, 5, 99999, *range(1, 10)]),
        "shares is 99999 in 1 rows, first AAA on 2020-01-03: if this is a code for a missing value, leave these cells empty",
        columns={"volume": "shares"},
    ),
    Case(
        "prices carried after a delisting",
        "\n".join(["date,symbol,close,volume", *CARRIED]) + "\n",
        "1 symbols repeat a price on more than 3 dates in a row without volume: AAA 10 on 5 dates from 2020-01-03 to 2020-01-09: if they were delisted or halted, remove these rows; if not, raise data.checks.max_stale",
        columns={"volume": "volume"},
        settings={"checks": ChecksSpec(max_jump=None, max_stale=3)},
    ),
    Case(
        "row on a Saturday",
        GOOD + "2020-01-11,AAA,17\n",
        "rows on Saturdays or Sundays: 1, of AAA, on 1 dates, first 2020-01-11: remove them, or set data.checks.min_quoted if the other symbols do not trade then",
    ),
    Case(
        "dates of one symbol are dropped on request",
        GOOD.replace("2020-01-06,AAA,12\n", ""),
        "dropped 1 rows on 1 dates, first 2020-01-06, on which less than 90% of the listed symbols have a price (data.checks.min_quoted)",
        settings={"checks": ChecksSpec(min_quoted=0.9)},
    ),
    Case(
        "monthly table",
        GOOD.replace("2020-01-0", "2019-0")
        .replace("2019-02", "2019-02-01")
        .replace("2019-03", "2019-03-01")
        .replace("2019-06", "2019-06-03")
        .replace("2019-07", "2019-07-01")
        .replace("2019-08", "2019-08-01")
        .replace("2019-09", "2019-09-02"),
        "dates are 31 days apart at the median: horizon, window and look-backs count these dates, not trading days",
    ),
    Case(
        "offsets of summer and winter",
        GOOD.replace(",AAA", "T16:00-05:00,AAA")
        .replace(",BBB", "T16:00-05:00,BBB")
        .replace("2020-01-09T16:00-05:00", "2020-03-09T16:00-04:00"),
        "date: dropped the UTC offsets -04:00, -05:00 and kept the local days; date: dropped the time of day in every row",
    ),
    Case("unsorted", SHUFFLED, "10 rows came after a later row of their symbol: sorted"),
    Case(
        "time zone",
        GOOD.replace(",AAA", "T00:00+01:00,AAA").replace(",BBB", "T00:00+01:00,BBB"),
        "date: dropped time zone UTC+01:00 and kept its local days",
    ),
    Case(
        "time of day",
        GOOD.replace("2020-01-06", "2020-01-06 16:00"),
        "date: dropped the time of day in 2 rows",
    ),
    Case(
        "short history",
        GOOD + "2020-01-09,CCC,1\n",
        "dropped 1 symbols with fewer than 3 observed rows: CCC",
        settings={"min_history": 3},
    ),
    Case(
        "known later",
        table(known=[*["2020-01-04"] * 4, *[r[:10] for r in ROWS[4:]]]),
        "4 rows became known after their date and count from the next trading date on; 4 of them were replaced by a newer row by then, 0 became known after the last date",
        **KNOWN,
    ),
    Case(
        "constant feature",
        table(f=range(12), g=[1] * 12),
        "left 1 constant columns out of the features: g",
        **READY,
    ),
    Case(
        "empty feature",
        table(f=range(12), g=[""] * 12),
        "left 1 empty columns out of the features: g",
        **READY,
    ),
    Case(
        "text beside features",
        table(f=range(12), sector=["tech"] * 12),
        "left column 'sector' out of the features: it holds text",
        **READY,
    ),
    Case(
        "index column",
        "\n".join(
            f"{'' if k == 0 else k},{line}"
            for k, line in enumerate(table(f=range(12)).splitlines())
        ),
        "left out a column without a name",
        **READY,
    ),
]
