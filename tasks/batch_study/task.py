"""The Prefect task of the study: one cell with all its seeds, cached once finished."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from foldproof.tasks.batch_study.cell import Scored, scored_cell
from foldproof.tasks.data import load
from foldproof.tasks.task import kept_task
from foldproof.tasks.timing import Timed, timed
from foldproof.tasks.train import Unit, code_version, digest


def cell_key(_: Any, parameters: dict[str, Any]) -> str:
    """Cache key of a cell: a hash of its units and the code."""
    units: Sequence[Unit] = parameters["units"]
    return f"study-{digest([unit.key for unit in units], code_version(__name__))}"


@kept_task(
    cell_key,
    name="study cell",
    task_run_name="study {units[0].variant} on {units[0].training.batches}",
)
def study_cell(units: tuple[Unit, ...], panels: tuple[Path, ...]) -> Timed[list[Scored]]:
    """Train and score every unit, each on the panel at the same position."""

    def each() -> list[Scored]:
        pairs = zip(units, panels, strict=True)
        return [scored_cell(unit, load(panel)) for unit, panel in pairs]

    return timed(each)
