"""The Prefect task of this step: the panel, built once and kept as memory-mapped arrays."""

from pathlib import Path

from prefect import task

from foldproof.tasks.data import build, folder_of
from foldproof.tasks.data.spec import DataSpec, TargetSpec


@task(name="load panel", tags=["source"])
def load_panel(
    data: DataSpec, target: TargetSpec, cache: Path, checked: Path | None = None
) -> Path:
    """Build the panel or find it in ``cache``; the folder from which ``load`` reads it.

    The source is not read again if the check before the flow has ``checked`` this panel.
    """
    return checked or folder_of(build(data, target, cache=cache), cache)
