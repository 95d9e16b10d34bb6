"""Does the choice of normalization matter? The same variants on several panels, pooled."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field

import pandas as pd
from prefect import flow

from foldproof.conf.load import to_yaml
from foldproof.conf.panel_study import PanelStudy
from foldproof.conf.registration import WHERE, Planned, Registration
from foldproof.conf.schema import Experiment
from foldproof.flows.checks import Checked, checked_experiment, using
from foldproof.flows.compare import Compared, compared
from foldproof.flows.flow_runs.in_part import require_complete, require_sent
from foldproof.flows.paths import STUDIES
from foldproof.flows.processes.alone import alone
from foldproof.flows.processes.workers import Workers, worker_count
from foldproof.flows.screens.panel_study import PanelStudyScreen
from foldproof.models.normalizers import resolve
from foldproof.tasks.data import DataError, load
from foldproof.tasks.panel_study.cost import IN_TORCH, expected_seconds
from foldproof.tasks.panel_study.tables import PanelOutcome
from foldproof.tasks.panel_study.task import score_networks
from foldproof.tasks.report.panel_study.results import PanelStudyResults, study_results
from foldproof.tasks.report.results import Results
from foldproof.tasks.report.task import draw_panel_study
from foldproof.tasks.split import scored_folds
from foldproof.tasks.timing import Stopwatch
from foldproof.tasks.track.store import Links, TrackingError, open_store
from foldproof.tasks.track.task import find_store, log_panel_study
from foldproof.tasks.train import HOUSE, TrainingError, code_version, digest
from foldproof.tasks.train.tuning import Setting, grid


@dataclass(eq=False)
class Gathered:
    """Finished comparisons by panel, in the order of the plan.

    Attributes:
        outcomes: Scores of every network.
        comparisons: Ids of the comparisons, which decide the study.
        links: Where each was logged.
        missing: What is left out, by panel or ``panel: variant``, with the reason.
        seconds: CPU seconds in units, by panel.
    """

    outcomes: dict[str, PanelOutcome] = field(default_factory=dict)
    comparisons: dict[str, str] = field(default_factory=dict)
    links: dict[str, Links] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


@flow(
    name="normalization study",
    flow_run_name="{study.name}",
    description=__doc__,
    task_runner=Workers(),
)
def panel_study(
    study: PanelStudy, plan: Registration, absent: dict[str, str], expected: dict[str, float]
) -> Links:
    """Compare the variants on each panel, then pool, draw and log.

    Args:
        study: What is run.
        plan: The plan that it follows.
        absent: Panels that cannot be read here, with the reason.
        expected: CPU seconds of each panel, estimated.
    """
    screen, watch = PanelStudyScreen(), Stopwatch()
    find_store(study.tracking)
    screen.opening(study, plan, absent, expected, worker_count())
    found = Gathered(missing=dict(absent))
    for name in (panel for panel in study.panels if panel not in absent):
        screen.panel(name, study.sources[name].title)
        with watch(name):
            gather(study, name, found, screen)
    if not found.outcomes:
        lost = "; ".join(f"{name}: {why}" for name, why in found.missing.items())
        raise TrainingError(f"no panel of the study could be compared ({lost})")
    results = assemble(study, plan, found, watch.seconds)
    with alone(study.tracking, "study", results.study_id, screen.say):
        with watch("report"), screen.busy("drawing the report"):
            report = draw_panel_study(results)
        with watch("tracking"), screen.busy("logging to MLflow"):
            folder = (STUDIES / results.study_id).resolve()
            links = log_panel_study(study.tracking, results, report, folder)
    screen.closing(results, links, folder, watch.seconds)
    require_complete(found.missing)
    require_sent()
    return links


def gather(study: PanelStudy, name: str, found: Gathered, screen: PanelStudyScreen) -> None:
    """Compare the variants on a panel and score every network; a panel that fails is noted.

    Training, alignment and statistics raise ValueError where the panel does not suit them. A
    tracking store that cannot be reached ends the study: it would fail on every panel.
    """
    experiment = study.experiment_of(name)
    try:
        done = compared(experiment)
        scored = outcome(study, name, done)
    except TrackingError:
        raise
    except ValueError as error:
        found.missing[name] = str(error)
        screen.say(f"{name} failed: {error}")
        return
    results = done.results
    found.outcomes[name] = scored
    found.comparisons[name] = results.comparison_id
    found.links[name] = done.links
    found.seconds[name] = sum(done.seconds.values())
    found.missing |= {f"{name}: {variant}": why for variant, why in results.missing.items()}


def outcome(study: PanelStudy, name: str, done: Compared) -> PanelOutcome:
    """A finished comparison as the study needs it."""
    source, results, experiment = study.sources[name], done.results, study.experiment_of(name)
    outside = frozenset(results.variants) - frozenset(results.candidates)
    scores = score_networks(done.forecasts, done.panel, experiment.data, study.decomposition)
    return PanelOutcome(
        title=source.title,
        role=source.role,
        scores=scores,
        horizon=experiment.target.horizon,
        leaks={variant: results.verdict(variant) for variant in results.variants},
        outside=outside,
        training=training_of(results),
        expected=source.expected,
    )


def training_of(results: Results) -> pd.DataFrame:
    """By variant: mean_epochs, the epochs of the weights that were kept, and chosen settings."""
    table = results.best_epochs.groupby("variant")[["best_epoch"]].mean()
    table = table.rename(columns={"best_epoch": "mean_epochs"})
    if len(results.tuning):
        chosen = results.tuning[results.tuning["chosen"]].set_index("variant")
        table = table.join(chosen.drop(columns=["rank_ic", "chosen"]))
    return table


def assemble(
    study: PanelStudy, plan: Registration, found: Gathered, seconds: Mapping[str, float]
) -> PanelStudyResults:
    """The results of the study as one value."""
    config, code = study.model_dump(mode="json"), code_version(HOUSE)
    decides = study.model_dump(mode="json", exclude={*WHERE})
    followed = plan.sentence(found.missing)
    key = digest("study", decides, found.comparisons, sorted(found.missing.items()), followed, code)
    return study_results(
        title=study.name,
        question=study.question,
        study_id=key[:12],
        config=config,
        config_yaml=to_yaml(study),
        plan=followed,
        commit=plan.commit if plan.committed else "",
        statistics=study.inference,
        panels=found.outcomes,
        links={name: (one.summary_run_id, one.report) for name, one in found.links.items()},
        missing=found.missing,
        seconds=dict(seconds),
        cpu=found.seconds,
        code_version=code,
    )


def expected_cpu(experiment: Experiment, checked: Checked) -> float:
    """CPU seconds of the trainings of a comparison, tuning and audits included, estimated."""
    panel = load(checked[experiment.data, experiment.target])
    folds = experiment.split.folds(panel.dates, panel.label_end)
    scored = len(scored_folds(folds, experiment.tuning.folds))
    settings = len(grid(experiment.tuning, Setting(experiment.network, experiment.training)))
    tuned = experiment.tuning.folds * settings if experiment.tuning.tried else 0
    audited = min(experiment.audit.retrain_folds, scored)
    counted = sum(1.0 if resolve(name).native else IN_TORCH for name in experiment.variants)
    units = counted * (scored * len(experiment.seeds) + tuned + audited)
    return expected_seconds(
        units, len(panel.symbols), len(folds[-1].train), window=experiment.network.window,
        hidden=experiment.network.hidden, epochs=experiment.training.epochs,
    )  # fmt: skip


@contextmanager
def check(study: PanelStudy, absent: dict[str, str], expected: dict[str, float]) -> Iterator[None]:
    """Check every panel before the slow start of an embedded server.

    A panel that cannot be read, for instance because its package is not installed, goes to
    ``absent`` with the reason; ``expected`` gets the CPU seconds of the others.

    Raises:
        DataError: No panel can be read.
        PlanError: A panel is too short for its folds.
        TrackingError: The tracking store cannot be reached.
    """
    open_store(study.tracking)
    checked: Checked = {}
    for name in study.panels:
        experiment = study.experiment_of(name)
        try:
            own = checked_experiment(experiment, compared=True)
        except DataError as error:
            absent[name] = str(error)
            continue
        checked |= own
        expected[name] = expected_cpu(experiment, own)
    if not checked:
        raise DataError("; ".join(f"{name}: {why}" for name, why in absent.items()))
    with using(checked):
        yield


def run_study(planned: Planned, api: AbstractContextManager[None]) -> Links:
    """Report what the user can correct, then run the study."""
    absent: dict[str, str] = {}
    expected: dict[str, float] = {}
    with check(planned.study, absent, expected), api:
        return panel_study(planned.study, planned.plan, absent, expected)
