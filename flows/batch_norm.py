"""What batch statistics do to an LSTM: every normalization on every batch composition."""

from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pandas as pd
from prefect import flow

from foldproof.conf.load import to_yaml
from foldproof.conf.study import BatchStudy
from foldproof.flows.paths import PANELS, STUDIES
from foldproof.flows.processes.schedule import Job, drive
from foldproof.flows.processes.workers import task_runner
from foldproof.flows.screens.study import StudyScreen
from foldproof.tasks.batch_study import Composition, Scored, row_of, why_not
from foldproof.tasks.batch_study.answer import answer
from foldproof.tasks.batch_study.table import table_of
from foldproof.tasks.batch_study.task import study_cell
from foldproof.tasks.data import build, load
from foldproof.tasks.data.task import load_panel
from foldproof.tasks.report.batch_study.results import StudyResults
from foldproof.tasks.report.task import draw_study
from foldproof.tasks.split.task import plan_folds
from foldproof.tasks.timing import Stopwatch, Timed
from foldproof.tasks.track.store import Links, open_store
from foldproof.tasks.track.task import find_store, log_study
from foldproof.tasks.train import HOUSE, Unit, code_version, digest, variant_version


@dataclass(frozen=True, eq=False)
class DrawnData:
    """A panel on disk with its newest fold: what the networks of one seed are trained on."""

    path: Path
    unit: Unit
    symbols: int

    def of(self, normalization: str, composition: Composition, study: BatchStudy) -> Unit:
        """The unit of a cell on this panel."""
        training = composition.training(study.training, self.symbols)
        one = self.unit
        return Unit(normalization, one.fold, one.seed, study.network, training, one.panel, one.plan)


@dataclass(eq=False)
class Measured:
    """Scores by panel, normalization and composition, gathered as cells finish."""

    cells: dict[tuple[str, str, str], list[Scored]] = field(default_factory=dict)
    seconds: float = 0.0

    def rows(self, study: BatchStudy) -> pd.DataFrame:
        """One line a network, in the order of the study, whoever finished first."""
        return pd.DataFrame([
            row_of(panel, name, composition.title, scored)
            for panel in study.panels
            for name in study.normalizations
            for composition in study.compositions
            for scored in self.cells.get((panel, name, composition.title), [])
        ])  # fmt: skip


@flow(name="batch norm study", description=__doc__)
def batch_norm(study: BatchStudy) -> Links:
    """Panels and folds, every cell side by side, table, answer, figure, tracker."""
    screen, watch = StudyScreen(), Stopwatch()
    with watch("data and plan"):
        find_store(study.tracking)
        grounds = {name: grounds_of(study, name) for name in study.panels}
    screen.opening(study, skipped_cells(study))
    with watch("cells"):
        measured = measure(study, grounds, screen)
    results = assemble(study, grounds, measured, watch)
    with watch("figure and tracking"):
        figures = draw_study(results)
        folder = (STUDIES / results.study_id).resolve()
        links = log_study(study.tracking, results, figures, folder)
    screen.closing(results, links, folder, measured.seconds)
    return links


def grounds_of(study: BatchStudy, name: str) -> list[DrawnData]:
    """The panel of every seed with its newest fold; a real panel is the same for all."""
    source, found = study.sources[name], []
    for seed in study.seeds:
        path = load_panel(source.drawn(seed), source.target, PANELS.resolve())
        plan, content = plan_folds(source.split, path), load(path)
        unit = Unit(
            study.reference, plan.folds[-1], seed, study.network, study.training,
            content.fingerprint, plan.hash,
        )  # fmt: skip
        found.append(DrawnData(path, unit, len(content.symbols)))
    return found


def skipped_cells(study: BatchStudy) -> pd.DataFrame:
    """normalization, composition, reason of every combination that cannot be trained."""
    cells = [
        (name, composition.title, why_not(name, composition))
        for name in study.normalizations
        for composition in study.compositions
    ]
    table = pd.DataFrame(cells, columns=["normalization", "composition", "reason"])
    return table[table["reason"].notna()].reset_index(drop=True)


def measure(
    study: BatchStudy, grounds: dict[str, list[DrawnData]], screen: StudyScreen
) -> Measured:
    """Train and score every possible cell, as many side by side as there are processes."""
    measured = Measured()
    jobs = [
        cell_job(study, panel, grounds[panel], name, composition, measured, screen)
        for panel in study.panels
        for composition in study.compositions
        for name in study.normalizations
        if why_not(name, composition) is None
    ]
    with screen.bar(len(jobs)) as bar:
        for job in drive(jobs, width=2 * study.processes):
            bar.step(job.title)
    return measured


def cell_job(
    study: BatchStudy,
    panel: str,
    grounds: list[DrawnData],
    name: str,
    composition: Composition,
    measured: Measured,
    screen: StudyScreen,
) -> Job:
    """One cell with all its seeds."""
    units = tuple(ground.of(name, composition, study) for ground in grounds)
    paths = tuple(ground.path for ground in grounds)

    def keep(done: Timed[list[Scored]]) -> list[Job]:
        measured.cells[panel, name, composition.title] = done.value
        measured.seconds += done.seconds
        screen.cell(panel, name, composition.title, done.value)
        return []

    title = f"{panel}: {name}, {composition.title}"
    return Job(title, partial(study_cell.submit, units, paths), keep)


def assemble(
    study: BatchStudy, grounds: dict[str, list[DrawnData]], measured: Measured, watch: Stopwatch
) -> StudyResults:
    """Everything that the study came to as one value."""
    config = study.model_dump(mode="json")
    decides = {k: v for k, v in config.items() if k not in ("tracking", "workers")}
    panels = [one.unit.panel for every in grounds.values() for one in every]
    own = [variant_version(name) for name in study.normalizations]
    code = code_version(HOUSE)
    rows = measured.rows(study)
    table = table_of(rows, study.reference, study.level)
    return StudyResults(
        title=study.name,
        study_id=digest(decides, panels, own, code)[:12],
        config=config,
        config_yaml=to_yaml(study),
        panels=study.about,
        reference=study.reference,
        normalizations=study.normalizations,
        compositions=tuple(one.title for one in study.compositions),
        level=study.level,
        rows=rows,
        table=table,
        skipped=skipped_cells(study),
        answer=answer(table, study.about, study.reference, study.level, study.expected),
        seconds=dict(watch.seconds),
        code_version=code,
    )


def check(study: BatchStudy) -> None:
    """Raise what a user can mend, while an embedded server takes its ten seconds to start.

    Raises:
        DataError: The data cannot be used.
        PlanError: The panel is too short for its fold.
        TrackingError: There is nothing to log to.
    """
    open_store(study.tracking)
    for name in study.panels:
        source = study.sources[name]
        panel = build(source.drawn(study.seeds[0]), source.target, cache=PANELS.resolve())
        source.split.folds(panel.dates, panel.label_end)


def run_study(study: BatchStudy, api: AbstractContextManager[None]) -> Links:
    """Run the study with as many worker processes as it asks for.

    Args:
        study: What to study.
        api: The context in which there is a Prefect API; it is entered after the check.
    """
    check(study)
    with api:
        return batch_norm.with_options(task_runner=task_runner(study.processes))(study)
