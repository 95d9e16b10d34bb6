"""One forecast of a model explained: what it takes from which feature, lag and place."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from foldproof.models.normalizers import resolve
from foldproof.models.windows import eligible
from foldproof.tasks.attribute.methods.adaptive import TOLERANCE
from foldproof.tasks.attribute.origins.by_return import prices_or_why
from foldproof.tasks.attribute.origins.origins import ORIGINS, origin_shares, shapley_of_origins
from foldproof.tasks.attribute.origins.price_result import FromPrices
from foldproof.tasks.attribute.origins.raw_rows import (
    FixedStatistics,
    rows_at,
    supplied_attributions,
    surroundings,
)
from foldproof.tasks.train.serving.model import ModelInputs, Served

PAIRS = 16
"""Orders for Shapley values where ranks have no derivative: enough to tell features apart."""


class ExplainError(ValueError):
    """There is no such forecast to explain; says which there are."""


@dataclass(frozen=True, eq=False)
class Explanation:
    """A forecast, and what changed it since the rows that it is held against.

    Attributes:
        variant: Of the model.
        symbol: Whom it is of.
        date: The date on which its window ends.
        against: The earlier date whose rows it is held against.
        forecast: In target units.
        before: The forecast of the same model on the rows up to ``against``.
        rank: Place among the date's forecasts, 1 the highest.
        count: Forecasts of that date.
        spread: Standard deviation of that date's forecasts.
        gap: Completeness error of the attributions, in spreads.
        by_feature: feature, origin, attribution, absolute, in target units.
        by_lag: (T, F) attributions of the own window, oldest row first; None for Shapley values.
        features: F names.
        prices: The same change by the daily returns that the features were made of; None where
            that was not asked for, or cannot be told.
        stops: Why it cannot be told; empty where it can, or was not asked for.
    """

    variant: str
    symbol: str
    date: str
    against: str
    forecast: float
    before: float
    rank: int
    count: int
    spread: float
    gap: float
    by_feature: pd.DataFrame
    by_lag: np.ndarray | None
    features: tuple[str, ...]
    prices: FromPrices | None = None
    stops: str = ""

    @property
    def trusted(self) -> bool:
        """Whether the attributions add up to the change of the forecast."""
        return abs(self.gap) <= TOLERANCE

    def totals(self) -> pd.Series:
        """Attribution of each feature, whatever its place, the largest in size first."""
        sums = self.by_feature.groupby("feature", sort=False)["attribution"].sum()
        return sums.reindex(sums.abs().sort_values(ascending=False, kind="stable").index)

    def shares(self) -> pd.Series:
        """Share of each place in all that moves the forecast; sums to 1."""
        return origin_shares(self.by_feature)


def explain_forecast(
    served: Served,
    laid: ModelInputs,
    symbol: str,
    date: np.datetime64 | None = None,
    back: int = 21,
    nodes: int = 10,
    raw: pd.DataFrame | None = None,
) -> Explanation:
    """Explain what changed a forecast since ``back`` rows earlier.

    Integrated gradients from the same stocks' rows ``back`` dates earlier to those of the date,
    through the input normalizer and its statistics: the attributions add up to the change of the
    forecast. Through ranks, which have no derivative, Shapley values of features and places stand
    in their stead. Rows that would lie before the first do not move: an endless memory needs
    history enough.

    Args:
        served: The model.
        laid: The model's raw rows with enough history, as :meth:`Served.laid` lays them out.
        symbol: Whom to explain.
        date: The newest date on which the symbol has a forecast, by default.
        back: Dates between the rows that are held against each other.
        nodes: Gauss-Legendre nodes, doubled where completeness is missed.
        raw: The raw rows themselves: the forecast is taken back to their daily returns, too, or it
            is said why it cannot be. None: it stops at the features.

    Raises:
        ExplainError: No such symbol or date, or no forecast of it.
    """
    if back < 1:
        raise ExplainError(f"back must be at least 1 date; it is {back}")
    values, member = torch.from_numpy(laid.values).double(), torch.from_numpy(laid.member)
    column = column_of(laid, symbol)
    there = forecasts_there(served, laid)
    end = row_of(laid, there[:, column].nonzero().flatten(), symbol, date)
    if end - back < served.window:
        raise ExplainError(
            f"{back} dates before {day_of(laid, end)} there is no whole window of {served.window} "
            f"rows: the rows begin on {day_of(laid, 0)}; take a smaller back"
        )
    everyone = there[end].nonzero().flatten()
    coupled = resolve(served.variant).coupling != "none"
    around = surroundings(
        FixedStatistics.serving(served), values, member, end,
        everyone if coupled else torch.tensor([column]),
    )  # fmt: skip
    place = int((around.symbols == column).nonzero())
    start = rows_at(values, around.first - back, len(around.values))
    scores = served.scores(laid, end)[everyone.numpy()]
    forecast, spread = float(scores[(everyone == column).numpy()][0]), float(scores.std()) or 1.0
    if around.differentiable:
        (found,) = supplied_attributions(around, start, [place], spread, nodes)
        change, gap = found.change, found.gap
        table = by_feature(
            laid.features,
            found.by_origin(found.attributions),
            found.by_origin(found.attributions.abs()),
        )
        window = slice(around.date - served.window + 1, around.date + 1)
        by_lag = found.attributions[window, column].numpy()
    else:
        values, _ = shapley_of_origins(
            around, start, place, torch.Generator().manual_seed(0), PAIRS
        )  # fmt: skip
        table = by_feature(laid.features, values, values.abs())
        change, gap, by_lag = float(values.sum()), 0.0, None
    prices, stops = None, ""
    if raw is not None:
        columns = torch.arange(len(laid.symbols)) if coupled else torch.tensor([column])
        if not coupled:  # a network that reads one stock is spared the normalizing of all
            own = values[:, columns], member[:, columns]
            around = surroundings(FixedStatistics.serving(served), *own, end, torch.tensor([0]))
        prices, stops = prices_or_why(
            served.data, raw, around, laid.features, around.first - back, place, spread, nodes,
            columns,
        )  # fmt: skip
    return Explanation(
        served.variant, symbol, day_of(laid, end), day_of(laid, end - back), forecast,
        forecast - change, int((scores > forecast).sum()) + 1, len(scores), spread, gap,
        table, by_lag, laid.features, prices, stops,
    )  # fmt: skip


def extremes(served: Served, laid: ModelInputs, date: np.datetime64 | None = None) -> list[str]:
    """The symbols with the highest and the lowest forecast of a date, by default the newest.

    Raises:
        ExplainError: There is no forecast on the date.
    """
    known = forecasts_there(served, laid).any(dim=1).nonzero().flatten()
    scores = served.scores(laid, row_of(laid, known, "any symbol", date))
    ends = laid.symbols[[int(np.nanargmax(scores)), int(np.nanargmin(scores))]]
    return list(dict.fromkeys(map(str, ends)))


def by_feature(features: tuple[str, ...], signed: Tensor, size: Tensor) -> pd.DataFrame:
    """Long rows of two (4, F) tables of origins by features."""
    return pd.DataFrame(
        {
            "feature": np.repeat(np.array(features, dtype=object), len(ORIGINS)),
            "origin": np.tile(np.array(ORIGINS, dtype=object), len(features)),
            "attribution": signed.T.flatten().numpy(),
            "absolute": size.T.flatten().numpy(),
        }
    )


def forecasts_there(served: Served, laid: ModelInputs) -> Tensor:
    """(D, S) bool: where there is a forecast."""
    values = served.normalized(laid)
    member, days = torch.from_numpy(laid.member), len(laid.dates)
    there = torch.zeros(laid.member.shape, dtype=torch.bool)
    if days >= served.window:
        samples = eligible(values, member, range(days), served.window)
        there[samples % days, samples // days] = True
    return there


def column_of(laid: ModelInputs, symbol: str) -> int:
    """Column of a symbol.

    Raises:
        ExplainError: There is none of that name; says which are near.
    """
    found = np.flatnonzero(laid.symbols == symbol)
    if not len(found):
        names = ", ".join(map(str, laid.symbols[:12])) + (", ..." if len(laid.symbols) > 12 else "")
        raise ExplainError(f"no symbol {symbol!r} in the rows; there are {names}")
    return int(found[0])


def row_of(laid: ModelInputs, known: Tensor, symbol: str, date: np.datetime64 | None) -> int:
    """Row of the date, or of the newest on which the symbol has a forecast.

    Raises:
        ExplainError: There is no forecast of the symbol, or none on that date.
    """
    if not len(known):
        raise ExplainError(f"{symbol} has no whole window in the rows, and so no forecast")
    if date is None:
        return int(known[-1])
    row = np.flatnonzero(laid.dates.astype("datetime64[D]") == date.astype("datetime64[D]"))
    if not len(row) or int(row[0]) not in known.tolist():
        first, last = day_of(laid, int(known[0])), day_of(laid, int(known[-1]))
        raise ExplainError(
            f"no forecast of {symbol} on {date.astype('datetime64[D]')}: there are some from "
            f"{first} to {last}, on trading days"
        )
    return int(row[0])


def day_of(laid: ModelInputs, row: int) -> str:
    """A date as text."""
    return str(laid.dates[row].astype("datetime64[D]"))
