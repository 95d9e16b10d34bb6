"""Compare normalization variants on one plan of walk-forward folds; the answer goes to MLflow."""

from contextlib import AbstractContextManager

from prefect import flow

from foldproof.conf.schema import Experiment
from foldproof.flows.assemble import assemble
from foldproof.flows.checks import check_experiment, checked_panel
from foldproof.flows.paths import PANELS
from foldproof.flows.processes.workers import Workers
from foldproof.flows.screens.comparison import Screen
from foldproof.flows.this_run import run_name
from foldproof.flows.variants import fit_variants
from foldproof.tasks.compare.task import compare_forecasts
from foldproof.tasks.data.task import load_panel
from foldproof.tasks.report.task import draw_report, show_summary
from foldproof.tasks.split.task import plan_folds
from foldproof.tasks.timing import Stopwatch
from foldproof.tasks.track.store import Links
from foldproof.tasks.track.task import find_store, log_results


@flow(name="compare", flow_run_name=run_name, description=__doc__, task_runner=Workers())
def compare(experiment: Experiment) -> Links:
    """Train, attribute and audit every variant, compare them, draw and log the report."""
    screen, watch = Screen(), Stopwatch()
    with watch("data and plan"):
        find_store(experiment.tracking)
        source = experiment.data, experiment.target
        panel = load_panel(*source, PANELS.resolve(), checked_panel(*source))
        plan = plan_folds(experiment.split, panel)
    screen.opening(experiment.name, panel, plan.folds)
    with watch("units"):
        fitted = fit_variants(experiment, panel, plan, screen)
    with watch("statistics"):
        comparison = compare_forecasts(
            fitted.forecasts, experiment.target.horizon, experiment.statistics,
            fitted.leaking.union(experiment.controls),
        )  # fmt: skip
    results = assemble(experiment, panel, plan, fitted, comparison, watch.seconds)
    with watch("report"):
        report = draw_report(results)
    with watch("tracking"):
        links = log_results(
            experiment.tracking, results, report, fitted.newest, experiment.data, panel
        )
    show_summary(results, links.url)
    screen.closing(results, links, watch.seconds, fitted.seconds)
    return links


def run_compare(experiment: Experiment, api: AbstractContextManager[None]) -> Links:
    """Report what the user can correct, then run the flow.

    Args:
        experiment: What to compare.
        api: The context that provides a Prefect API; entered after the check.
    """
    with check_experiment(experiment), api:
        return compare(experiment)
