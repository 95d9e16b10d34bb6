"""Some test forecasts of a unit, taken on to the daily returns that features are made of."""

import numpy as np
import pandas as pd
import torch

from foldproof.models.normalizers import resolve
from foldproof.tasks.attribute.origins.by_return import prices_or_why
from foldproof.tasks.attribute.origins.origins import chosen_forecasts
from foldproof.tasks.attribute.origins.price_result import PARTS, FromPrices
from foldproof.tasks.attribute.origins.raw_rows import (
    FixedStatistics,
    follows_later_rows,
    surroundings,
)
from foldproof.tasks.attribute.unit.inputs import UnitInputs, unit_inputs
from foldproof.tasks.attribute.unit.tables import COLUMNS
from foldproof.tasks.data.panel import Panel
from foldproof.tasks.data.spec import DataSpec
from foldproof.tasks.train import TrainedUnit


def prices_of_unit(
    trained: TrainedUnit,
    panel: Panel,
    data: DataSpec,
    raw: pd.DataFrame,
    forecasts: int,
    nodes: int,
    seed: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Take the forecasts that :func:`~tasks.attribute.origins.origins_of_unit` took on to prices.

    Each is held against the same stocks' returns up to the same date of the training block. The
    two ends lie years apart, so what counts is how far back a return stands, not its day.

    Args:
        trained: The unit.
        panel: The panel that it was trained on.
        data: What the panel was made of, and how.
        raw: Its checked rows.
        forecasts: How many, at most.
        nodes: Gauss-Legendre nodes, doubled where completeness is missed.
        seed: Of forecasts and reference dates.

    Returns:
        variant, fold, seed, date, symbol, lag, part (of PARTS), attribution, absolute (sum of
        sizes over symbols); and variant, fold, seed, date, symbol, change, gap, nodes, resolved,
        stops (why it stops at the features; empty where it does not).

    Raises:
        ValueError: As :func:`~tasks.attribute.origins.origins_of_unit`.
    """
    scene = unit_inputs(trained, panel)
    rows, lines = [], []
    spread = float(trained.forecasts["forecast"].std(ddof=0)) or 1.0
    for sample, reference in chosen_forecasts(scene, forecasts, seed):
        date, symbol = sample % len(panel.dates), panel.symbols[sample // len(panel.dates)]
        unit = trained.unit
        who = (unit.variant, unit.fold.number, unit.seed, panel.dates[date], symbol)
        found, stops = one_forecast(scene, data, raw, sample, reference, spread, nodes)
        if found is None:
            lines.append((*who, np.nan, np.nan, 0, False, stops))
            continue
        rows.append(lagged(found, who))
        lines.append((*who, found.change, found.gap, found.nodes, found.resolved, ""))
    none = pd.DataFrame(columns=list(COLUMNS["by_return"]))
    table = pd.concat(rows, ignore_index=True) if rows else none
    return table, pd.DataFrame(lines, columns=list(COLUMNS["to_prices"]))


def one_forecast(
    scene: UnitInputs,
    data: DataSpec,
    raw: pd.DataFrame,
    sample: int,
    reference: int,
    spread: float,
    nodes: int,
) -> tuple[FromPrices | None, str]:
    """One forecast, against the rows up to a reference date; or why it stops at the features."""
    panel, unit = scene.panel, scene.trained.unit
    days, variant = len(panel.dates), resolve(unit.variant)
    date, column = sample % days, torch.tensor([sample // days])
    values, member = (torch.from_numpy(np.array(one)) for one in (panel.values, panel.member))
    if follows_later_rows(variant.input, values, member, unit.fold.train):
        return None, "the input is normalized by rows up to the panel's end: all prices would move"
    values, columns = values.double(), torch.arange(len(panel.symbols))
    everyone = scene.test[scene.test % days == date] // days
    if variant.coupling == "none":  # spared the normalizing of all
        columns, everyone = column, torch.tensor([0])
    model = FixedStatistics.of(scene.trained)
    around = surroundings(model, values[:, columns], member[:, columns], date, everyone)
    place = int((columns[everyone] == column).nonzero())
    start = reference - around.date
    return prices_or_why(data, raw, around, panel.features, start, place, spread, nodes, columns)


def lagged(found: FromPrices, who: tuple[object, ...]) -> pd.DataFrame:
    """Long rows of lags and PARTS that something rests on; ``who`` goes before."""
    signed = found.parts(found.attributions)
    size = found.parts(found.attributions.abs())
    lag = found.date - np.arange(len(size))
    row, part = np.nonzero(size)
    columns = [lag[row], np.array(PARTS, dtype=object)[part], signed[row, part], size[row, part]]
    cells = [[*who, *one] for one in zip(*columns, strict=True)]
    return pd.DataFrame(cells, columns=list(COLUMNS["by_return"]))
