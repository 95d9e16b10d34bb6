"""Supplied closes as daily log returns, and the price features as a function of them."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from foldproof.tasks.attribute.origins.torch_features import TORCH_FEATURES, LogPrices
from foldproof.tasks.data.features.features import FEATURES, Prices, market_return
from foldproof.tasks.data.features.grid import carried, grid_of, members, observed
from foldproof.tasks.data.features.windows import lagged

LOOKBACK = max(feature.lookback for feature in FEATURES.values())


@dataclass(frozen=True, eq=False)
class Quotes:
    """Supplied prices as arrays (R, S), R dates by S symbols.

    Attributes:
        dates: (R,) datetime64[D]; NaT outside the table.
        symbols: (S,) names.
        close: float64, not carried over gaps; NaN where none was supplied.
        volume: float64; None where the table has no volume.
        present: Whether the table has a row.
        member: Whether the symbol counts for the market's return.
        fill_limit: Dates over which closes and features are carried.
    """

    dates: np.ndarray
    symbols: np.ndarray
    close: np.ndarray
    volume: np.ndarray | None
    present: np.ndarray
    member: np.ndarray
    fill_limit: int

    @classmethod
    def of(cls, frame: pd.DataFrame, fill_limit: int) -> "Quotes":
        """From long rows: date, symbol, price, and optionally volume and member."""
        grid = grid_of(frame.assign(date=pd.to_datetime(frame["date"])))
        volume = grid.dense(frame["volume"]) if "volume" in frame else None
        present = observed(frame.drop(columns="price"), grid)
        close = grid.dense(frame["price"])
        member = members(frame, grid)
        return cls(grid.dates, grid.symbols, close, volume, present, member, fill_limit)

    def rows(self, first: int, count: int) -> "Quotes":
        """``count`` dates from row ``first`` on; dates outside the table have no cells."""
        wanted = np.arange(first, first + count)
        inside = ((wanted >= 0) & (wanted < len(self.close)))[:, None]
        places = wanted.clip(0, len(self.close) - 1)

        def numbers(x: np.ndarray) -> np.ndarray:
            return np.where(inside, x[places], np.nan)

        return replace(
            self,
            dates=np.where(inside[:, 0], self.dates[places], np.datetime64("NaT")),
            close=numbers(self.close),
            volume=None if self.volume is None else numbers(self.volume),
            present=self.present[places] & inside,
            member=self.member[places] & inside,
        )

    @property
    def steps(self) -> "Steps":
        """The closes as log returns since the previous close."""
        rows = np.arange(len(self.close))[:, None]
        known = ~np.isnan(self.close)
        latest = np.maximum.accumulate(np.where(known, rows, -1), axis=0)
        before = np.vstack([np.full_like(latest[:1], -1), latest[:-1]])
        anchor = known & ((before < 0) | (rows - before > self.fill_limit + 1))
        earlier = np.take_along_axis(self.close, before.clip(0), axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            moves = np.log(np.where(anchor, self.close, self.close / earlier))
            volume = [] if self.volume is None else [np.log(self.volume)]
        cells = torch.from_numpy(np.stack([moves, *volume], axis=-1))
        return Steps(torch.where(cells.isfinite(), cells, torch.nan), torch.from_numpy(anchor))

    def prices(self) -> Prices:
        """Prices in the form that a panel's features are made of."""
        close = carried(self.close, self.fill_limit)
        with np.errstate(divide="ignore", invalid="ignore"):
            returns = np.log(close / lagged(close, 1))
        return Prices(close, returns, market_return(returns, self.member), self.volume)


