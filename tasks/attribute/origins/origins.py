"""Attributions by origin: own window, earlier rows, other symbols, rows not yet known."""

import numpy as np
import pandas as pd
import torch
from torch import Generator, Tensor

from foldproof.tasks.attribute.baselines.sampling import draw, spread_samples
from foldproof.tasks.attribute.methods.shapley import EXACT_UP_TO, from_coalitions, from_orders
from foldproof.tasks.attribute.origins.raw_rows import (
    ORIGINS,
    ByOrigin,
    FixedStatistics,
    RawNeighbourhood,
    neighbourhood_of,
    rows_at,
    supplied_attributions,
)
from foldproof.tasks.attribute.unit.inputs import UnitInputs
from foldproof.tasks.attribute.unit.tables import COLUMNS

PAIRS = 4
"""Random orders of the cells for Shapley values, each with its reverse."""


def by_origin(
    neighbourhood: RawNeighbourhood,
    reference: Tensor,
    place: int,
    spread: float,
    nodes: int,
    seed: int,
    pairs: int = PAIRS,
) -> ByOrigin:
    """Integrated gradients by origin; Shapley values where ranks leave no derivative.

    Shapley values also where a variant with kinks leaves integrated gradients that do not add up.

    Args:
        neighbourhood: The raw neighbourhood of the date.
        reference: (R, S, F) rows to start from.
        place: Index of the forecast among the date's forecasts.
        spread: Standard deviation of the forecasts, the unit of the completeness error.
        nodes: Gauss-Legendre nodes, doubled where completeness is missed.
        seed: Of the orders of Shapley values.
        pairs: Orders of Shapley values, each used forwards and backwards.
    """
    if neighbourhood.differentiable:
        found = supplied_attributions(neighbourhood, reference, place, spread, nodes)
        if found.resolved or not neighbourhood.kinks:
            return found
    generator = torch.Generator().manual_seed(seed)
    values = shapley_of_origins(neighbourhood, reference, place, generator, pairs)
    return ByOrigin(values, values.abs(), float(values.sum()))


def origin_rows(features: tuple[str, ...], found: ByOrigin) -> list[tuple[str, str, float, float]]:
    """feature, origin, attribution, absolute for each feature and origin."""
    return [
        (feature, name, float(found.signed[k, f]), float(found.absolute[k, f]))
        for f, feature in enumerate(features)
        for k, name in enumerate(ORIGINS)
    ]


def origin_shares(rows: pd.DataFrame) -> pd.Series:
    """Share of each of ORIGINS in the sum of ``absolute`` of rows of origin and absolute."""
    sums = rows.groupby("origin")["absolute"].sum().reindex(list(ORIGINS))
    return sums / sums.sum()


def origins_of_unit(
    inputs: UnitInputs, forecasts: int, nodes: int
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Attribute evenly spread test forecasts of a unit to the supplied features, by origin.

    Each forecast is compared with the same stocks' rows of a date drawn from the training block.
    Statistics of the input normalizer move along the path; statistics that were fitted on the
    training block are constants.

    Args:
        inputs: The unit with its panel; its seed is that of all draws.
        forecasts: How many, at most.
        nodes: Gauss-Legendre nodes, doubled where completeness is missed.

    Returns:
        variant, fold, seed, date, symbol, feature, origin (of ORIGINS), attribution (sum over the
        cells, in target units), absolute (sum of their absolute values; for ranks and kinks,
        the size of the Shapley value); and variant, fold, seed, date, symbol, change
        (of the forecast since the reference rows), gap (completeness error in spreads of the unit's
        forecasts), nodes, resolved (gap within the tolerance), method.
    """
    panel, days = inputs.panel, len(inputs.panel.dates)
    model = FixedStatistics.of(inputs.trained)
    values = torch.from_numpy(np.array(panel.values)).double()
    rows: list[tuple[object, ...]] = []
    lines: list[tuple[object, ...]] = []
    for sample, reference in chosen_forecasts(inputs, forecasts):
        date = sample % days
        same = inputs.test[inputs.test % days == date] if inputs.coupled else torch.tensor([sample])
        neighbourhood = neighbourhood_of(model, values, inputs.member, date, same // days)
        place = int((same == sample).nonzero())
        start = rows_at(values, reference - neighbourhood.date, len(neighbourhood.values))
        seed = inputs.trained.unit.seed
        found = by_origin(neighbourhood, start, place, inputs.spread, nodes, seed)
        key = (*inputs.key.values(), panel.dates[date], panel.symbols[sample // days])
        method = "Shapley values" if found.cells is None else "integrated gradients"
        rows += [(*key, *row) for row in origin_rows(panel.features, found)]
        lines.append((*key, found.change, found.gap, found.nodes, found.resolved, method))
    return (
        pd.DataFrame(rows, columns=list(COLUMNS["origins"])),
        pd.DataFrame(lines, columns=list(COLUMNS["supplied"])),
    )


def chosen_forecasts(inputs: UnitInputs, forecasts: int) -> list[tuple[int, int]]:
    """Evenly spread test samples, each with the row of a date drawn from the training block."""
    generator = torch.Generator().manual_seed(inputs.trained.unit.seed)
    chosen = spread_samples(inputs.test, forecasts, generator)
    references = draw(inputs.train, len(chosen), generator) % len(inputs.panel.dates)
    return list(zip(chosen.tolist(), references.tolist(), strict=True))


def shapley_of_origins(
    neighbourhood: RawNeighbourhood, reference: Tensor, place: int, generator: Generator, pairs: int
) -> Tensor:
    """Shapley values of the players: all cells of one feature and one origin move together.

    Needs no derivative, so it also applies to ranks. Players are the pairs of feature and origin
    that have moving cells and, moved alone, change the forecast. Exact for up to eight players;
    above that, means over random orders, each with its reverse.

    Args:
        neighbourhood: The raw neighbourhood of the date.
        reference: (R, S, F) rows to start from.
        place: Index of the forecast among the date's forecasts.
        generator: Draws the orders.
        pairs: Orders drawn, each used forwards and backwards.

    Returns:
        (4, F) values, which add up to the change of the forecast.
    """
    now = neighbourhood.values
    moves, start = neighbourhood.start(reference)
    origin = neighbourhood.origin(int(neighbourhood.symbols[place])).unsqueeze(-1)
    features = torch.arange(now.shape[-1])

    def forecast(region: Tensor) -> Tensor:
        with torch.no_grad():
            return neighbourhood.forecast(region)[place].double()

    whole, none = forecast(now), forecast(start)
    players = [
        (k, f, mask)
        for k in range(len(ORIGINS))
        for f in features.tolist()
        for mask in [(origin == k) & (features == f) & moves]
        if forecast(torch.where(mask, now, start)) != none
        or forecast(torch.where(mask, start, now)) != whole
    ]

    def value(absent: Tensor) -> Tensor:  # (1, M, G) -> (1, M)
        scores = []
        for gone in absent[0]:
            region = now
            for (_, _, mask), out in zip(players, gone.tolist(), strict=True):
                region = torch.where(mask, start, region) if out else region
            scores.append(forecast(region))
        return torch.stack(scores).unsqueeze(0)

    values = torch.zeros(len(ORIGINS), len(features)).double()
    if not players:
        return values
    if len(players) <= EXACT_UP_TO:
        found = from_coalitions(value, 1, len(players))
    else:
        orders = torch.rand(1, pairs, len(players), generator=generator).argsort(-1)
        found = from_orders(value, orders).values
    for number, (k, f, _) in enumerate(players):
        values[k, f] = found[0, number]
    return values
