"""The Prefect task of this step: the panel, built once and kept as memory-mapped arrays."""

from pathlib import Path

from prefect import task

from tasks.data.panel import build, folder_of
from tasks.data.spec import DataSpec, TargetSpec
from tasks.timing import Timed, timed


@task(name="load panel")
def load_panel(data: DataSpec, target: TargetSpec, cache: Path) -> Timed[Path]:
    """Build or find the panel in ``cache``; return the folder that ``tasks.data.load`` reads."""
    panel, seconds = timed(build, data, target, cache=cache)
    return Timed(folder_of(panel, cache), seconds)