@dataclass(frozen=True, eq=False)
class Steps:
    """The inputs of an attribution to prices.

    Attributes:
        cells: (R, S, C) float64; C is 1, or 2 with volume. First the log return since the previous
            close, over at most ``fill_limit`` missing dates; where a history starts, the log of the
            close itself. Then the log of the volume. NaN where nothing was supplied.
        anchor: (R, S) bool, where a history starts.
    """

    cells: Tensor
    anchor: Tensor

    @property
    def returns(self) -> Tensor:
        """(R, S) daily log returns; NaN where unknown."""
        return torch.where(self.anchor, torch.nan, self.cells[..., 0])

    def moving(self, other: "Steps") -> Tensor:
        """(R, S, C) bool: cells known in both, as a return in both or a history start in both."""
        there = self.cells.isfinite() & other.cells.isfinite()
        there[..., 0] &= self.anchor == other.anchor
        return there


@dataclass(frozen=True, eq=False)
class FeatureFunction:
    """Features as a differentiable function of steps, around given quotes.

    The pattern of missing cells is fixed: a close that was not supplied is carried, and an
    undefined feature stays undefined.

    Attributes:
        names: F features.
        columns: (K,) int64 symbols whose features are computed.
        rows: Computed rows, including earlier ones from which features are carried.
        share: (R, S) float64 weight of each return in the market's return.
        start: (R, S) int64 row at which the history of a cell began, 0 where there is none.
        source: (n, K, F) int64 computed row from which a feature is carried; -1 for none.
    """

    names: tuple[str, ...]
    columns: Tensor
    rows: int
    share: Tensor
    start: Tensor
    source: Tensor

    @classmethod
    def near(
        cls, quotes: Quotes, names: tuple[str, ...], rows: int, columns: Tensor | None = None
    ) -> "FeatureFunction":
        """The features ``names`` on the newest ``rows``, after :func:`reach` earlier rows."""
        columns = torch.arange(quotes.close.shape[1]) if columns is None else columns
        prices, computed, some = quotes.prices(), rows + quotes.fill_limit, columns.numpy()
        own = Prices(
            prices.close[:, some], prices.returns[:, some], prices.market,
            None if prices.volume is None else prices.volume[:, some],
        )  # fmt: skip
        with np.errstate(divide="ignore", invalid="ignore"):
            layers = [FEATURES[name].compute(own)[-computed:] for name in names]
        there = np.isfinite(np.stack(layers, axis=-1)) & quotes.present[-computed:, some, None]
        places = np.arange(computed)[:, None, None]
        source = np.maximum.accumulate(np.where(there, places, -1), axis=0)
        source[places - source > quotes.fill_limit] = -1
        counted = quotes.member & ~np.isnan(prices.returns)
        share = counted / counted.sum(axis=1, keepdims=True).clip(1)
        begun = np.where(quotes.steps.anchor.numpy(), np.arange(len(share))[:, None], 0)
        arrays = (share, np.maximum.accumulate(begun, axis=0), source[quotes.fill_limit :])
        return cls(names, columns, computed, *(torch.from_numpy(array) for array in arrays))

    def log_prices(self, steps: Steps, cells: Tensor) -> LogPrices:
        """Prices of ``columns`` from cells (R, S, C) in the layout of ``steps``."""
        cells = cells.nan_to_num()
        moves, some = cells[..., 0], self.columns
        total = moves.cumsum(0)
        close = total - (total - moves).gather(0, self.start)
        returns = torch.where(steps.anchor, 0, moves)
        market = (returns * self.share).sum(1, keepdim=True)
        volume = cells[:, some, 1] if cells.shape[-1] > 1 else None
        return LogPrices(close[:, some], returns[:, some], market, volume)

    def values(self, steps: Steps, cells: Tensor) -> Tensor:
        """(R, S, C) cells -> (n, K, F) features, carried as in a panel; NaN where missing."""
        prices = self.log_prices(steps, cells)
        fresh = torch.stack(
            [TORCH_FEATURES[name](prices, self.rows) for name in self.names], dim=-1
        )
        there = self.source >= 0
        return torch.where(there, fresh.gather(0, self.source.clamp_min(0)), torch.nan)


def reach(fill_limit: int) -> int:
    """Rows before the first computed row that features can depend on."""
    return LOOKBACK - 1 + 2 * fill_limit
