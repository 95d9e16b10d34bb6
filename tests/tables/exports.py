"""Tables as vendors, brokers, spreadsheets and libraries write them, made small by code.

One mapping: name -> how the table is written, and what must become of it. READ is read as it is,
CONVERTED is refused with its cause and with a line of Python that mends it, REFUSED holds no panel.
"""

import io
import json
import sqlite3
import zipfile
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tests.tables.market import DAYS, MARKET, SYMBOLS

Write = Callable[[Path], None]


@dataclass(frozen=True)
class Export:
    """A table in a file.

    Attributes:
        file: Its name.
        write: Writes it to a path.
        says: Pattern of the cause that the message names, or of a warning.
        columns: Settings of data.columns with which it is read; empty for the defaults.
        symbols: Symbol of the market -> its name in the table.
        query: The query that reads it, on a database.
        volume: Whether the panel has the volume.
    """

    file: str
    write: Write
    says: str = ""
    columns: Mapping[str, Any] = field(default_factory=dict)
    symbols: Mapping[str, str] | None = None
    query: str | None = None
    volume: bool = True


def long(**names: str) -> pd.DataFrame:
    """The market with columns renamed."""
    return MARKET.rename(columns=names)


def dated(pattern: str, **names: str) -> pd.DataFrame:
    """The market with dates written by a pattern."""
    return long().assign(date=MARKET["date"].dt.strftime(pattern)).rename(columns=names)


def named(symbols: Mapping[str, str], **names: str) -> pd.DataFrame:
    """The market with other symbols."""
    return long().assign(symbol=MARKET["symbol"].map(symbols)).rename(columns=names)


def wide(value: str = "close") -> pd.DataFrame:
    """A column per symbol."""
    return MARKET.pivot(index="date", columns="symbol", values=value)


def csv(frame: pd.DataFrame, before: str = "", after: str = "", **how: Any) -> Write:
    """A text file, with text around the table."""

    def write(path: Path) -> None:
        encoding = how.get("encoding", "utf-8")
        options = {"index": False} | {k: v for k, v in how.items() if k != "encoding"}
        text = before + frame.to_csv(**options) + after
        path.write_bytes(text.encode(encoding))

    return write


def parquet(frame: pd.DataFrame, **how: Any) -> Write:
    """A Parquet file."""
    return lambda path: frame.to_parquet(path, **how)


def text(content: str | bytes) -> Write:
    """A file with this content."""
    content = content.encode() if isinstance(content, str) else content
    return lambda path: path.write_bytes(content)  # type: ignore[return-value]


def each(
    make: Callable[[pd.DataFrame], pd.DataFrame], suffix: str = ".csv",
    name: Callable[[str], str] = str, **how: Any,
) -> Write:  # fmt: skip
    """A folder with a file for each symbol."""

    def write(path: Path) -> None:
        path.mkdir()
        for symbol in SYMBOLS:
            one = make(MARKET[MARKET["symbol"] == symbol].drop(columns="symbol"))
            csv(one, **how)(path / f"{name(symbol)}{suffix}")

    return write


def levels(first: str, **how: Any) -> pd.DataFrame:
    """yfinance's download of several tickers: fields and tickers as two levels of columns."""
    fields = {"close": "Close", "high": "High", "low": "Low", "open": "Open", "volume": "Volume"}
    frame = long(**fields).pivot(index="date", columns="symbol", values=[*fields.values()])
    frame.columns.names = ["Price", "Ticker"]
    frame.index.name = "Date"
    return frame if first == "field" else frame.swaplevel(axis=1).sort_index(axis=1)


