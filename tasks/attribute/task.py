"""The Prefect task of this step: attributions of one variant's trained units."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from prefect import task

from tasks.attribute.spec import AttributionSpec
from tasks.attribute.unit import Attribution, attribute_unit
from tasks.data import load
from tasks.timing import Timed, timed
from tasks.train import TrainedUnit, code_version, units_key


def attribution_key(_: Any, parameters: dict[str, Any]) -> str:
    """Where Prefect keeps the attributions: the units, the spec and the code decide them."""
    spec, version = parameters["spec"], code_version(("tasks/attribute",))
    return units_key("attribute", parameters["trained"], asdict(spec), version)


@task(
    name="attribute",
    task_run_name="attribute {trained[0].unit.variant}",
    persist_result=True,
    cache_key_fn=attribution_key,
)
def attribute(
    trained: list[TrainedUnit], spec: AttributionSpec, panel: Path
) -> Timed[list[Attribution]]:
    """Attributions of every unit of one variant, by the methods of ``spec``."""
    content = load(panel)

    def each() -> list[Attribution]:
        return [
            attribute_unit(
                one,
                content,
                spec.samples,
                spec.nodes,
                one.unit.seed,
                spec.methods,
                spec.groups,
            )
            for one in trained
        ]

    return timed(each)
