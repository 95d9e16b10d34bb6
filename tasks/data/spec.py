"""The settings of a panel: the source of its rows, its features and its target."""

from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import Literal, get_args

from foldproof.models.spec import OWN, Spec, TargetName, at_least, require, require_distinct, within
from foldproof.tasks.data.address import holds_password, kind_of
from foldproof.tasks.data.rows import ROLES
from foldproof.tasks.data.sql import why_not_reading

SourceName = Literal[
    "sp500", "sp500_2003", "nyse_old", "nyse_new", "toronto", "file", "query", "noise", "linear",
    "lagged", "regime", "interaction", "sign_flip", "switching", "levels", "ranks", "shocks",
    "echo",
]  # fmt: skip


@dataclass(frozen=True)
class ColumnsSpec(Spec):
    """The column of each role. A file is long: one row per date and symbol."""

    date: str = "date"
    """Trading day, ISO (2020-01-31)."""
    symbol: str = "symbol"
    """Name of the stock."""
    price: str | None = "close"
    """Close adjusted for splits and dividends; price features and forward returns need it."""
    volume: str | None = None
    """Shares traded; adds the volume features."""
    member: str | None = None
    """True if the stock belongs to the universe on that day; without it every row counts."""
    known: str | None = None
    """Date on which the row became known. The row counts from the first trading day on or after
    it, but not before its own date."""
    target: str | None = None
    """Ready-made target, instead of the forward return. It needs label_end."""
    label_end: str | None = None
    """Date on which the row's target becomes known."""
    industry: str | None = None
    """Industry or sector of the stock as it was known on that day, as text or a code. It is no
    feature: the neutral rank IC of the decomposition is neutral to it."""
    features: tuple[str, ...] | None = None
    """Ready-made features; null for all other numeric columns."""

    def __post_init__(self) -> None:
        require(
            (self.target is None) == (self.label_end is None),
            f"columns.target ({self.target}) and columns.label_end ({self.label_end}) go together: "
            "set the date on which the target becomes known, so that it can be purged",
        )
        require(self.features != (), "columns.features is empty: list features, or leave it out")
        named = [*self.roles.values(), *(self.features or ())]
        require_distinct(named, "columns, where a column plays one role")

    @property
    def roles(self) -> dict[str, str]:
        """Role -> name of its column, for the roles that are set."""
        return {name: getattr(self, name) for name in ROLES if getattr(self, name) is not None}


@dataclass(frozen=True)
class ChecksSpec(Spec):
    """When a value or a date of the table is suspicious."""

    __bounds__ = (
        within("(1, inf)", "max_jump") | at_least(1, "max_stale") | within("[0, 1]", "min_quoted")
    )

    max_jump: float | None = 2.5
    """Warn where a price is at least this many times the symbol's previous price, or its inverse,
    or within 3 % of a 2-for-1 split; null for no warning."""
    max_stale: int | None = 20
    """Warn where a symbol repeats one price on more dates in a row, with volume 0 if there is a
    volume, as prices carried after a delisting; null for no warning."""
    min_quoted: float = 0.0
    """A date is a trading date if at least this share of the symbols that are listed on it have a
    price; rows of other dates are dropped. 0 keeps every date, 0.9 gives exchanges with different
    holidays one calendar."""


@dataclass(frozen=True)
class SyntheticSpec(Spec):
    """Size and strength of the synthetic sources."""

    __bounds__ = (
        at_least(30, "days")
        | at_least(2, "symbols")
        | at_least(4, "n_features")
        | within("[0, 1)", "signal", "persistence")
    )

    days: int = 1500
    """Trading days."""
    symbols: int = 40
    """Stocks."""
    n_features: int = 8
    """Ready-made features; some of them carry no signal."""
    signal: float = 0.1
    """True information coefficient: the correlation of the best forecast with the target."""
    persistence: float = 0.0
    """First-order autocorrelation of the features from day to day."""
    seed: int = 0
    """Seed of all draws."""


