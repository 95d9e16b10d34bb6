"""The main flow: one plan, every variant, one answer in MLflow."""

from contextlib import AbstractContextManager
from pathlib import Path

from prefect import flow

from foldproof.conf.schema import Experiment
from foldproof.flows.assemble import assemble
from foldproof.flows.processes.api import ServerError
from foldproof.flows.processes.workers import Workers
from foldproof.flows.screens.comparison import Screen
from foldproof.flows.variants import fit_variants
from foldproof.tasks.attribute.explain import ExplainError
from foldproof.tasks.compare.task import compare_forecasts
from foldproof.tasks.data import DataError, build
from foldproof.tasks.data.task import load_panel
from foldproof.tasks.operate.nightly_inputs import OperationError
from foldproof.tasks.report.task import draw_report, show_summary
from foldproof.tasks.split import PlanError
from foldproof.tasks.split.task import plan_folds
from foldproof.tasks.timing import Stopwatch
from foldproof.tasks.track.store import Links, TrackingError, open_store
from foldproof.tasks.track.task import find_store, log_results
from foldproof.tasks.train import TrainingError

USER_ERRORS = (
    DataError, PlanError, TrainingError, TrackingError, ServerError, ExplainError, OperationError,
)  # fmt: skip
"""What a user can mend: shown as one message, without a traceback."""

PANELS = Path(".foldproof/panels")


@flow(name="compare", description=__doc__, task_runner=Workers())
def compare(experiment: Experiment) -> Links:
    """Panel, plan, units with attribution and audit, statistics, report, tracker."""
    screen, watch = Screen(), Stopwatch()
    with watch("data and plan"):
        find_store(experiment.tracking)
        panel = load_panel(experiment.data, experiment.target, PANELS.resolve())
        plan = plan_folds(experiment.split, panel)
    screen.opening(experiment.name, panel, plan.folds)
    with watch("units"):
        fitted = fit_variants(experiment, panel, plan, screen)
    with watch("statistics"):
        comparison = compare_forecasts(
            fitted.forecasts, experiment.target.horizon, experiment.statistics, experiment.controls
        )
    results = assemble(experiment, panel, plan, fitted, comparison, watch.seconds)
    with watch("report"):
        report = draw_report(results)
    with watch("tracking"):
        links = log_results(experiment.tracking, results, report, fitted.newest, experiment.data)
    show_summary(results, links.url)
    screen.closing(results, links, watch.seconds, fitted.seconds)
    return links


def check(experiment: Experiment) -> None:
    """Raise what a user can mend, while an embedded server takes its ten seconds to start."""
    open_store(experiment.tracking)
    panel = build(experiment.data, experiment.target, cache=PANELS.resolve())
    experiment.split.folds(panel.dates, panel.label_end)


def run_compare(experiment: Experiment, api: AbstractContextManager[None]) -> Links:
    """Check what a user can mend, then run the flow.

    Args:
        experiment: What to compare.
        api: The context in which there is a Prefect API; it is entered after the check.
    """
    check(experiment)
    with api:
        return compare(experiment)
