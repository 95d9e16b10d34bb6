"""The sources of rows, one entry each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import cast

import pandas as pd

from foldproof.tasks.data.rows import DataError, Rows
from foldproof.tasks.data.sources.databases import read_query
from foldproof.tasks.data.sources.files import read_file
from foldproof.tasks.data.sources.portfolios import load_portfolio
from foldproof.tasks.data.sources.stockdata import load_stockdata
from foldproof.tasks.data.spec import DataSpec
from foldproof.tasks.data.synthetic.conditional import INTERACTION, SIGN_FLIP, SWITCHING, polynomial
from foldproof.tasks.data.synthetic.echo import echo
from foldproof.tasks.data.synthetic.families import levels, ranks, shocks
from foldproof.tasks.data.synthetic.planted import LAGGED, LINEAR, noise, planted


@dataclass(frozen=True)
class Source:
    """A source of long rows.

    Attributes:
        title: A few words for tables.
        notes: What a reader of results must know about it.
        terms: Terms of use.
        load: Spec -> rows, with columns named by their roles.
        start: First date to keep if the spec gives none; None for all.
    """

    title: str
    notes: str
    terms: str
    load: Callable[[DataSpec], Rows]
    start: str | None = None


def load_sp500(spec: DataSpec) -> Rows:
    """Twenty US stocks, daily adjusted closes, from the skfolio package; nothing is downloaded.

    The file is read without importing skfolio, which takes longer than a night's scoring.

    Raises:
        DataError: skfolio is not installed.
    """
    package = find_spec("skfolio")
    if package is None or not package.submodule_search_locations:
        raise DataError(
            "data.source 'sp500' reads a file of the package skfolio, which is not installed: "
            "run pip install skfolio, or set data.source to file"
        )
    file = Path(package.submodule_search_locations[0], "datasets", "data", "sp500_dataset.csv.gz")
    wide = pd.read_csv(file, index_col=0).rename_axis(index="date", columns="symbol")
    wide.index = pd.to_datetime(wide.index, format="%Y-%m-%d")
    frame = cast(pd.Series, wide.stack()).rename("price").reset_index()
    return Rows(frame, "skfolio's S&P 500 data set")


OWN = "none: drawn from a seeded generator"
PORTFOLIOS = (
    "Read from the package universal-portfolios (Feedback MIT License) where you installed it. The "
    "sets are those of the literature on online portfolio selection; nobody states a licence of "
    "the prices themselves."
)
ANONYMOUS = (
    "Numbered stocks without names; only those with prices over the whole period (survivors), so "
    "returns are too high. Cumulated price relatives, no volume. The file has no dates: rows are "
    "put on consecutive business days, so calendar dates, weekdays and years are approximate."
)
SOURCES: Mapping[str, Source] = MappingProxyType({
    "sp500": Source(
        "20 stocks of the S&P 500, daily",
        "Survivors: 20 names picked from the index with hindsight, so returns are too high. "
        "Adjusted closes only, no volume. Prices are rounded to 3 decimals: before 2000 one tick "
        "is up to 0.4 % of a close, hence the start. With 20 names the daily rank IC is noisy.",
        "Comes with skfolio (BSD-3-Clause), whose documentation offers it for testing and examples "
        "only: stale, not accurate market prices, not for investment, trading or commercial use.",
        load_sp500,
        "2000-01-03",
    ),
    "sp500_2003": Source(
        "452 stocks of the S&P 500, 2003-2007, daily",
        "Survivors: stocks with a close on every day of the window, picked with hindsight, so "
        "returns are too high. Closes without volume, not adjusted for dividends: on an ex-day the "
        "return is too low by the dividend. Splits are repaired by the closes around them and "
        "listed; splits smaller than 3 for 2, spin-offs and special dividends are not, and a fall "
        "by just such a ratio counts as a split. Sectors "
        "(GICS) are those of the download, and so are tickers. The file has no dates: its rows are "
        "as many as the trading days of the New York Stock Exchange in those years.",
        "The data set stockdata of R's package huge (GPL-2), read where you installed it; its "
        "authors took the closes from Yahoo Finance, whose terms apply to them.",
        load_stockdata,
    ),
    "nyse_old": Source(
        "36 stocks of the NYSE, 1962-1984, daily",
        f"{ANONYMOUS} Cover (1991). Closes are rounded to an eighth of a dollar or less and bounce "
        "between bid and ask: reversal over a day looks larger than anybody could earn.",
        PORTFOLIOS, partial(load_portfolio, name="nyse_o", first_day="1962-07-03"),
    ),
    "nyse_new": Source(
        "23 stocks of the NYSE, 1985-2010, daily",
        f"{ANONYMOUS} Those of nyse_old that were still listed in 2010 (Li et al. 2013).",
        PORTFOLIOS, partial(load_portfolio, name="nyse_n", first_day="1985-01-02"),
    ),
    "toronto": Source(
        "88 stocks of the Toronto Stock Exchange, 1994-1998, daily",
        f"{ANONYMOUS} Borodin, El-Yaniv & Gogan (2004). Small stocks trade rarely: prices repeat.",
        PORTFOLIOS, partial(load_portfolio, name="tse", first_day="1994-01-04"),
    ),
    "file": Source(
        "Your own Parquet or CSV file", "Long form: one row per date and symbol.",
        "Those of the file.", read_file,
    ),
    "query": Source(
        "Your own query of a database", "Long form: one row per date and symbol.",
        "Those of the database.", read_query,
    ),
    "noise": Source(
        "Synthetic prices, nothing to forecast",
        "Returns are a martingale difference with a common factor and GARCH volatility.",
        OWN, noise,
    ),
    "linear": Source(
        "Synthetic features, linear signal",
        "The target is linear in three features of the same day.", OWN,
        partial(planted, shape=LINEAR),
    ),
    "lagged": Source(
        "Synthetic features, lagged signal",
        "The target is linear in features 0, 2, 5 and 10 days back.", OWN,
        partial(planted, shape=LAGGED),
    ),
    "regime": Source(
        "Synthetic features, signal that changes sign",
        "The linear signal changes sign in the middle of the sample.", OWN,
        partial(planted, shape=LINEAR, flips=True),
    ),
    "interaction": Source(
        "Synthetic features, interaction",
        "The target is the product of one feature of the same day and another two days back.",
        OWN, partial(polynomial, shape=INTERACTION),
    ),
    "sign_flip": Source(
        "Synthetic features, sign that flips by date",
        "The linear signal times +1 or -1, drawn by date; feature f3 is that sign.", OWN,
        partial(polynomial, shape=SIGN_FLIP, state=True),
    ),
    "switching": Source(
        "Synthetic features, regime that selects the feature",
        "Feature f0 of the same day, or f1 two days back: feature f3 selects which, by date.",
        OWN, partial(polynomial, shape=SWITCHING, state=True),
    ),
    "levels": Source(
        "Synthetic features, signal in levels",
        "The target is a stock's level times the date's level; pooled statistics keep both.",
        OWN, levels,
    ),
    "ranks": Source(
        "Synthetic features, signal in ranks",
        "The target is a product of ranks among the date's stocks; values move by date.",
        OWN, ranks,
    ),
    "shocks": Source(
        "Synthetic features, signal in shocks",
        "The target is a product of the day's shocks in units of the stock's own scale.",
        OWN, shocks,
    ),
    "echo": Source(
        "Synthetic prices, returns that repeat",
        "The label runs from the same close to the next: it is the newest input of the next "
        "window, and it cannot be traded.", OWN, echo,
    ),
})  # fmt: skip
"""Keys of data.source in a configuration."""
DRAWN = frozenset(name for name, source in SOURCES.items() if source.terms == OWN)
"""Synthetic sources: ``data.synthetic`` decides their size, and another seed draws other rows."""
