"""What is checked before a flow starts, and the errors that a user can correct."""

from collections.abc import Callable
from typing import Any, TypeVar

from foldproof.conf.schema import Experiment
from foldproof.flows.paths import PANELS
from foldproof.flows.processes.api import ServerError
from foldproof.tasks.attribute.explain import ExplainError
from foldproof.tasks.data import DataError, build
from foldproof.tasks.operate.nightly_inputs import OperationError
from foldproof.tasks.split import PlanError
from foldproof.tasks.track.store import TrackingError, open_store
from foldproof.tasks.train import TrainingError

R = TypeVar("R")

USER_ERRORS = (
    DataError, PlanError, TrainingError, TrackingError, ServerError, ExplainError, OperationError,
)  # fmt: skip
"""Printed as one message, without a traceback."""


def checked(check: Callable[[Any], object], flow: Callable[..., R]) -> Callable[..., R]:
    """A function that checks a request, then runs ``flow`` on it with a Prefect API.

    It takes the request, the flow's options, and last the context that provides the API. The
    context is entered after the check, so that errors which the user can correct come at once.
    """

    def run(request: Any, *options: Any) -> R:
        *given, api = options
        check(request)
        with api:
            return flow(request, *given)

    return run


def check_store(request: Any) -> None:
    """Open the tracking store of a request; raises TrackingError."""
    open_store(request.tracking)


def check_experiment(experiment: Experiment) -> None:
    """Open the store, build the panel and cut the folds, while an embedded server starts.

    Raises:
        TrackingError: There is no store to log to.
        DataError: The data cannot be used.
        PlanError: The panel is too short for the folds.
    """
    check_store(experiment)
    panel = build(experiment.data, experiment.target, cache=PANELS.resolve())
    experiment.split.folds(panel.dates, panel.label_end)
