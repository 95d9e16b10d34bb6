"""What is checked before a flow starts, and the errors that a user can correct."""

from foldproof.conf.schema import Experiment
from foldproof.flows.paths import PANELS
from foldproof.flows.processes.api import ServerError
from foldproof.flows.processes.schedule import DiedError
from foldproof.models.engine import require_engine
from foldproof.tasks.attribute.explain import ExplainError
from foldproof.tasks.data import DataError, build
from foldproof.tasks.operate.nightly_inputs import OperationError
from foldproof.tasks.split import PlanError
from foldproof.tasks.track.outage import STORE_ERRORS
from foldproof.tasks.track.store import TrackingError, open_store
from foldproof.tasks.train import TrainingError

USER_ERRORS = (
    DataError, PlanError, TrainingError, TrackingError, ServerError, ExplainError, OperationError,
    DiedError, *STORE_ERRORS,
)  # fmt: skip
"""Printed as one message, without a traceback."""


def check_experiment(experiment: Experiment) -> None:
    """Open the store, build the panel and cut the folds, while an embedded server starts.

    Raises:
        TrackingError: There is no store to log to.
        TrainingError: The engine asked for cannot run here.
        DataError: The data cannot be used.
        PlanError: The panel is too short for the folds.
    """
    open_store(experiment.tracking)
    try:
        require_engine(experiment.network, experiment.training)
    except ValueError as error:
        raise TrainingError(str(error)) from error
    panel = build(experiment.data, experiment.target, cache=PANELS.resolve())
    experiment.split.folds(panel.dates, panel.label_end)
