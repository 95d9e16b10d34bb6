"""The Prefect tasks of this step: attributions of one variant's units, and of single forecasts."""

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
from foldproof.tasks.attribute.trust.baselines import rebased
from foldproof.tasks.attribute.trust.checks import checked
from foldproof.tasks.attribute.trust.drift import drifts
from foldproof.tasks.attribute.unit.attribution import Attribution, attribute_unit
from foldproof.tasks.data import DataSpec, load, load_raw
from foldproof.tasks.timing import Timed, timed
from foldproof.tasks.train import TrainedUnit, code_version, units_key
from foldproof.tasks.train.serving.model import read_served


def attribution_key(_: Any, parameters: dict[str, Any]) -> str:
    """Where Prefect keeps the attributions: the units, the spec and the code decide them."""
    spec, version = parameters["spec"], code_version(__name__)
    return units_key("attribute", parameters["trained"], asdict(spec), version)


@task(
    name="attribute",
    task_run_name="attribute {trained[0].unit.variant}",
    persist_result=True,
    cache_key_fn=attribution_key,
)
def attribute(
    trained: list[TrainedUnit], spec: AttributionSpec, panel: Path, data: DataSpec
) -> Timed[list[Attribution]]:
    """Attributions of every unit of one variant, by the methods of ``spec``."""
    content = load(panel)
    newest = max(trained, key=lambda one: (one.unit.fold.number, -one.unit.seed))

    def attributed(one: TrainedUnit) -> Attribution:
        seed = one.unit.seed
        return attribute_unit(
            one, content, spec.samples, spec.nodes, seed, spec.methods, spec.groups
        )

    def each() -> list[Attribution]:
        found = [attributed(one) for one in trained]
        place = trained.index(newest)
        if spec.origins:
            back = origins_of_unit(newest, content, spec.origins, spec.nodes, newest.unit.seed)
            found[place] = replace(found[place], origins=back.origins, supplied=back.supplied)
        if spec.prices:
            rows = load_raw(data)
            by_return, to_prices = prices_of_unit(
                newest, content, data, rows, spec.origins, spec.nodes, newest.unit.seed
            )
            found[place] = replace(found[place], by_return=by_return, to_prices=to_prices)
        if spec.baselines:
            table = rebased(newest, content, spec.baselines, spec.samples, spec.nodes)
            found[place] = replace(found[place], baselines=table)
        moved = drifts(pd.concat([one.periods for one in found]), spec.drift_alert)
        found[place] = replace(found[place], drift=moved)
        if spec.trust:
            importance = pd.concat([one.importance for one in found])
            checks = checked(newest, content, importance, spec)
            found[place] = replace(found[place], checks=checks)
        return found

    return timed(each)


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
    data = replace(served.data, source="file", path=rows) if rows else served.data
    raw, day = load_raw(data), None if date is None else np.datetime64(date)

    def each() -> list[Explanation]:
        laid = served.inputs(raw)
        named = [symbol] if symbol else extremes(served, laid, day)
        known = raw if prices else None
        return [explain_forecast(served, laid, name, day, back, nodes, known) for name in named]

    return timed(each)
