"""What is checked before a flow starts, and the errors that a user can correct."""

from collections.abc import Iterable

import numpy as np

from foldproof.conf.schema import Experiment
from foldproof.flows.paths import PANELS
from foldproof.flows.processes.api import ServerError
from foldproof.flows.processes.schedule import DiedError
from foldproof.models.engine import require_engine
from foldproof.tasks.attribute.explain import ExplainError
from foldproof.tasks.data import DataError, Panel, build
from foldproof.tasks.operate.nightly_inputs import OperationError
from foldproof.tasks.split import Fold, PlanError
from foldproof.tasks.statistics.mean_test import dates_needed
from foldproof.tasks.track.outage import STORE_ERRORS
from foldproof.tasks.track.store import TrackingError, open_store
from foldproof.tasks.train import TrainingError

USER_ERRORS = (
    DataError, PlanError, TrainingError, TrackingError, ServerError, ExplainError, OperationError,
    DiedError, *STORE_ERRORS,
)  # fmt: skip
"""Printed as one message, without a traceback."""


def check_experiment(experiment: Experiment, compared: bool = False) -> None:
    """Open the store, build the panel and cut the folds, while an embedded server starts.

    With ``compared`` the test blocks must be long enough for the statistics of a comparison.

    Raises:
        TrackingError: There is no store to log to.
        TrainingError: The engine asked for cannot run here.
        DataError: The data cannot be used.
        PlanError: The panel is too short for the folds, or too few of its dates are tested.
    """
    open_store(experiment.tracking)
    try:
        require_engine(experiment.network, experiment.training)
    except ValueError as error:
        raise TrainingError(str(error)) from error
    panel = build(experiment.data, experiment.target, cache=PANELS.resolve())
    folds = experiment.split.folds(panel.dates, panel.label_end)
    if compared:
        require_scored(folds, panel, experiment.target.horizon)


def require_scored(folds: Iterable[Fold], panel: Panel, horizon: int) -> None:
    """Raise PlanError unless the test blocks have enough dates with a label for the intervals."""
    scored = sum(int((~np.isnat(panel.label_end[[*fold.test]])).sum()) for fold in folds)
    needed = dates_needed(horizon)
    if scored < needed:
        raise PlanError(
            f"{scored} test dates have a label; intervals with a horizon of {horizon} need at "
            f"least {needed}: lengthen split.test, or raise split.keep"
        )
