"""Compare normalization variants on one plan of walk-forward folds; the answer goes to MLflow."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

from prefect import flow

from foldproof.conf.schema import Experiment
from foldproof.flows.assemble import assemble, comparison_id
from foldproof.flows.checks import check_experiment, ready_panel
from foldproof.flows.flow_runs.in_part import require_complete, require_sent
from foldproof.flows.flow_runs.this_run import run_name
from foldproof.flows.processes.alone import alone
from foldproof.flows.processes.workers import Workers
from foldproof.flows.screens.comparison import Screen
from foldproof.flows.variants import fit_variants
from foldproof.tasks.compare.cube import Parts
from foldproof.tasks.compare.task import compare_forecasts
from foldproof.tasks.data import load
from foldproof.tasks.decompose.task import decompose_forecasts
from foldproof.tasks.portfolio.task import simulate_portfolios
from foldproof.tasks.report.results import Results
from foldproof.tasks.report.task import draw_report, show_summary
from foldproof.tasks.split.task import Plan, plan_folds
from foldproof.tasks.timing import Stopwatch
from foldproof.tasks.track.store import Links
from foldproof.tasks.track.task import find_logged, find_store, log_results, with_earlier


class Compared(NamedTuple):
    """A finished comparison.

    Attributes:
        results: Everything that was logged.
        links: Where.
        panel: Folder of the panel.
        forecasts: Those of the results, with their hashes.
        seconds: CPU seconds in units, by step.
    """

    results: Results
    links: Links
    panel: Path
    forecasts: Parts
    seconds: Mapping[str, float]


@flow(name="compare", flow_run_name=run_name, description=__doc__, task_runner=Workers())
def compare(experiment: Experiment) -> Links:
    """Train, attribute and audit every variant, compare them, draw and log the report."""
    done = compared(experiment)
    require_complete(done.results.missing)
    require_sent()
    return done.links


def compared(experiment: Experiment) -> Compared:
    """The comparison, within the running flow and its workers."""
    screen, watch = Screen(), Stopwatch()
    with watch("data and plan"):
        find_store(experiment.tracking)
        panel = ready_panel(experiment.data, experiment.target)
        plan = plan_folds(experiment.split, panel, experiment.tuning.folds)
    screen.opening(experiment.name, panel, plan)
    key = comparison_id(experiment, load(panel).fingerprint, plan.hash)
    with alone(experiment.tracking, "comparison", key, screen.say):
        return compare_on(experiment, panel, plan, screen, watch)


def compare_on(
    experiment: Experiment, panel: Path, plan: Plan, screen: Screen, watch: Stopwatch
) -> Compared:
    """The comparison on a panel and its plan of folds."""
    with watch("units"):
        fitted = fit_variants(experiment, panel, plan, screen)
    fitted.require([experiment.statistics.base(experiment.variants)])
    forecasts, outside = fitted.forecasts, fitted.leaking.union(experiment.controls)
    with watch("statistics"), screen.busy("statistics"):
        comparison = compare_forecasts(
            forecasts, experiment.target.horizon, experiment.statistics, outside
        )
    with watch("decomposition"), screen.busy("decomposition"):
        decomposition = decompose_forecasts(
            forecasts, panel, experiment.data, plan.by_date, experiment.target,
            experiment.statistics, experiment.decomposition, outside,
        )  # fmt: skip
    with watch("portfolios"), screen.busy("portfolios"):
        portfolios = None  # with paths: no book could have held forecasts of later training
        if plan.paths is None:
            portfolios = simulate_portfolios(
                forecasts, panel, experiment.data, plan.folds, experiment.target,
                experiment.statistics, experiment.portfolio, outside,
            )  # fmt: skip
    results = assemble(
        experiment, panel, plan, fitted, comparison, decomposition, portfolios, watch.seconds
    )
    links = find_logged(experiment.tracking, results)
    if links is None:
        results = with_earlier(experiment.tracking, results)
        with watch("report"), screen.busy("drawing the report"):
            report = draw_report(results)
        with watch("tracking"), screen.busy("logging to MLflow"):
            links = log_results(
                experiment.tracking,
                results,
                report,
                fitted.newest(experiment),
                experiment.data,
                panel,
            )
    show_summary(results, links.url)
    screen.closing(results, links, watch.seconds, fitted.seconds)
    return Compared(results, links, panel, forecasts, fitted.seconds)


def run_compare(experiment: Experiment, api: AbstractContextManager[None]) -> Links:
    """Report what the user can correct, then run the flow.

    Args:
        experiment: What to compare.
        api: The context that provides a Prefect API; entered after the check.
    """
    with check_experiment(experiment, compared=True), api:
        return compare(experiment)
