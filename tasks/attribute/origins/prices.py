"""Attribution of some test forecasts of a unit to the daily returns that features are made of."""

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from foldproof.models.normalizers import resolve, with_state
from foldproof.tasks.attribute.origins.by_return import (
    StopsAtFeaturesError,
    price_attributions,
    stops_at_features,
)
from foldproof.tasks.attribute.origins.origins import chosen_forecasts
from foldproof.tasks.attribute.origins.price_result import PARTS, FromPrices
from foldproof.tasks.attribute.origins.raw_rows import (
    FixedStatistics,
    follows_later_rows,
    neighbourhood_of,
)
from foldproof.tasks.attribute.origins.returns import Quotes
from foldproof.tasks.attribute.unit.inputs import UnitInputs
from foldproof.tasks.attribute.unit.tables import COLUMNS, empty
from foldproof.tasks.data.spec import DataSpec

WHOLE_PANEL = "the input is normalized by rows up to the panel's end: all prices would move"
"""Why a forecast stops at the features where a normalizer fits on all rows."""


def prices_of_unit(
    inputs: UnitInputs, data: DataSpec, raw: pd.DataFrame, forecasts: int, nodes: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Attribute some test forecasts of a unit to the daily returns behind its features.

    The forecasts are those of :func:`~foldproof.tasks.attribute.origins.origins.origins_of_unit`.
    Each forecast is compared with the same stocks' returns up to the same date of the training
    block. The two dates lie years apart, so returns are identified by lag, not by day.

    Args:
        inputs: The unit with its panel; its seed is that of all draws.
        data: How the panel was made.
        raw: The checked rows of the panel.
        forecasts: How many, at most.
        nodes: Gauss-Legendre nodes, doubled where completeness is missed.

    Returns:
        variant, fold, seed, date, symbol, lag, part (of PARTS), attribution, absolute (sum of
        sizes over symbols); and variant, fold, seed, date, symbol, change, gap, nodes, resolved,
        stops (why it stops at the features; empty where it does not).
    """
    panel, unit, days = inputs.panel, inputs.trained.unit, len(inputs.panel.dates)
    values, model = torch.from_numpy(np.array(panel.values)), FixedStatistics.of(inputs.trained)
    normalizer = with_state(resolve(unit.variant), inputs.trained.statistics).input
    whole = follows_later_rows(normalizer, values, inputs.member, unit.fold.train)
    rows, lines = [], []
    for sample, reference in chosen_forecasts(inputs, forecasts):
        date, column = sample % days, sample // days
        key = (*inputs.key.values(), panel.dates[date], panel.symbols[column])
        everyone = inputs.test[inputs.test % days == date] // days if inputs.coupled else None
        found, stops = None, WHOLE_PANEL
        if not whole:
            found, stops = prices_or_reason(
                model, values.double(), inputs.member, date, column, everyone, data, raw,
                panel.features, date - reference, inputs.spread, nodes,
            )  # fmt: skip
        if found is None:
            lines.append((*key, np.nan, np.nan, 0, False, stops))
            continue
        rows.append(lag_rows(found, key))
        lines.append((*key, found.change, found.gap, found.nodes, found.resolved, ""))
    table = pd.concat(rows, ignore_index=True) if rows else empty("by_return")
    return table, pd.DataFrame(lines, columns=list(COLUMNS["to_prices"]))


def prices_or_reason(
    model: FixedStatistics,
    values: Tensor,
    member: Tensor,
    date: int,
    column: int,
    everyone: Tensor | None,
    data: DataSpec,
    raw: pd.DataFrame,
    names: tuple[str, ...],
    back: int,
    spread: float,
    nodes: int,
) -> tuple[FromPrices | None, str]:
    """:func:`price_attributions` of one forecast; or None, and why it stops at the features.

    Args:
        model: The forecaster.
        values: (D, S, F) float64 supplied features.
        member: (D, S) bool.
        date: Row at which the windows end.
        column: The symbol that is forecast.
        everyone: Symbols that are scored on the date; None where the network reads one stock only,
            which saves normalizing the others.
        data: How the features were made.
        raw: The rows with their prices.
        names: F features.
        back: Rows from the reference to the date.
        spread: Standard deviation of forecasts, the unit of the completeness error.
        nodes: Gauss-Legendre nodes, doubled where completeness is missed.
    """
    stops = stops_at_features(data)
    if stops:
        return None, stops
    columns, symbols = torch.arange(values.shape[1]), everyone
    if symbols is None:
        columns, symbols = torch.tensor([column]), torch.tensor([0])
    own = neighbourhood_of(model, values[:, columns], member[:, columns], date, symbols)
    place, quotes = int((columns[symbols] == column).nonzero()), Quotes.of(raw, data.fill_limit)
    try:
        reference = own.first - back
        return price_attributions(own, quotes, names, reference, place, spread, nodes, columns), ""
    except StopsAtFeaturesError as error:
        return None, str(error)


def lag_rows(found: FromPrices, key: tuple[object, ...]) -> pd.DataFrame:
    """Long rows of the lags and PARTS with any attribution; ``key`` comes first."""
    signed = found.parts(found.attributions)
    size = found.parts(found.attributions.abs())
    lag = found.date - np.arange(len(size))
    row, part = np.nonzero(size)
    columns = [lag[row], np.array(PARTS, dtype=object)[part], signed[row, part], size[row, part]]
    cells = [[*key, *one] for one in zip(*columns, strict=True)]
    return pd.DataFrame(cells, columns=list(COLUMNS["by_return"]))
