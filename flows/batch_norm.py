"""The effect of batch statistics on an LSTM: every normalization on every batch composition."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from itertools import product
from pathlib import Path

from prefect import flow

from foldproof.conf.load import to_yaml
from foldproof.conf.study import BatchStudy
from foldproof.flows.checks import Checked, built, checked_panel, require_compute, using
from foldproof.flows.flow_runs.in_part import require_sent
from foldproof.flows.paths import PANELS, STUDIES
from foldproof.flows.processes.alone import alone
from foldproof.flows.processes.schedule import Job
from foldproof.flows.processes.workers import Workers, submitted
from foldproof.flows.screens.study import StudyScreen
from foldproof.flows.variants import first_line
from foldproof.tasks.batch_study import Composition, Scored, why_not
from foldproof.tasks.batch_study.answer import answer
from foldproof.tasks.batch_study.grid import Cell, DrawnData, GridScores, skipped_cells
from foldproof.tasks.batch_study.table import table_of
from foldproof.tasks.batch_study.task import study_cell
from foldproof.tasks.data import DataSpec, load
from foldproof.tasks.data.task import load_panel
from foldproof.tasks.report.batch_study.results import StudyResults
from foldproof.tasks.report.task import draw_study
from foldproof.tasks.split.task import plan_folds
from foldproof.tasks.timing import Stopwatch, Timed
from foldproof.tasks.track.store import Links, open_store
from foldproof.tasks.track.task import find_store, log_study
from foldproof.tasks.train import HOUSE, TrainingError, Unit, code_version, digest, variant_version


@flow(
    name="batch norm study",
    flow_run_name="{study.name}",
    description=__doc__,
    task_runner=Workers(),
)
def batch_norm(study: BatchStudy) -> Links:
    """Load panels and folds, train the cells, then log table, answer and figure."""
    screen, watch = StudyScreen(), Stopwatch()
    with watch("data and plan"):
        find_store(study.tracking)
        data = {name: draw_data(study, name) for name in study.panels}
    screen.opening(study, skipped_cells(study.normalizations, study.compositions))
    with alone(study.tracking, "study", study_id(study, data), screen.say):
        with watch("cells"):
            scores = score_cells(study, data, screen)
        results = assemble(study, data, scores, watch.seconds)
        with watch("figure and tracking"):
            figures = draw_study(results)
            folder = (STUDIES / results.study_id).resolve()
            links = log_study(study.tracking, results, figures, folder)
    screen.closing(results, links, folder, scores.seconds)
    require_sent()
    return links


def draw_data(study: BatchStudy, name: str) -> list[DrawnData]:
    """The panel of each seed with its newest fold; a real panel is the same for all seeds."""
    source, found = study.sources[name], []
    paths: dict[DataSpec, Path] = {}
    for seed in study.seeds:
        data = source.drawn(seed)
        known = paths.get(data) or checked_panel(data, source.target)
        path = paths[data] = load_panel(data, source.target, PANELS.resolve(), known)
        plan, content = plan_folds(source.split, path), load(path)
        unit = Unit(
            study.reference, plan.folds[-1], seed, study.network, study.training,
            content.fingerprint, plan.hash,
        )  # fmt: skip
        found.append(DrawnData(path, unit, len(content.symbols)))
    return found


def score_cells(
    study: BatchStudy, data: Mapping[str, list[DrawnData]], screen: StudyScreen
) -> GridScores:
    """Train and score every possible cell, one per process at a time.

    Raises:
        TrainingError: Cells failed; the others are kept.
    """
    scores, lost = GridScores(), list[str]()

    def job(panel: str, composition: Composition, name: str) -> Job:
        cell = Cell(panel, name, composition.title)
        units = tuple(one.unit_of(name, composition) for one in data[panel])
        paths = tuple(one.path for one in data[panel])

        def keep(done: Timed[list[Scored]]) -> None:
            scores.cells[cell] = done.value
            scores.seconds += done.seconds
            screen.cell(*cell, done.value)

        title = f"{panel}: {name}, {composition.title}"

        def lose(error: Exception) -> None:
            lost.append(f"{title} ({first_line(error)})")
            screen.say(f"failed, {lost[-1]}")

        return Job(title, partial(submitted, study_cell, units, paths), keep, lose)

    grid = product(study.panels, study.compositions, study.normalizations)
    jobs = [job(*one) for one in grid if why_not(one[2], one[1]) is None]
    screen.follow(jobs)
    if lost:
        raise TrainingError(
            f"{len(lost)} of {len(jobs)} cells failed: {'; '.join(lost)}. The same command again "
            "runs only these"
        )
    return scores


def study_id(study: BatchStudy, data: Mapping[str, list[DrawnData]]) -> str:
    """Hash of everything that decides a study."""
    config = study.model_dump(mode="json", exclude={"tracking", "compute"})
    panels = [one.unit.panel for drawn in data.values() for one in drawn]
    own = [variant_version(name) for name in study.normalizations]
    return digest(config, panels, own, code_version(HOUSE))[:12]


def assemble(
    study: BatchStudy,
    data: Mapping[str, list[DrawnData]],
    scores: GridScores,
    seconds: Mapping[str, float],
) -> StudyResults:
    """The results of the study as one value."""
    config, code = study.model_dump(mode="json"), code_version(HOUSE)
    rows = scores.rows(study.panels, study.normalizations, study.compositions)
    table = table_of(rows, study.reference, study.level)
    return StudyResults(
        title=study.name,
        study_id=study_id(study, data),
        config=config,
        config_yaml=to_yaml(study),
        panels=study.about,
        reference=study.reference,
        normalizations=study.normalizations,
        compositions=tuple(one.title for one in study.compositions),
        level=study.level,
        rows=rows,
        table=table,
        skipped=skipped_cells(study.normalizations, study.compositions),
        answer=answer(table, study.about, study.reference, study.level, study.expected),
        seconds=dict(seconds),
        code_version=code,
    )


@contextmanager
def check(study: BatchStudy) -> Iterator[None]:
    """Raise user errors before the slow start of an embedded server.

    The flow inside uses the panels that were checked.

    Raises:
        DataError: The data cannot be used.
        PlanError: The panel is too short for its fold.
        StorageError: Results cannot be kept where ``compute.storage`` says.
        WorkerError: A worker cannot be used.
        TrackingError: The tracking store cannot be reached.
    """
    open_store(study.tracking)
    require_compute(study.compute, study)
    checked: Checked = {}
    for name in study.panels:
        source = study.sources[name]
        built(source.drawn(study.seeds[0]), source.target, source.split, checked)
    with using(checked):
        yield


def run_study(study: BatchStudy, api: AbstractContextManager[None]) -> Links:
    """Report what the user can correct, then run the study."""
    with check(study), api:
        return batch_norm(study)
