"""What is checked before a flow starts, and the errors that a user can correct."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

import numpy as np

from foldproof.conf.compute import ENGINES, ComputeSpec
from foldproof.conf.schema import Experiment
from foldproof.flows.commands.shell import late
from foldproof.flows.paths import PANELS
from foldproof.flows.processes.api import ServerError
from foldproof.flows.processes.workers import DiedError, WorkerError
from foldproof.models.engine import require_engine
from foldproof.models.normalizers import resolve, with_features
from foldproof.models.spec import unknown
from foldproof.tasks.attribute.explain import ExplainError
from foldproof.tasks.data import DataError, DataSpec, Panel, TargetSpec, build, folder_of
from foldproof.tasks.data.task import load_panel
from foldproof.tasks.operate.nightly_inputs import OperationError
from foldproof.tasks.split import Fold, PlanError, SplitPlan, scored_folds, walk_forward_of
from foldproof.tasks.statistics.mean_test import dates_needed
from foldproof.tasks.storage import StorageError, require_storage
from foldproof.tasks.track.outage import STORE_ERRORS
from foldproof.tasks.track.store import TrackingError, open_store
from foldproof.tasks.train import TrainingError
from foldproof.tasks.train.single_features import FEATURE

USER_ERRORS = (
    DataError, PlanError, TrainingError, TrackingError, ServerError, ExplainError, OperationError,
    DiedError, StorageError, WorkerError, *STORE_ERRORS,
)  # fmt: skip
"""Printed as one message, without a traceback."""


Checked = dict[tuple[DataSpec, TargetSpec], Path]
CHECKED: ContextVar[Checked | None] = ContextVar("CHECKED", default=None)
"""Folders of the panels that were checked before the flow, which does not read them again."""


def checked_panel(data: DataSpec, target: TargetSpec) -> Path | None:
    """The folder of the panel if the check before this flow built it; None otherwise."""
    return (CHECKED.get() or {}).get((data, target))


def ready_panel(data: DataSpec, target: TargetSpec) -> Path:
    """The folder of the panel, built in a task unless the check before this flow built it."""
    return load_panel(data, target, PANELS.resolve(), checked_panel(data, target))


@contextmanager
def using(checked: Checked) -> Iterator[None]:
    """Let the flow inside use the panels that were checked."""
    before = CHECKED.set(checked)
    try:
        yield
    finally:
        CHECKED.reset(before)


def built(
    data: DataSpec, target: TargetSpec, split: SplitPlan, checked: Checked
) -> tuple[Panel, tuple[Fold, ...]]:
    """Build a panel, cut its folds, and note its folder in ``checked``; the panel and the folds."""
    cache = PANELS.resolve()
    panel = build(data, target, cache=cache)
    folds = split.folds(panel.dates, panel.label_end)
    checked[data, target] = folder_of(panel, cache)
    return panel, folds


@contextmanager
def check_experiment(experiment: Experiment, compared: bool = False) -> Iterator[None]:
    """Check an experiment, while an embedded server starts; the flow inside uses its panel.

    Args:
        experiment: What the flow inside runs.
        compared: See :func:`checked_experiment`, which says what is raised, too.
    """
    with using(checked_experiment(experiment, compared)):
        yield


def checked_experiment(experiment: Experiment, compared: bool) -> Checked:
    """Open the store, build the panel and cut the folds; the folders of the panel's targets.

    Args:
        experiment: What is to be run.
        compared: Whether the test blocks must be long enough for the statistics of a comparison.

    Raises:
        TrackingError: There is no store to log to.
        StorageError: Results cannot be kept where ``compute.storage`` says.
        WorkerError: A worker cannot be used.
        TrainingError: The engine asked for cannot run here, or a variant's groups of features are
            not those of the panel.
        DataError: The data cannot be used.
        PlanError: The panel is too short for the folds, too few of its dates are tested, or the
            plan only suits a comparison.
    """
    open_store(experiment.tracking)
    require_compute(experiment.compute, experiment)
    try:
        require_engine(experiment.network, experiment.training)
    except ValueError as error:
        raise TrainingError(str(error)) from error
    if not compared:
        walk_forward_of(experiment.split, "an audit from raw rows or a retraining")
    checked: Checked = {}
    panel, folds = built(experiment.data, experiment.target, experiment.split, checked)
    for variant in experiment.variants:
        require_groups(variant, panel)
        target = experiment.target_of(variant)
        if (experiment.data, target) not in checked:
            built(experiment.data, target, experiment.split, checked)
    if compared:
        scored = scored_folds(folds, experiment.tuning.folds)
        require_scored(scored, panel, experiment.target.horizon)
        require_styles(experiment, panel)
        require_features(experiment.references, panel)
    return checked


def require_styles(experiment: Experiment, panel: Panel) -> None:
    """Raise DataError unless every style of the decomposition is a feature of the panel."""
    try:
        experiment.decomposition.chosen(panel.features)
    except ValueError as error:
        raise DataError(str(error)) from error


def require_features(references: Iterable[str], panel: Panel) -> None:
    """Raise DataError unless every feature that is a reference is one of the panel."""
    for name in references:
        feature = name.removeprefix(FEATURE)
        if feature != name and feature not in panel.features:
            known = dict.fromkeys(panel.features)
            raise DataError(f"references: {name}: {unknown('feature', feature, known)}")


def require_compute(compute: ComputeSpec, given: object) -> None:
    """Check where a flow with the parameter ``given`` is computed and keeps its results.

    Raises:
        StorageError: Results cannot be kept where ``compute`` says.
        WorkerError: A worker cannot be used.
    """
    if compute.storage is not None:
        require_storage(compute.storage)
    if check := ENGINES[compute.engine].check:
        late(check)(compute, given)


def require_groups(variant: str, panel: Panel) -> None:
    """Raise TrainingError unless the groups and styles in ``variant`` are features of the panel."""
    try:
        with_features(resolve(variant), panel.features)
    except ValueError as error:
        raise TrainingError(str(error)) from error


def require_scored(folds: Iterable[Fold], panel: Panel, horizon: int) -> None:
    """Raise PlanError unless the test blocks have enough dates with a label for the intervals."""
    tested = sorted({row for fold in folds for row in fold.test})  # several paths test a date
    scored = int((~np.isnat(panel.label_end[tested])).sum())
    needed = dates_needed(horizon)
    if scored < needed:
        raise PlanError(
            f"{scored} test dates have a label; intervals with a horizon of {horizon} need at "
            f"least {needed}: lengthen split.test, or raise split.keep"
        )