def archive(names: list[str]) -> bytes:
    """A zip archive with the market under each name."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        for name in names:
            packed.writestr(name, long().to_csv(index=False))
    return buffer.getvalue()


def in_sqlite(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        long().assign(date=MARKET["date"].dt.strftime("%Y-%m-%d")).to_sql(
            "prices", connection, index=False
        )


def in_duckdb(path: Path) -> None:
    import duckdb

    rows = long()
    with duckdb.connect(str(path)) as connection:
        connection.register("rows", rows)
        connection.execute("create table prices as select * from rows")


def binance(one: pd.DataFrame) -> pd.DataFrame:
    """Klines without a header, open times in milliseconds."""
    start = (one["date"] - pd.Timestamp(0)) // pd.Timedelta(milliseconds=1)
    kept = one[["open", "high", "low", "close", "volume"]]
    kept.insert(0, "t", start)
    return kept.assign(end=start + 86_399_999, quote=1e6, trades=100, buy=1.0, sell=2.0, ignore=0)


def investing(one: pd.DataFrame) -> pd.DataFrame:
    """Newest first, months in letters, volumes such as 1.25M."""
    return pd.DataFrame({
        "Date": one["date"].dt.strftime("%b %d, %Y"), "Price": one["close"].map("{:,.2f}".format),
        "Open": one["open"].map("{:,.2f}".format), "High": one["high"].map("{:,.2f}".format),
        "Low": one["low"].map("{:,.2f}".format),
        "Vol.": (one["volume"] / 1e6).map("{:.2f}M".format),
        "Change %": "0.5%",
    })[::-1]  # fmt: skip


def nasdaq(one: pd.DataFrame) -> pd.DataFrame:
    """nasdaq.com: dollars, newest first."""
    return pd.DataFrame({
        "Date": one["date"].dt.strftime("%m/%d/%Y"),
        "Close/Last": one["close"].map("${:.2f}".format),
        "Volume": one["volume"], "Open": one["open"].map("${:.2f}".format),
    })[::-1]  # fmt: skip


def split_adjusted(price: str, factor: str, name: str) -> pd.DataFrame:
    """Raw closes before a 2-for-1 split of AAA on the tenth day, with the factor of the vendor."""
    frame = MARKET.assign(**{factor: 1.0})
    before = (frame["symbol"] == "AAA") & (frame["date"] < DAYS[10])
    frame.loc[before, "close"] *= 2
    frame.loc[before, factor] = 2.0 if name == "divide" else 0.5
    return frame.rename(columns={"close": price})


def crsp() -> pd.DataFrame:
    """PERMNO, negative means of bid and ask, cumulative factors."""
    frame = split_adjusted("PRC", "CFACPR", "divide").rename(columns={"volume": "VOL"})
    frame.loc[frame.index % 7 == 3, "PRC"] *= -1
    permno = dict(zip(SYMBOLS, (10001, 10002, 14593, 93436), strict=True))
    return frame.assign(PERMNO=frame["symbol"].map(permno))[
        ["PERMNO", "date", "symbol", "PRC", "VOL", "CFACPR"]
    ].rename(columns={"symbol": "TICKER"})


PERMNO = {"AAA": "10001", "BBB": "10002", "CCC": "14593", "DDD": "93436"}
SHANGHAI = {"AAA": "000001", "BBB": "000002", "CCC": "600000", "DDD": "600519"}
TS_CODE = {name: f"{code}.{'SH' if code[0] == '6' else 'SZ'}" for name, code in SHANGHAI.items()}
BAOSTOCK = {name: f"{'sh' if code[0] == '6' else 'sz'}.{code}" for name, code in SHANGHAI.items()}
BLOOMBERG = {name: f"{name} US Equity" for name in SYMBOLS}
STOOQ = {name: f"{name.lower()}.us" for name in SYMBOLS}
STOOQ_BULK = {name: f"{name}.US" for name in SYMBOLS}
CHINESE = {
    "date": "日期", "symbol": "股票代码", "open": "开盘", "close": "收盘", "high": "最高",
    "low": "最低", "volume": "成交量",
}  # fmt: skip
GERMAN = {
    "date": "Datum", "symbol": "WKN", "open": "Eröffnung", "close": "Schlusskurs", "high": "Hoch",
    "low": "Tief", "volume": "Stück",
}  # fmt: skip
FRENCH = {
    "date": "Date", "symbol": "Valeur", "open": "Ouverture", "close": "Clôture",
    "high": "Plus haut", "low": "Plus bas", "volume": "Volume",
}  # fmt: skip
TITLES = {"date": "Date", "open": "Open", "high": "High", "low": "Low", "close": "Close",
          "volume": "Volume"}  # fmt: skip
VOLUME = {"volume": "volume"}


def comma(frame: pd.DataFrame, thousands: str = "") -> pd.DataFrame:
    """Prices with a decimal comma and a sign between thousands."""

    def written(value: float) -> str:
        return f"{value:,.2f}".replace(",", "~").replace(".", ",").replace("~", thousands)

    prices = [name for name in frame if frame[name].dtype.kind == "f"]
    return frame.assign(**{name: frame[name].map(written) for name in prices})


def stooq(one: pd.DataFrame) -> pd.DataFrame:
    """Stooq's daily text files."""
    return pd.DataFrame({
        "<TICKER>": "X.US", "<PER>": "D", "<DATE>": one["date"].dt.strftime("%Y%m%d"),
        "<TIME>": "000000", "<OPEN>": one["open"], "<HIGH>": one["high"], "<LOW>": one["low"],
        "<CLOSE>": one["close"], "<VOL>": one["volume"], "<OPENINT>": 0,
    })  # fmt: skip


