"""What forecasts rest on: their own windows, rows before, other symbols, rows not yet known."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Generator, Tensor

from foldproof.models.normalizers import resolve
from foldproof.tasks.attribute.baselines.sampling import draw, spread_samples
from foldproof.tasks.attribute.methods.adaptive import TOLERANCE
from foldproof.tasks.attribute.methods.shapley import EXACT_UP_TO, from_coalitions, from_orders
from foldproof.tasks.attribute.origins.raw_rows import (
    ORIGINS,
    FixedStatistics,
    RawNeighbourhood,
    rows_at,
    supplied_attributions,
    surroundings,
)
from foldproof.tasks.attribute.unit.inputs import UnitInputs, unit_inputs
from foldproof.tasks.attribute.unit.tables import COLUMNS
from foldproof.tasks.data.panel import Panel
from foldproof.tasks.train import TrainedUnit

PAIRS = 4
"""Orders of the cells that Shapley values are drawn from, each with its reverse."""


@dataclass(frozen=True, eq=False)
class Origins:
    """Some forecasts of units, taken back to the supplied features and to where these stand.

    Attributes:
        origins: variant, fold, seed, date, symbol, feature, origin (of ORIGINS), attribution (sum
            of its cells, in target units), absolute (sum of their absolute values; for ranks,
            which have no derivative, the size of the Shapley value).
        supplied: variant, fold, seed, date, symbol, change (of the forecast from the reference
            rows), gap (completeness error in spreads of the unit's forecasts), nodes, resolved
            (gap within the tolerance), method.
    """

    origins: pd.DataFrame
    supplied: pd.DataFrame

    def shares(self) -> pd.DataFrame:
        """Share of each origin in the attributions of a variant: (variant) x (origin), sums 1.

        Of absolute values; of the size of the Shapley values for ranks.
        """
        by_variant = self.origins.groupby("variant", sort=False)
        return pd.DataFrame({name: origin_shares(rows) for name, rows in by_variant}).T


def origin_shares(rows: pd.DataFrame) -> pd.Series:
    """Share of each of ORIGINS in all that moves the forecasts of rows of origin and absolute."""
    sums = rows.groupby("origin")["absolute"].sum().reindex(list(ORIGINS))
    return sums / sums.sum()


def origins_of_unit(
    trained: TrainedUnit, panel: Panel, forecasts: int, nodes: int, seed: int
) -> Origins:
    """Take evenly spread test forecasts of a unit back to the supplied features.

    Each is held against the same stocks' rows of a date drawn from the training block. Statistics
    of the input normalizer move along; those fitted on the training block are constants.

    Args:
        trained: The unit.
        panel: The panel that it was trained on.
        forecasts: How many, at most.
        nodes: Gauss-Legendre nodes, doubled where completeness is missed.
        seed: Of forecasts and reference dates.

    Raises:
        ValueError: ``forecasts`` below 1; no whole window; another panel.
    """
    if forecasts < 1:
        raise ValueError(f"forecasts must be at least 1; it is {forecasts}")
    scene = unit_inputs(trained, panel)
    spread = float(trained.forecasts["forecast"].std(ddof=0)) or 1.0
    parts = [
        one_forecast(scene, sample, reference, spread, nodes)
        for sample, reference in chosen_forecasts(scene, forecasts, seed)
    ]
    rows, lines = zip(*parts, strict=True)
    return Origins(
        pd.DataFrame([row for part in rows for row in part], columns=list(COLUMNS["origins"])),
        pd.DataFrame(lines, columns=list(COLUMNS["supplied"])),
    )


def chosen_forecasts(scene: UnitInputs, forecasts: int, seed: int) -> list[tuple[int, int]]:
    """Evenly spread test samples, each with the row of a date drawn from the training block."""
    generator = torch.Generator().manual_seed(seed)
    chosen = spread_samples(scene.test, forecasts, generator)
    references = draw(scene.train, len(chosen), generator) % len(scene.panel.dates)
    return list(zip(chosen.tolist(), references.tolist(), strict=True))


def one_forecast(
    scene: UnitInputs, sample: int, reference: int, spread: float, nodes: int
) -> tuple[list[tuple[object, ...]], tuple[object, ...]]:
    """Rows of both tables on one forecast, against the rows of a reference date."""
    panel, unit, days = scene.panel, scene.trained.unit, len(scene.panel.dates)
    date = sample % days
    same = scene.test[scene.test % days == date]
    if resolve(unit.variant).coupling == "none":
        same = torch.tensor([sample])
    values, member = (torch.from_numpy(np.array(one)) for one in (panel.values, panel.member))
    values = values.double()
    around = surroundings(FixedStatistics.of(scene.trained), values, member, date, same // days)
    place = int((same == sample).nonzero())
    start = rows_at(values, reference - around.date, len(around.values))
    who = (
        unit.variant,
        unit.fold.number,
        unit.seed,
        panel.dates[date],
        panel.symbols[sample // days],
    )
    if not around.differentiable:
        values, _ = shapley_of_origins(
            around, start, place, torch.Generator().manual_seed(unit.seed)
        )  # fmt: skip
        rows = rows_of(who, panel.features, values, values.abs())
        return rows, (*who, float(values.sum()), 0.0, 0, True, "Shapley values")
    (found,) = supplied_attributions(around, start, [place], spread, nodes)
    line = (found.change, found.gap, found.nodes, abs(found.gap) <= TOLERANCE)
    sums = found.by_origin(found.attributions), found.by_origin(found.attributions.abs())
    return rows_of(who, panel.features, *sums), (*who, *line, "integrated gradients")


def rows_of(
    who: tuple[object, ...], features: tuple[str, ...], signed: Tensor, size: Tensor
) -> list[tuple[object, ...]]:
    """A row for each feature and origin of two (4, F) tables."""
    return [
        (*who, feature, name, float(signed[k, f]), float(size[k, f]))
        for f, feature in enumerate(features)
        for k, name in enumerate(ORIGINS)
    ]


def shapley_of_origins(
    around: RawNeighbourhood,
    reference: Tensor,
    place: int,
    generator: Generator,
    pairs: int = PAIRS,
) -> tuple[Tensor, Tensor]:
    """Shapley values of the cells of each feature and origin: they move together or stay.

    Needs no derivative, so it holds for ranks too. Exact for up to eight players, which are the
    pairs of feature and origin that have cells to move and, taken alone, do not leave the forecast
    as it is; else means over random orders, each with its reverse.

    Args:
        around: The date's surroundings.
        reference: (R, S, F) rows to start from.
        place: Which of the date's forecasts.
        generator: Draws the orders.
        pairs: Orders drawn, each taken forwards and backwards.

    Returns:
        (4, F) values, which add up to the change of the forecast, and their standard errors.
    """
    moves = around.values.isfinite() & reference.isfinite()
    start = torch.where(moves, reference, around.values)
    origin = around.origin(int(around.symbols[place])).unsqueeze(-1)
    features = torch.arange(around.values.shape[-1])
    cells = [
        (k, f, (origin == k) & (features == f) & moves)
        for k in range(len(ORIGINS))
        for f in features.tolist()
    ]

    def forecast(region: Tensor) -> Tensor:
        with torch.no_grad():
            return around.forecast(region)[place].double()

    whole, none = forecast(around.values), forecast(start)
    players = [
        (k, f, mask)
        for k, f, mask in cells
        if forecast(torch.where(mask, around.values, start)) != none
        or forecast(torch.where(mask, start, around.values)) != whole
    ]

    def worth(absent: Tensor) -> Tensor:  # (1, M, G) -> (1, M)
        scores = []
        for gone in absent[0]:
            away = [mask for (_, _, mask), out in zip(players, gone.tolist(), strict=True) if out]
            region = around.values
            for mask in away:
                region = torch.where(mask, start, region)
            scores.append(forecast(region))
        return torch.stack(scores).unsqueeze(0)

    values, errors = (torch.zeros(len(ORIGINS), len(features)).double() for _ in range(2))
    if not players:
        return values, errors
    if len(players) <= EXACT_UP_TO:
        found = from_coalitions(worth, 1, len(players))
        error = torch.zeros_like(found)
    else:
        orders = torch.rand(1, pairs, len(players), generator=generator).argsort(-1)
        shapley = from_orders(worth, orders)
        found, error = shapley.values, shapley.error
    for place_of, (k, f, _) in enumerate(players):
        values[k, f], errors[k, f] = found[0, place_of], error[0, place_of]
    return values, errors
