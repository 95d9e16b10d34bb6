"""Attribution of some test forecasts of a unit to the daily returns that features are made of."""

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from foldproof.models.normalizers import resolve
from foldproof.tasks.attribute.origins.by_return import prices_or_reason
from foldproof.tasks.attribute.origins.origins import chosen_forecasts
from foldproof.tasks.attribute.origins.price_result import PARTS, FromPrices
from foldproof.tasks.attribute.origins.raw_rows import (
    FixedStatistics,
    RawNeighbourhood,
    follows_later_rows,
    neighbourhood_of,
)
from foldproof.tasks.attribute.unit.inputs import UnitInputs
from foldproof.tasks.attribute.unit.tables import COLUMNS, empty
from foldproof.tasks.data.spec import DataSpec


def prices_of_unit(
    inputs: UnitInputs, data: DataSpec, raw: pd.DataFrame, forecasts: int, nodes: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Attribute some test forecasts of a unit to the daily returns behind its features.

    The forecasts are those of :func:`~tasks.attribute.origins.origins.origins_of_unit`. Each
    forecast is compared with the same stocks' returns up to the same date of the training
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
    panel = inputs.panel
    rows, lines = [], []
    for sample, reference in chosen_forecasts(inputs, forecasts):
        date, column = sample % len(panel.dates), sample // len(panel.dates)
        key = (*inputs.key.values(), panel.dates[date], panel.symbols[column])
        found, stops = one_forecast(inputs, data, raw, date, column, reference, nodes)
        if found is None:
            lines.append((*key, np.nan, np.nan, 0, False, stops))
            continue
        rows.append(lag_rows(found, key))
        lines.append((*key, found.change, found.gap, found.nodes, found.resolved, ""))
    table = pd.concat(rows, ignore_index=True) if rows else empty("by_return")
    return table, pd.DataFrame(lines, columns=list(COLUMNS["to_prices"]))


def one_forecast(
    inputs: UnitInputs,
    data: DataSpec,
    raw: pd.DataFrame,
    date: int,
    column: int,
    reference: int,
    nodes: int,
) -> tuple[FromPrices | None, str]:
    """One forecast, against the rows up to a reference date; or why it stops at the features."""
    panel, unit, days = inputs.panel, inputs.trained.unit, len(inputs.panel.dates)
    values = torch.from_numpy(np.array(panel.values))
    if follows_later_rows(resolve(unit.variant).input, values, inputs.member, unit.fold.train):
        return None, "the input is normalized by rows up to the panel's end: all prices would move"
    everyone = inputs.test[inputs.test % days == date] // days if inputs.coupled else None
    model = FixedStatistics.of(inputs.trained)
    neighbourhood, columns, place = price_neighbourhood(
        model, values.double(), inputs.member, date, column, everyone
    )
    start = reference - neighbourhood.date
    return prices_or_reason(
        data, raw, neighbourhood, panel.features, start, place, inputs.spread, nodes, columns
    )


def price_neighbourhood(
    model: FixedStatistics,
    values: Tensor,
    member: Tensor,
    date: int,
    column: int,
    everyone: Tensor | None,
) -> tuple[RawNeighbourhood, Tensor, int]:
    """The raw neighbourhood of one forecast, restricted to its own stock if none is coupled.

    Args:
        model: The forecaster.
        values: (D, S, F) float64 supplied features.
        member: (D, S) bool.
        date: Row at which the windows end.
        column: The symbol that is forecast.
        everyone: Symbols that are scored on the date; None where the network reads one stock only,
            which saves normalizing the others.

    Returns:
        The neighbourhood, the columns of ``values`` that it holds, and the place of the forecast.
    """
    columns, symbols = torch.arange(values.shape[1]), everyone
    if symbols is None:
        columns, symbols = torch.tensor([column]), torch.tensor([0])
    found = neighbourhood_of(model, values[:, columns], member[:, columns], date, symbols)
    return found, columns, int((columns[symbols] == column).nonzero())


def lag_rows(found: FromPrices, key: tuple[object, ...]) -> pd.DataFrame:
    """Long rows of the lags and PARTS with any attribution; ``key`` comes first."""
    signed = found.parts(found.attributions)
    size = found.parts(found.attributions.abs())
    lag = found.date - np.arange(len(size))
    row, part = np.nonzero(size)
    columns = [lag[row], np.array(PARTS, dtype=object)[part], signed[row, part], size[row, part]]
    cells = [[*key, *one] for one in zip(*columns, strict=True)]
    return pd.DataFrame(cells, columns=list(COLUMNS["by_return"]))