def stooq_bulk() -> pd.DataFrame:
    return stooq(MARKET).assign(**{"<TICKER>": MARKET["symbol"].map(STOOQ_BULK)})


def arrow_dates(path: Path) -> None:
    """Arrow's own types: date32, large strings in a dictionary, decimals."""
    table = pa.table({
        "date": pa.array(MARKET["date"].dt.date, pa.date32()),
        "symbol": pa.array(MARKET["symbol"], pa.large_string()).dictionary_encode(),
        "close": pa.array(MARKET["close"].map(lambda x: f"{x:.2f}")).cast(pa.decimal128(12, 2)),
        "volume": pa.array(MARKET["volume"], pa.uint32()),
    })  # fmt: skip
    pq.write_table(table, path)


def with_holes(frame: pd.DataFrame, code: str) -> pd.DataFrame:
    """A wide table with one more date on which every cell is missing."""
    hole = pd.DataFrame([[code] * frame.shape[1]], columns=frame.columns)
    hole.index = pd.Index([DAYS[-1] + pd.Timedelta(days=3)], name=frame.index.name)
    return pd.concat([frame.astype(object), hole])


READ: Mapping[str, Export] = MappingProxyType({
    "plain CSV": Export("p.csv", csv(long()), columns=VOLUME),
    "plain Parquet": Export("p.parquet", parquet(long()), columns=VOLUME),
    "Parquet with a named index": Export(
        "p.parquet", parquet(long().set_index(["date", "symbol"])), columns=VOLUME
    ),
    "Parquet with Arrow's types": Export("p.parquet", arrow_dates, columns=VOLUME),
    "Parquet with midnights of New York": Export(
        "p.parquet", parquet(long().assign(date=MARKET["date"].dt.tz_localize("America/New_York"))),
        "dropped time zone America/New_York", VOLUME,
    ),
    "Kaggle, S&P 500, five years": Export(
        "all_stocks_5yr.csv", csv(long(symbol="Name")), columns={"symbol": "Name"} | VOLUME
    ),
    "Sharadar SEP": Export(
        "SEP.csv",
        csv(long(symbol="ticker", close="closeadj").assign(close=7.0, closeunadj=7.0,
                                                           lastupdated="2024-01-01")),
        columns={"symbol": "ticker", "price": "closeadj"} | VOLUME,
    ),
    "Quandl WIKI": Export(
        "WIKI_PRICES.csv",
        csv(long(symbol="ticker", close="adj_close", volume="adj_volume").assign(close=9.0)),
        columns={"symbol": "ticker", "price": "adj_close", "volume": "adj_volume"},
    ),
    "raw close beside an adjusted one": Export(
        "p.csv", csv(long().assign(**{"Adj Close": MARKET["close"]})),
        "there is a column 'Adj Close'", VOLUME,
    ),
    "Tiingo": Export(
        "tiingo.csv",
        csv(dated("%Y-%m-%dT00:00:00+00:00", close="adjClose").assign(close=1.0)),
        "dropped time zone UTC", {"price": "adjClose"} | VOLUME,
    ),
    "Stooq, bulk file": Export(
        "stooq.csv", csv(stooq_bulk()),
        columns={"date": "<DATE>", "symbol": "<TICKER>", "price": "<CLOSE>", "volume": "<VOL>"},
        symbols=STOOQ_BULK,
    ),
    "Tushare, adjusted, newest first": Export(
        "daily.csv",
        csv(named(TS_CODE).assign(date=MARKET["date"].dt.strftime("%Y%m%d"))[::-1]
            .rename(columns={"symbol": "ts_code", "date": "trade_date", "volume": "vol"})),
        "sorted", {"date": "trade_date", "symbol": "ts_code", "volume": "vol"}, TS_CODE,
    ),
    "AKShare": Export(
        "akshare.csv", csv(named(SHANGHAI).rename(columns=CHINESE)),
        columns={"date": "日期", "symbol": "股票代码", "price": "收盘", "volume": "成交量"},
        symbols=SHANGHAI,
    ),
    "BaoStock": Export(
        "baostock.csv", csv(named(BAOSTOCK, symbol="code").assign(adjustflag=3, isST=0)),
        columns={"symbol": "code"} | VOLUME, symbols=BAOSTOCK,
    ),
    "EOD Historical Data, bulk": Export(
        "eod.csv",
        csv(long(symbol="Code", date="Date", close="Adjusted_close").assign(Ex="US", Close=3.0)),
        columns={"symbol": "Code", "date": "Date", "price": "Adjusted_close"} | VOLUME,
    ),
    "Refinitiv": Export(
        "refinitiv.csv",
        csv(dated("%Y-%m-%dT00:00:00Z", symbol="Instrument", date="Date", close="Price Close",
                  volume="Volume")),
        "dropped time zone UTC",
        {"symbol": "Instrument", "date": "Date", "price": "Price Close", "volume": "Volume"},
    ),
    "Qlib": Export(
        "qlib.csv",
        csv(long(date="datetime", symbol="instrument", close="$close", volume="$volume")
            .assign(**{"$factor": 0.5})),
        columns={"date": "datetime", "symbol": "instrument", "price": "$close",
                 "volume": "$volume"},
    ),
    "yahooquery": Export(
        "history.csv", csv(long(close="adjclose").assign(close=4.0)),
        columns={"price": "adjclose"} | VOLUME,
    ),
    "CSV with a byte order mark": Export(
        "p.csv", csv(long(), encoding="utf-8-sig"), columns=VOLUME
    ),
    "CSV with lines of Windows": Export(
        "p.csv", csv(long(), lineterminator="\r\n"), columns=VOLUME
    ),
    "CSV with an index": Export(
        "p.csv", csv(long(), index=True), "left out a column without a name", VOLUME
    ),
    "CSV with every cell quoted": Export("p.csv", csv(long(), quoting=1), columns=VOLUME),
    "CSV with slashes in ISO dates": Export("p.csv", csv(dated("%Y/%m/%d")), columns=VOLUME),
    "CSV with the time of the close": Export(
        "p.csv", csv(dated("%Y-%m-%d 16:00:00")), "dropped the time of day in every row", VOLUME
    ),
    "CSV with empty lines": Export(
        "p.csv", csv(long(), lineterminator="\n\n"), columns=VOLUME
    ),
    "PERMNO as floats": Export(
        "crsp.parquet",
        parquet(named(PERMNO).astype({"symbol": float})), columns=VOLUME, symbols=PERMNO,
    ),
    "SQLite": Export("p.db", in_sqlite, columns=VOLUME, query="select * from prices"),
    "DuckDB": Export("p.duckdb", in_duckdb, columns=VOLUME, query="from prices"),
    "DuckDB over a partitioned folder": Export(
        "p", parquet(long(), partition_cols=["symbol"]), columns=VOLUME,
        query="select * from read_parquet('{path}/*/*.parquet', hive_partitioning = true)",
    ),
})  # fmt: skip