@dataclass(frozen=True)
class DataSpec(Spec):
    """The source of the rows and the features made from them."""

    __bounds__ = at_least(0, "fill_limit") | at_least(1, "min_history", "overlap")
    __choices__ = MappingProxyType(
        {"source": get_args(SourceName), "features": ("price", "ready", OWN)}
    )

    source: SourceName = "sp500"
    """Key of tasks.data.SOURCES."""
    path: str | None = None
    """For source file, a Parquet or CSV file. For source query, a database: sqlite:///prices.db,
    postgresql+psycopg://reader:${PRICES_PASSWORD}@host/prices with the name of an environment
    variable instead of the password, or a .duckdb file; null for DuckDB over the files that the
    query names, in the working directory or in the folders of FOLDPROOF_DATA. For source
    sp500_2003, the file stockdata.rda; null where make panels or Debian places it."""
    query: str | None = None
    """The SELECT of source query. Its rows are long; columns gives their roles."""
    incremental: bool = False
    """Keep the checked rows of a file or query between runs, so that only appended rows are read
    and checked. A restated history is detected, read again and reported."""
    overlap: int = 10
    """Newest dates of a query that are read again and compared if incremental. Before them, added
    or removed rows are detected, restated values are not."""
    start: date | None = None
    """First date to keep; null for the first date of the source."""
    end: date | None = None
    """Last date to keep; null for the last date of the source."""
    columns: ColumnsSpec = field(default_factory=ColumnsSpec)
    """Roles of the columns."""
    features: str = "price"
    """price (the built-in causal set), ready (columns of the source) or package.module:function.
    The function takes the long rows under the names that data.columns gives them (also as date,
    symbol, price, volume and member) and returns features on the same rows."""
    fill_limit: int = 5
    """Trading days for which the last known value of a feature is carried forward. After a longer
    gap the symbol may be another company: its history starts anew, and no label runs over it."""
    min_history: int = 252
    """Symbols with fewer observed rows are dropped. The whole history counts, so a stock that was
    listed for a shorter time is never in the panel."""
    checks: ChecksSpec = field(default_factory=ChecksSpec)
    """Bounds beyond which values and dates of the table get a warning."""
    synthetic: SyntheticSpec = field(default_factory=SyntheticSpec)
    """Size of the synthetic sources, noise to echo; the others have their own size."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_origin()
        require(
            not self.incremental or self.source in ("file", "query"),
            f"incremental needs source 'file' or 'query'; source is {self.source!r}",
        )
        for name in ("start", "end"):
            value = getattr(self, name)
            require(
                value is None or isinstance(value, date),
                f"{name} must be a datetime.date; it is {value!r}",
            )
        require(
            self.start is None or self.end is None or self.start < self.end,
            f"start must be before end; they are {self.start} and {self.end}",
        )

    def check_origin(self) -> None:
        """Raise ValueError unless source, path and query fit together and contain no password."""
        for name in ("path", "query"):
            require(
                not holds_password(getattr(self, name) or ""),
                f"{name} contains a password, which would be logged with the configuration; write "
                "the name of an environment variable instead, such as "
                "postgresql+psycopg://reader:${PRICES_PASSWORD}@host/prices",
            )
        free = self.source in ("query", "sp500_2003")
        require(
            free or (self.source == "file") == (self.path is not None),
            "path is required for source 'file', optional for 'query' and 'sp500_2003', and not "
            f"allowed otherwise; source is {self.source!r} and path is {self.path!r}",
        )
        require(
            (self.source == "query") == (self.query is not None),
            "query is required for source 'query' and not allowed otherwise; "
            f"source is {self.source!r} and query is {self.query!r}",
        )
        if self.query is not None:
            kind_of(self.path)
            why = why_not_reading(self.query)
            require(not why, f"query {why}")


@dataclass(frozen=True)
class TargetSpec(Spec):
    """The target at the close of day d: the return from close d+1 to close d+1+horizon."""

    __bounds__ = at_least(1, "horizon") | within("[-1, 1]", "delisting_return")
    __choices__ = MappingProxyType({"kind": get_args(TargetName)})

    horizon: int = 5
    """Trading days from the next close to the close at which the return ends."""
    kind: TargetName = "cs_zscore"
    """return: unchanged; market_relative: minus the mean over the date's members; cs_zscore: that,
    divided by their standard deviation; cs_rank: rank among them, evenly from -0.5 to 0.5;
    cs_rank_normal: normal quantile of that rank; volatility_scaled: divided by the volatility that
    the stock's earlier returns forecast. Forecasts are scored on it; a variant trains on another
    kind as zscore -> cs_rank."""
    delisting_return: float | None = None
    """Return after the last close of a stock that ends before its label, such as -0.3 (Shumway
    1997); null: such rows have no label, and are neither trained on nor scored."""
