"""What forecasts rest on: their own windows, rows before, other symbols, rows not yet known."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from math import comb
from types import MappingProxyType

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from models.normalizers import resolve
from tasks.attribute.sampling import draw, spread_samples
from tasks.attribute.supplied import (
    ORIGINS,
    TOLERANCE,
    Frozen,
    Supplied,
    Surroundings,
    rows_at,
    supplied_attributions,
    surroundings,
)
from tasks.attribute.unit import Scene, scene_of
from tasks.data.panel import Panel
from tasks.train import TrainedUnit

UNIT = ("variant", "fold", "seed")
EVERY = "(all)"
"""Stands for the feature where only all of them together could be told."""
COLUMNS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "origins": (*UNIT, "date", "symbol", "feature", "origin", "attribution", "absolute"),
        "supplied": (*UNIT, "date", "symbol", "change", "gap", "nodes", "resolved", "method"),
    }
)
"""The columns of each table."""


@dataclass(frozen=True, eq=False)
class Origins:
    """Some forecasts of units, taken back to the supplied features and to where these stand.

    Attributes:
        origins: variant, fold, seed, date, symbol, feature, origin (of ORIGINS), attribution (sum
            of its cells, in target units), absolute (sum of their absolute values; NaN for
            ranks, which have no derivative: ``feature`` is (all) there).
        supplied: variant, fold, seed, date, symbol, change (of the forecast from the reference
            rows), gap (completeness error in spreads of the unit's forecasts), nodes, resolved
            (gap within the tolerance), method.
    """

    origins: pd.DataFrame
    supplied: pd.DataFrame

    def shares(self) -> pd.DataFrame:
        """Share of each origin in the attributions of a variant: (variant) x (origin), sums 1.

        Of absolute values; of the size of the Shapley values where there are none.
        """
        size = self.origins["absolute"].fillna(self.origins["attribution"].abs())
        sums = size.groupby([self.origins["variant"], self.origins["origin"]], sort=False).sum()
        table = sums.unstack().reindex(columns=list(ORIGINS))
        return table.div(table.sum(axis=1), axis=0)


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
    scene, generator = scene_of(trained, panel), torch.Generator().manual_seed(seed)
    chosen = spread_samples(scene.test, forecasts, generator)
    references = draw(scene.train, len(chosen), generator) % len(panel.dates)
    spread = float(trained.forecasts["forecast"].std(ddof=0)) or 1.0
    parts = [
        one_forecast(scene, sample, reference, spread, nodes)
        for sample, reference in zip(chosen.tolist(), references.tolist(), strict=True)
    ]
    rows, lines = zip(*parts, strict=True)
    return Origins(
        pd.DataFrame([row for part in rows for row in part], columns=list(COLUMNS["origins"])),
        pd.DataFrame(lines, columns=list(COLUMNS["supplied"])),
    )


def one_forecast(
    scene: Scene, sample: int, reference: int, spread: float, nodes: int
) -> tuple[list[tuple[object, ...]], tuple[object, ...]]:
    """Rows of both tables on one forecast, against the rows of a reference date."""
    panel, unit, days = scene.panel, scene.trained.unit, len(scene.panel.dates)
    date = sample % days
    same = scene.test[scene.test % days == date]
    if resolve(unit.variant).coupling == "none":
        same = torch.tensor([sample])
    values, member = (torch.from_numpy(np.array(one)) for one in (panel.values, panel.member))
    values = values.double()
    around = surroundings(Frozen.of(scene.trained), values, member, date, same // days)
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
        values = shapley_of_origins(around, start, place)
        rows: list[tuple[object, ...]] = [
            (*who, EVERY, name, value, np.nan)
            for name, value in zip(ORIGINS, values.tolist(), strict=True)
        ]
        return rows, (*who, float(values.sum()), 0.0, 0, True, "Shapley values of origins")
    (found,) = supplied_attributions(around, start, [place], spread, nodes)
    line = (found.change, found.gap, found.nodes, abs(found.gap) <= TOLERANCE)
    return rows_of(who, panel.features, found), (*who, *line, "integrated gradients")


def rows_of(
    who: tuple[object, ...], features: tuple[str, ...], found: Supplied
) -> list[tuple[object, ...]]:
    """A row for each feature and origin."""
    signed, size = (
        found.by_origin(cells) for cells in (found.attributions, found.attributions.abs())
    )
    return [
        (*who, feature, name, float(signed[k, f]), float(size[k, f]))
        for f, feature in enumerate(features)
        for k, name in enumerate(ORIGINS)
    ]


def shapley_of_origins(around: Surroundings, reference: Tensor, place: int) -> Tensor:
    """(4,) exact Shapley values of the four origins: all their cells move together or stay.

    Needs no derivative, so it holds for ranks too; 16 forecasts. They add up to the change of the
    forecast to the last bits. Shapley 1953, as in Lundberg & Lee 2017.
    """
    moves = around.values.isfinite() & reference.isfinite()
    start = torch.where(moves, reference, around.values)
    origin = around.origin(int(around.symbols[place])).unsqueeze(-1)
    players = range(len(ORIGINS))
    worth: dict[frozenset[int], float] = {}
    with torch.no_grad():
        for size in range(len(ORIGINS) + 1):
            for team in map(frozenset, combinations(players, size)):
                there = torch.isin(origin, torch.tensor(sorted(team)))
                region = torch.where(there, around.values, start)
                worth[team] = float(around.forecast(region)[place])
    shares = [
        sum(
            (worth[team | {one}] - worth[team]) / comb(len(ORIGINS) - 1, len(team))
            for team in worth
            if one not in team
        )
        / len(ORIGINS)
        for one in players
    ]
    return torch.tensor(shares, dtype=torch.float64)
