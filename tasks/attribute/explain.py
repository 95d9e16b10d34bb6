"""Explanation of one forecast of a model: contributions by feature, lag and origin."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from foldproof.models.normalizers import resolve
from foldproof.models.windows import eligible
from foldproof.tasks.attribute.methods.adaptive import TOLERANCE
from foldproof.tasks.attribute.origins.origins import by_origin, origin_rows, origin_shares
from foldproof.tasks.attribute.origins.price_result import FromPrices
from foldproof.tasks.attribute.origins.prices import prices_or_reason
from foldproof.tasks.attribute.origins.raw_rows import FixedStatistics, neighbourhood_of, rows_at
from foldproof.tasks.train.serving.model import ModelInputs, Served

PAIRS = 16
"""Orders for Shapley values where ranks have no derivative: enough to separate features."""


class ExplainError(ValueError):
    """There is no such forecast to explain; the message lists the available ones."""


@dataclass(frozen=True, eq=False)
class Explanation:
    """A forecast, and the causes of its change since earlier rows.

    Attributes:
        variant: Of the model.
        symbol: The stock that is forecast.
        date: The date on which its window ends.
        against: The earlier date whose rows are the baseline.
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
            that was not requested or is not possible.
        stops: Why it is not possible; empty where it is, or was not requested.
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
        """Attribution of each feature over all origins, the largest in size first."""
        sums = self.by_feature.groupby("feature", sort=False)["attribution"].sum()
        return sums.reindex(sums.abs().sort_values(ascending=False, kind="stable").index)

    def shares(self) -> pd.Series:
        """Share of each origin in the sum of absolute attributions; sums to 1."""
        return origin_shares(self.by_feature)


def explain_forecast(
    served: Served,
    rows: ModelInputs,
    symbol: str,
    date: np.datetime64 | None = None,
    back: int = 21,
    nodes: int = 10,
    raw: pd.DataFrame | None = None,
) -> Explanation:
    """Explain the change of a forecast since ``back`` rows earlier.

    Integrated gradients from the same stocks' rows ``back`` dates earlier to those of the date,
    through the input normalizer and its statistics: the attributions add up to the change of the
    forecast. For ranks, which have no derivative, Shapley values of features and origins are used
    instead. Rows before the first one do not move, so a normalizer with a long memory needs enough
    history.

    Args:
        served: The model.
        rows: The model's rows with enough history, as returned by :meth:`Served.inputs`.
        symbol: The stock to explain.
        date: By default the newest date on which the symbol has a forecast.
        back: Dates between the two sets of rows.
        nodes: Gauss-Legendre nodes, doubled where completeness is missed.
        raw: The raw rows: the forecast is also attributed to their daily returns, or the reason why
            that is impossible is given. None stops at the features.

    Raises:
        ExplainError: No such symbol or date, or no forecast of it.
    """
    if back < 1:
        raise ExplainError(f"back must be at least 1 date; it is {back}")
    values, member = torch.from_numpy(rows.values).double(), torch.from_numpy(rows.member)
    column = column_of(rows, symbol)
    available = available_forecasts(served, rows)
    end = date_row(rows, available[:, column].nonzero().flatten(), symbol, date)
    if end - back < served.window:
        raise ExplainError(
            f"{back} dates before {day_of(rows, end)} there is no whole window of {served.window} "
            f"rows: the rows begin on {day_of(rows, 0)}; use a smaller back"
        )
    everyone = available[end].nonzero().flatten()
    coupled = resolve(served.variant).coupling != "none"
    model = FixedStatistics.serving(served)
    scored = everyone if coupled else torch.tensor([column])
    neighbourhood = neighbourhood_of(model, values, member, end, scored)
    place = int((neighbourhood.symbols == column).nonzero())
    start = rows_at(values, neighbourhood.first - back, len(neighbourhood.values))
    scores = served.scores(rows, end)[everyone.numpy()]
    forecast, spread = float(scores[(everyone == column).numpy()][0]), float(scores.std()) or 1.0
    found = by_origin(neighbourhood, start, place, spread, nodes, seed=0, pairs=PAIRS)
    table = pd.DataFrame(
        origin_rows(rows.features, found), columns=["feature", "origin", "attribution", "absolute"]
    )
    by_lag = None
    if found.cells is not None:
        last = neighbourhood.date + 1
        by_lag = found.cells[last - served.window : last, column].numpy()
    prices, stops = None, ""
    if raw is not None:
        prices, stops = prices_or_reason(
            model, values, member, end, column, everyone if coupled else None, served.data, raw,
            rows.features, back, spread, nodes,
        )  # fmt: skip
    return Explanation(
        variant=served.variant,
        symbol=symbol,
        date=day_of(rows, end),
        against=day_of(rows, end - back),
        forecast=forecast,
        before=forecast - found.change,
        rank=int((scores > forecast).sum()) + 1,
        count=len(scores),
        spread=spread,
        gap=found.gap,
        by_feature=table,
        by_lag=by_lag,
        features=rows.features,
        prices=prices,
        stops=stops,
    )


def extremes(served: Served, rows: ModelInputs, date: np.datetime64 | None = None) -> list[str]:
    """The symbols with the highest and the lowest forecast of a date, by default the newest.

    Raises:
        ExplainError: There is no forecast on the date.
    """
    known = available_forecasts(served, rows).any(dim=1).nonzero().flatten()
    scores = served.scores(rows, date_row(rows, known, "any symbol", date))
    ends = rows.symbols[[int(np.nanargmax(scores)), int(np.nanargmin(scores))]]
    return list(dict.fromkeys(map(str, ends)))


def available_forecasts(served: Served, rows: ModelInputs) -> Tensor:
    """(D, S) bool: where a forecast exists."""
    values = served.normalized(rows)
    member, days = torch.from_numpy(rows.member), len(rows.dates)
    samples = eligible(values, member, range(days), served.window)
    available = torch.zeros_like(member)
    available[samples % days, samples // days] = True
    return available


def column_of(rows: ModelInputs, symbol: str) -> int:
    """Column of a symbol.

    Raises:
        ExplainError: Unknown symbol; lists the first known ones.
    """
    found = np.flatnonzero(rows.symbols == symbol)
    if not len(found):
        names = ", ".join(map(str, rows.symbols[:12])) + (", ..." if len(rows.symbols) > 12 else "")
        raise ExplainError(f"no symbol {symbol!r} in the rows; there are {names}")
    return int(found[0])


def date_row(rows: ModelInputs, known: Tensor, symbol: str, date: np.datetime64 | None) -> int:
    """Row of the date, or of the newest on which the symbol has a forecast.

    Raises:
        ExplainError: There is no forecast of the symbol, or none on that date.
    """
    if not len(known):
        raise ExplainError(f"{symbol} has no whole window in the rows, and so no forecast")
    if date is None:
        return int(known[-1])
    row = np.flatnonzero(rows.dates.astype("datetime64[D]") == date.astype("datetime64[D]"))
    if not len(row) or int(row[0]) not in known.tolist():
        first, last = day_of(rows, int(known[0])), day_of(rows, int(known[-1]))
        raise ExplainError(
            f"no forecast of {symbol} on {date.astype('datetime64[D]')}: forecasts exist on "
            f"trading days from {first} to {last}"
        )
    return int(row[0])


def day_of(rows: ModelInputs, row: int) -> str:
    """A date as text."""
    return str(rows.dates[row].astype("datetime64[D]"))
