"""A small simulated market with the causes of leaks: gaps, listings, delistings, reports."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from foldproof.tasks.split import Fold

FIRST_DAY = "2020-01-06"
DAILY = 0.02
"""Standard deviation of a stock's daily return."""
QUARTER = 42
"""Trading days in a reporting period; short, so that a small market has several."""
REPORTED_AFTER = 15
"""Trading days from the end of a period to its report."""


@dataclass(frozen=True)
class Market:
    """The size of the market and its true signal.

    Attributes:
        symbols: Stocks.
        days: Trading days.
        horizon: Days spanned by a label, from the next close.
        skill: Correlation of the feature ``signal`` with the next day's own return.
        turn: Whether the signal changes sign halfway.
        gaps: Share of missing values of ``sentiment``, in runs.
    """

    symbols: int = 16
    days: int = 180
    horizon: int = 1
    skill: float = 0.1
    turn: bool = False
    gaps: float = 0.08

    @property
    def fold(self) -> Fold:
        """One purged fold: about half, an eighth and a third of the days."""
        gap = self.horizon + 1
        train = range(20, self.days // 2)
        validation = range(train.stop + gap, train.stop + gap + self.days // 8)
        test = range(validation.stop + gap, self.days - 4)
        return Fold(0, train, validation, test, self.calendar)

    @property
    def calendar(self) -> np.ndarray:
        """(D,) datetime64[D] weekdays."""
        first = np.datetime64(FIRST_DAY)
        return np.busday_offset(first, np.arange(self.days), roll="forward")

    def rows(self, seed: int) -> pd.DataFrame:
        """Long rows: prices, volume, signal, sentiment, book, book_known, sector.

        ``signal`` predicts a little of the next return; ``sentiment`` has gaps and predicts
        nothing; ``book`` is dated from the end of its period but becomes known later. Two stocks
        are listed late and two are delisted early.
        """
        draw = np.random.default_rng(seed)
        shape = (self.days, self.symbols)
        signal = persistent(draw.standard_normal(shape), 0.5)
        sign = np.where(self.turn & (np.arange(self.days) >= self.days // 2), -1.0, 1.0)
        own = draw.standard_normal(shape)
        own[1:] = self.skill * (sign[:, None] * signal)[:-1] + np.sqrt(1 - self.skill**2) * own[1:]
        market = 0.4 * DAILY * draw.standard_normal((self.days, 1))
        close = 50 * np.exp(np.cumsum(DAILY * own + market, axis=0))
        overnight = np.exp(0.3 * DAILY * draw.standard_normal(shape))
        opened = np.vstack([close[:1], close[:-1]]) * overnight
        names = [f"S{k:02d}" for k in range(self.symbols)]
        dates = pd.DatetimeIndex(self.calendar).as_unit("us")
        index = pd.MultiIndex.from_product([dates, names], names=["date", "symbol"])
        book, known = reports(draw, self.days, self.symbols, dates)
        columns = {
            "open": opened,
            "close": close,
            "volume": np.round(np.exp(13 + 0.4 * draw.standard_normal(shape))),
            "signal": signal,
            "sentiment": with_holes(draw, persistent(draw.standard_normal(shape), 0.8), self.gaps),
            "book": book,
        }
        table = pd.DataFrame({k: v.ravel() for k, v in columns.items()}, index=index).reset_index()
        table["book_known"] = np.repeat(known, self.symbols)
        table["sector"] = table["symbol"].str[-1].map(lambda digit: f"sector {int(digit) % 3}")
        return table[alive(self, table)].reset_index(drop=True)


def persistent(draws: np.ndarray, memory: float) -> np.ndarray:
    """(D, S) standard normal draws turned into AR(1) series of variance 1."""
    out = draws.copy()
    for day in range(1, len(out)):
        out[day] = memory * out[day - 1] + np.sqrt(1 - memory**2) * draws[day]
    return out


def with_holes(draw: np.random.Generator, values: np.ndarray, share: float) -> np.ndarray:
    """``values`` with a share of them missing, in runs of about four days."""
    starts = draw.random(values.shape) < share / 4
    for lag in range(4):
        values[lag:][starts[: len(values) - lag]] = np.nan
    return values


def reports(
    draw: np.random.Generator, days: int, symbols: int, dates: pd.DatetimeIndex
) -> tuple[np.ndarray, np.ndarray]:
    """Book values (D, S) dated from the end of each period, and (D,) when each becomes known."""
    period = np.arange(days) // QUARTER
    values = draw.standard_normal((period.max() + 1, symbols))
    published = period * QUARTER + REPORTED_AFTER
    later = pd.date_range(dates[-1], periods=REPORTED_AFTER + 1, freq="B")[1:].as_unit("us")
    calendar = dates.append(later)
    return values[period], calendar[np.minimum(published, len(calendar) - 1)].to_numpy()


def alive(market: Market, table: pd.DataFrame) -> np.ndarray:
    """(n,) bool: two stocks are listed after a quarter of the days, two delisted at three."""
    day = np.searchsorted(market.calendar, table["date"].to_numpy().astype("datetime64[D]"))
    late, gone = {"S03", "S04"}, {"S05", "S06"}
    unborn = table["symbol"].isin(late).to_numpy() & (day < market.days // 4)
    ended = table["symbol"].isin(gone).to_numpy() & (day > 3 * market.days // 4)
    return ~(unborn | ended)
