"""The panel that a variant trains on: that of the comparison, or the same rows with its target."""

from pathlib import Path

import numpy as np

from foldproof.conf.schema import Experiment
from foldproof.flows.checks import ready_panel
from foldproof.tasks.data import DataError, Panel, load


def training_panel(experiment: Experiment, variant: str, panel: Path) -> Path:
    """The folder of the panel whose target the variant trains on: ``panel``, or the same rows.

    Raises:
        DataError: The source has changed since ``panel`` was read.
    """
    target = experiment.target_of(variant)
    if target == experiment.target:
        return panel
    own = ready_panel(experiment.data, target)
    require_same_rows(load(own), load(panel))
    return own


def require_same_rows(one: Panel, other: Panel) -> None:
    """Raise DataError unless two panels differ in their target only."""
    arrays = ("dates", "symbols", "member")
    same = all(np.array_equal(getattr(one, name), getattr(other, name)) for name in arrays)
    if not same or not np.array_equal(one.values, other.values, equal_nan=True):
        raise DataError(
            "the source changed while it was read for several kinds of target; run the command "
            "again, or read a copy of it"
        )