CONVERTED: Mapping[str, Export] = MappingProxyType({
    "Excel in German": Export(
        "kurse.csv", csv(comma(dated("%d.%m.%Y"), ".").rename(columns=GERMAN), sep=";"),
        r"separated by semicolons; the decimal sign is a comma .*; thousands are separated .*; "
        r"dates are written like 31\.12\.2020",
    ),
    "Excel in French": Export(
        "cours.csv",
        csv(comma(dated("%d/%m/%Y"), "\xa0").rename(columns=FRENCH), sep=";", encoding="cp1252"),
        r"encoding is cp1252.*semicolons.*comma.*thousands.*31/12/2020",
    ),
    "Excel in Switzerland": Export(
        "kurse.csv",
        csv(dated("%d.%m.%y").drop(columns=["open", "high", "low"]).assign(
            close=MARKET["close"].map("{:,.2f}".format).str.replace(",", "'")), sep=";"),
        r"semicolons; thousands are separated \(1'\d{3}\.\d\d\); dates are written like 31\.12\.20",
    ),
    "Excel as Unicode text": Export(
        "prices.txt", csv(long(), sep="\t", encoding="utf-16"), "encoding is utf-16.*tabs"
    ),
    "tabs": Export("prices.tsv", csv(long(), sep="\t"), "separated by tabs"),
    "vertical bars": Export("prices.csv", csv(long(), sep="|"), "separated by vertical bars"),
    "blanks": Export(
        "prices.txt", text(long().assign(date=MARKET["date"].dt.strftime("%Y-%m-%d"))
                           .to_string(index=False) + "\n"),
        "separated by blanks",
    ),
    "semicolons with decimal points": Export(
        "prices.csv", csv(long(), sep=";"), "separated by semicolons"
    ),
    "dates of the United States": Export(
        "prices.csv", csv(dated("%m/%d/%Y")), "dates are written like 12/31/2020"
    ),
    "NSE India": Export(
        "bhavcopy.csv", csv(dated("%d-%b-%Y", symbol="SYMBOL", date="TIMESTAMP", close="CLOSE")),
        "dates are written like 31-Dec-2020",
    ),
    "SAS dates": Export(
        "wrds.csv", csv(dated("%d%b%Y")), "dates are written like 31Dec2020"
    ),
    "Interactive Brokers": Export(
        "ib.csv", csv(dated("%Y%m%d  16:00:00")), "dates are written like 20201231 00:00:00"
    ),
    "spreadsheet's day numbers": Export(
        "prices.csv",
        csv(long().assign(date=(MARKET["date"] - pd.Timestamp("1899-12-30")).dt.days)),
        "dates are a spreadsheet's day numbers",
    ),
    "seconds since 1970": Export(
        "prices.csv",
        csv(long().assign(date=(MARKET["date"] - pd.Timestamp(0)) // pd.Timedelta(seconds=1))),
        "dates are seconds since 1970",
    ),
    "Polygon flat file": Export(
        "day_aggs.csv.gz",
        lambda path: long(symbol="ticker").assign(
            date=(MARKET["date"] - pd.Timestamp(0)) // pd.Timedelta(nanoseconds=1)
        ).rename(columns={"date": "window_start"}).to_csv(path, index=False),
        r"it is a \.gz file; dates are nanoseconds since 1970",
    ),
    "lines of a vendor before the header": Export(
        "prices.csv", csv(long(), before="# source: vendor\n# all rights reserved\n\n"),
        r"lines 1 to 3 are not part of the table \('# source: vendor'\)",
    ),
    "title line with commas": Export(
        "prices.csv", csv(long(), before="Daily prices, adjusted\n"),
        "line 1 is not part of the table",
    ),
    "total at the end": Export(
        "prices.csv", csv(long(), after="\nCopyright of the vendor\n"),
        r"lines from 123 on are not part of the table \('Copyright of the vendor'\)",
    ),
    "no header": Export(
        "prices.csv",
        csv(long()[["symbol", "date", "open", "high", "low", "close", "volume"]], header=False),
        "there is no header; its columns are taken as symbol, date, open, high, low, close, volume",
    ),
    "wide CSV": Export(
        "wide.csv", csv(wide(), index=True), r"it is wide, with a column for each of 4 symbols",
        volume=False,
    ),
    "wide Parquet": Export(
        "wide.parquet", parquet(wide().rename_axis(columns=None)), "it is wide", volume=False
    ),
    "wide Parquet, index without a name": Export(
        "wide.parquet", parquet(wide().rename_axis(index=None, columns=None)),
        "unnamed index; it is wide", volume=False,
    ),
    "Bloomberg": Export(
        "bdh.csv",
        csv(with_holes(wide().rename(columns=BLOOMBERG), "#N/A N/A")
            .set_axis([f"{day:%m/%d/%Y}" for day in [*DAYS, DAYS[-1] + pd.Timedelta(days=3)]])
            .rename_axis(index="Dates"), index=True),
        "missing values are written #N/A N/A; dates are written like 12/31/2020; it is wide",
        symbols=BLOOMBERG, volume=False,
    ),
    "a column for each date": Export(
        "across.csv", csv(wide().T.set_axis([f"{day:%Y-%m-%d}" for day in DAYS], axis=1)
                          .rename_axis("ticker"), index=True),
        "it has a column for each date", volume=False,
    ),
    "yfinance, several tickers": Export(
        "yfinance.csv", csv(levels("field"), index=True),
        r"header has two lines, fields \(Close, High, Low\) and symbols \(AAA, BBB, CCC\)",
    ),
    "yfinance, by ticker": Export(
        "yfinance.csv", csv(levels("ticker"), index=True), "header has two lines, fields"
    ),
    "yfinance in Parquet": Export(
        "yfinance.parquet", parquet(levels("field")), "header has two lines, fields"
    ),
    "Parquet with dates in an index without a name": Export(
        "p.parquet", parquet(long().set_index("date").rename_axis(None)), "unnamed index"
    ),
    "Feather": Export("p.feather", lambda path: long().to_feather(path), r"it is a \.feather file"),
    "Arrow IPC": Export("p.arrow", lambda path: long().to_feather(path), r"it is a \.arrow file"),
    "zip archive": Export("p.zip", text(archive(["p.csv"])), r"it is a \.zip file"),
    "partitioned Parquet": Export(
        "p.parquet", parquet(long(), partition_cols=["symbol"]), "it is a folder .a partitioned"
    ),
    "folder of Yahoo's files": Export(
        "yahoo", each(lambda one: one.rename(columns=TITLES | {"close": "Adj Close"})
                      .assign(Close=5.0)),
        "it is a folder of 4 files, one for each symbol",
    ),
    "folder of Alpha Vantage's files": Export(
        "alpha", each(lambda one: one[::-1].rename(columns={"date": "timestamp",
                                                             "close": "adjusted_close"})
                      .assign(close=2.0, dividend_amount=0.0, split_coefficient=1.0)),
        "it is a folder of 4 files",
    ),
    "folder of Stooq's files": Export(
        "stooq", each(lambda one: stooq(one).drop(columns="<TICKER>"), ".us.txt", str.lower),
        "it is a folder of 4 files", symbols=STOOQ,
    ),
    "folder of nasdaq.com's files": Export(
        "nasdaq", each(nasdaq),
        "dates are written like 12/31/2020; Close/Last has a sign of a currency",
    ),
    "folder of investing.com's files": Export(
        "investing", each(investing),
        "folder of 4 files.*dates are written like Dec 31, 2020", volume=False,
    ),
    "folder of zipline's csvdir": Export(
        "daily", each(lambda one: one.assign(dividend=0.0, split=1.0)), "it is a folder of 4 files"
    ),
    "folder of backtrader's files": Export(
        "feeds", each(lambda one: one.assign(openinterest=0).rename(columns=TITLES)
                      .assign(Date=one["date"].dt.strftime("%Y-%m-%d"))),
        "it is a folder of 4 files",
    ),
    "folder of Binance's klines": Export(
        "klines", each(binance, header=False), "no header.*dates are milliseconds since 1970"
    ),
    "folder of CoinGecko's files": Export(
        "coins", each(lambda one: pd.DataFrame({
            "snapped_at": one["date"].dt.strftime("%Y-%m-%d 00:00:00 UTC"), "price": one["close"],
            "market_cap": 1e9, "total_volume": one["volume"]})),
        r"dates have text behind the time \(2020-01-02 00:00:00 UTC\)",
    ),
    "row for each field": Export(
        "tidy.csv",
        csv(MARKET.rename(columns={"close": "PX_LAST", "volume": "PX_VOLUME"})
            .melt(["date", "symbol"], ["PX_LAST", "PX_VOLUME"], "field", "value")),
        r"it has a row for each field \(PX_LAST, PX_VOLUME\)",
    ),
    "CRSP": Export(
        "crsp.csv", csv(crsp()),
        "PRC is not adjusted and CFACPR is its factor: adjusted_close = PRC / CFACPR",
        symbols=PERMNO,
    ),
    "Compustat": Export(
        "secd.csv",
        csv(split_adjusted("prccd", "ajexdi", "divide").rename(
            columns={"symbol": "tic", "date": "datadate", "volume": "cshtrd"})),
        "prccd is not adjusted and ajexdi is its factor",
    ),
    "Tushare with factors": Export(
        "daily.csv",
        csv(split_adjusted("close", "adj_factor", "multiply").rename(
            columns={"symbol": "ts_code", "volume": "vol"})),
        r"close is not adjusted and adj_factor is its factor: adjusted_close = close \* adj_factor",
    ),
    "AKShare in GB 18030": Export(
        "akshare.csv", csv(named(SHANGHAI).rename(columns=CHINESE), encoding="gb18030"),
        "encoding is gb18030", symbols=SHANGHAI,
    ),
})  # fmt: skip


def one_symbol() -> pd.DataFrame:
    return MARKET[MARKET["symbol"] == "AAA"].drop(columns="symbol")


KEN_FRENCH = (
    "This file was created using the 202401 CRSP database\n\n"
    ",NoDur,Durbl,Manuf\n"
    + "".join(
        f"{day:%Y%m%d},{0.1 + k % 3:.2f},{-0.5 + k % 2:.2f},0.30\n" for k, day in enumerate(DAYS)
    )
    + "\nCopyright 2024 Kenneth R. French\n"
)  # fmt: skip

REFUSED: Mapping[str, Export] = MappingProxyType({
    "pickle": Export("p.pkl", text(b"\x80\x04N."), "a pickle runs code when it is opened"),
    "workbook": Export("p.xlsx", text(b"PK"), "a workbook is not read: save it as CSV, or"),
    "JSON of Alpha Vantage": Export(
        "p.json", text(json.dumps({"Time Series (Daily)": {}})), "JSON is not read"
    ),
    "HDF5": Export("p.h5", text(b"\x89HDF"), "HDF5 is not read"),
    "Stata": Export("p.dta", text(b"x"), "a Stata file is not read"),
    "Ken French": Export(
        "industries.csv", text(KEN_FRENCH),
        "wide, with negative numbers: columns such as 'NoDur' hold returns or yields"
    ),
    "FRED, one series": Export(
        "SP500.csv",
        csv(pd.DataFrame({"observation_date": DAYS.strftime("%Y-%m-%d"),
                          "SP500": 3000.0 + np.arange(30)})),
        "it holds one series; a comparison needs several symbols",
    ),
    "one stock of Yahoo": Export(
        "AAA.csv", csv(one_symbol().rename(columns=TITLES)),
        "it holds one symbol, and no column names it; put a file for each symbol in one folder",
    ),
    "days and months that cannot be told apart": Export(
        "p.csv",
        csv(pd.DataFrame({"date": ["01/02/2020", "02/02/2020", "03/02/2020"] * 2,
                          "symbol": [*"AAABBB"], "close": range(1, 7)})),
        "'01/02/2020' may have the day or the month first",
    ),
    "header without a name for each column": Export(
        "p.csv", text("date,symbol,close\n" + "2020-01-02,AAA,1,\n2020-01-03,AAA,2,\n" * 5),
        "its header has 3 names, but most rows have 4 cells",
    ),
    "empty file": Export("p.csv", text(""), "the file is empty; add a header and rows"),
    "archive of several files": Export(
        "p.zip", text(archive(["a.csv", "b.csv"])), "it is an archive of 2 files"
    ),
    "merged cells in the header": Export(
        "bloomberg.csv",
        text("Date,AAA US Equity,,BBB US Equity,\n,PX_LAST,PX_VOLUME,PX_LAST,PX_VOLUME\n"
             + "".join(f"{day:%Y-%m-%d},1,2,3,4\n" for day in DAYS)),
        "its header has two lines with merged cells",
    ),
    "bars within a day": Export(
        "bars.csv",
        csv(pd.concat([dated("%Y-%m-%d 10:00"), dated("%Y-%m-%d 11:00")]).sort_values("date")),
        "is a duplicate on that date; keep one row per date and symbol, such as the last one",
        VOLUME,
    ),
    "folder of tables of many symbols": Export(
        "years", lambda path: (path.mkdir(), csv(long())(path / "2020.csv")),  # type: ignore[func-returns-value]
        "folder whose files hold several symbols each, such as 2020.csv",
    ),
    "folder without tables": Export("empty", lambda path: path.mkdir(), "folder without Parquet"),
    "prose": Export(
        "notes.csv", text("dear all\nplease find the prices attached\n"), "no column 'date'"
    ),
})  # fmt: skip
