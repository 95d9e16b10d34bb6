"""The names that vendors give to the columns of a table of prices."""

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

ADJUSTED = re.compile(r"adj(usted|usting)?(close(price)?|price|prc|last)|(close|price|prc)adj\w*")
"""A column of adjusted closes."""
FACTOR = re.compile(r"cfacpr|ajexdi|adj(ustment)?factor|splitfactor|splitcoefficient")
"""A column of adjustment factors beside raw closes."""
DATES = (
    "date", "tradedate", "tradingdate", "tradingday", "datadate", "dlycaldt", "caldt",
    "windowstart", "pricedate",
    "exchangedate", "snappedat", "datetime", "timestamp", "opentime", "time", "day", "datum",
    "handelsdatum", "datederatio", "fecha", "data", "dt", "asof", "asofdate", "asofdatetime",
    "periodend", "period", "observationdate", "dtyyyymmdd", "t", "tradets",
    "日期", "交易日期", "时间",
)  # fmt: skip
SYMBOLS = (
    "permno", "tscode", "symbol", "ticker", "tic", "sym", "stockcode", "code", "instrument", "ric",
    "gvkey", "isin", "figi", "cusip", "sedol", "wkn", "secid", "sid", "security", "securityid",
    "asset", "pair", "coin", "contract", "identifier", "stock", "name", "valeur", "titel",
    "股票代码", "证券代码", "代码",
)  # fmt: skip
CLOSES = (
    "close", "closingprice", "closeprice", "priceclose", "pxlast", "lastprice", "tradeclose",
    "settle", "settlement", "last", "closelast", "prc", "dlyprc", "prccd", "price", "schlusskurs",
    "schluss", "kurs", "cloture", "clôture", "dernier", "cierre", "ultimo", "nav", "value", "c",
    "prices", "收盘", "收盘价",
)  # fmt: skip
VOLUMES = (
    "volume", "vol", "adjvolume", "pxvolume", "turnovervolume", "sharestraded", "volumen",
    "umsatz", "stück", "cshtrd", "dlyvol", "accumulatedvolume", "totalvolume", "v",
    "volumetraded", "成交量",
)  # fmt: skip
OTHERS = (
    "open", "high", "low", "pxopen", "pxhigh", "pxlow", "dividends", "stocksplits", "change",
    "changepct", "openinterest", "openint", "amount", "turnover", "vwap", "bid", "ask", "marketcap",
    "capitalgains", "repaired", "o", "h", "l", "vw", "n", "volumeadj", "adjopen", "adjhigh",
    "adjlow", "preclose", "pctchg", "exdividend", "splitratio", "divcash", "per",
    "开盘", "最高", "最低",
)  # fmt: skip
ROLES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"date": DATES, "symbol": SYMBOLS, "price": CLOSES, "volume": VOLUMES}
)
"""Role -> names of its column, the best first, as :func:`plain` writes them."""


def plain(name: object) -> str:
    """A column name in lower case, letters and digits only, without a part in brackets."""
    short = re.sub(r"\(.*?\)", "", str(name))
    return re.sub(r"[\W_]+", "", ((short.strip() and short) or str(name)).lower())


def column_of(role: str, names: Iterable[object]) -> str | None:
    """The column that plays a role by its name, adjusted closes first; None without one."""
    known = {plain(name): str(name) for name in reversed([*names])}
    if role == "price":
        adjusted = [name for key, name in known.items() if ADJUSTED.fullmatch(key)]
        if adjusted:
            return adjusted[-1]
    return next((known[key] for key in ROLES[role] if key in known), None)


def is_field(name: object) -> bool:
    """Whether a name is that of a field such as close or volume, not of a stock."""
    key = plain(name)
    return key in (*CLOSES, *VOLUMES, *OTHERS) or bool(
        ADJUSTED.fullmatch(key) or FACTOR.fullmatch(key)
    )
