"""The Prefect tasks of this step: attributions of one variant's units, and of single forecasts."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import date as date_of_day
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from prefect import task

from foldproof.tasks.attribute.explain import Explanation, explain_forecast, extremes
from foldproof.tasks.attribute.origins.origins import origins_of_unit
from foldproof.tasks.attribute.origins.prices import prices_of_unit
from foldproof.tasks.attribute.spec import AttributionSpec
from foldproof.tasks.attribute.trust.baselines import baseline_agreement
from foldproof.tasks.attribute.trust.checks import all_checks
from foldproof.tasks.attribute.trust.drift import drifts
from foldproof.tasks.attribute.unit.attribution import attribute_unit
from foldproof.tasks.attribute.unit.inputs import UnitInputs, unit_inputs
from foldproof.tasks.attribute.unit.tables import Attribution, NewestUnit
from foldproof.tasks.data import DataSpec, load, load_raw
from foldproof.tasks.data.panel.kept_rows import rows_of
from foldproof.tasks.task import kept_task
from foldproof.tasks.timing import Timed, timed
from foldproof.tasks.train import TrainedUnit, code_version, units_key
from foldproof.tasks.train.serving.model import read_served
from foldproof.tasks.train.task import whole


def attribution_key(_: Any, parameters: dict[str, Any]) -> str:
    """Prefect's cache key of the attributions: units, spec and code."""
    spec, version = parameters["spec"], code_version(__name__)
    return units_key("attribute", parameters["trained"], asdict(spec), version)


@kept_task(
    attribution_key,
    name="attribute",
    tags=["attribute"],
    task_run_name="attribute {trained[0].unit.variant}",
)
def attribute(
    trained: list[TrainedUnit], spec: AttributionSpec, panel: Path, data: DataSpec
) -> Timed[list[Attribution]]:
    """Attributions of one variant in every fold, by the methods and for the seeds of ``spec``."""
    content = load(panel)
    trained = of_first_seeds(trained, spec.seeds)
    last = max(trained, key=lambda one: (one.unit.fold.number, -one.unit.seed))

    def attributed(inputs: UnitInputs) -> Attribution:
        seed = inputs.trained.unit.seed
        return attribute_unit(inputs, spec.samples, spec.nodes, seed, spec.methods, spec.groups)

    def each() -> list[Attribution]:
        newest, place = unit_inputs(whole(last), content), trained.index(last)
        found = [
            attributed(newest if one is last else unit_inputs(whole(one), content))
            for one in trained
        ]
        found[place] = replace(found[place], newest=newest_unit(newest, found, spec, data, panel))
        return found

    return timed(each)


def of_first_seeds(trained: list[TrainedUnit], number: int) -> list[TrainedUnit]:
    """The units of the ``number`` smallest seeds; all units if ``number`` is 0."""
    seeds = sorted({one.unit.seed for one in trained})[: number or None]
    return [one for one in trained if one.unit.seed in seeds]


def newest_unit(
    inputs: UnitInputs,
    found: Sequence[Attribution],
    spec: AttributionSpec,
    data: DataSpec,
    panel: Path | None = None,
) -> NewestUnit:
    """The tables of the newest unit, as far as ``spec`` asks for them.

    Args:
        inputs: The newest unit with its panel.
        found: Attributions of all units of the variant.
        spec: Settings.
        data: How the panel was made.
        panel: Its folder, with the rows that it was made from.
    """
    new: dict[str, pd.DataFrame] = {}
    if spec.origins:
        new["origins"], new["supplied"] = origins_of_unit(inputs, spec.origins, spec.nodes)
    if spec.prices:
        new["by_return"], new["to_prices"] = prices_of_unit(
            inputs, data, rows_of(panel, data), spec.origins, spec.nodes
        )
    if spec.baselines:
        new["baselines"] = baseline_agreement(inputs, spec.baselines, spec.samples, spec.nodes)
    new["drift"] = drifts(pd.concat([one.periods for one in found]), spec.drift_alert)
    if spec.trust:
        new["checks"] = all_checks(
            inputs,
            pd.concat([one.importance for one in found]),
            spec.trust,
            canaries=spec.canaries,
            permuted_labels=spec.permuted_labels,
            samples=spec.samples,
            nodes=spec.nodes,
        )
    return NewestUnit(**new)


@task(name="explain forecasts")
def explain_forecasts(
    weights: Path,
    notes: Path,
    rows: str | None,
    symbol: str | None,
    date: date_of_day | None,
    back: int,
    nodes: int,
    prices: bool,
) -> Timed[list[Explanation]]:
    """One forecast of a logged model, or the highest and the lowest of a date."""
    served = read_served(weights, notes)
    data = replace(served.data, end=None)  # nights after that of the training, too
    data = replace(data, source="file", path=rows) if rows else data
    raw, day = load_raw(data), None if date is None else np.datetime64(date)

    def each() -> list[Explanation]:
        known = served.inputs(raw)
        named = [symbol] if symbol else extremes(served, known, day)
        priced = raw if prices else None
        return [explain_forecast(served, known, name, day, back, nodes, priced) for name in named]

    return timed(each)
