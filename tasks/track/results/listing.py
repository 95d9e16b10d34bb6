"""The comparisons of a store, and the page of any run that has one."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import mlflow.artifacts
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from foldproof.tasks.track.entries import params, value_of
from foldproof.tasks.track.model.find_model import LATEST, NAMED, run_of
from foldproof.tasks.track.store import (
    Store,
    TrackingError,
    artifact_folder,
    in_quotes,
    newest_runs,
    runs_in,
)

FINISHED = "attributes.status = 'FINISHED'"
SUMMARIES = f"tags.kind = 'summary' and {FINISHED}"
CANDIDATES = f"tags.kind = 'variant' and tags.control = 'false' and {FINISHED}"
VERDICT = "verdict."
"""Prefix of a summary's tag with the verdict on a variant."""


@dataclass(frozen=True)
class Compared:
    """A finished comparison.

    Attributes:
        run_id: Its summary run.
        title: Name of the experiment.
        finished: When it was logged, in UTC.
        variants: The number of variants.
        best: The candidate with the highest rank IC; empty if every variant leaks.
        rank_ic: Its mean daily rank IC; None without a candidate.
        verdict: Its leak audit; empty without a candidate.
    """

    run_id: str
    title: str
    finished: datetime
    variants: int
    best: str
    rank_ic: float | None
    verdict: str


def comparisons(store: Store, most: int) -> list[Compared]:
    """The finished comparisons, newest first, at most ``most``."""
    return [compared_of(run) for run in newest_runs(store, SUMMARIES, most)]


PAGE = 50
"""Runs that are read at a time, each with its hundreds of metrics."""


def earlier_trials(store: Store, comparison: str, own: Iterable[Mapping[str, str]]) -> int:
    """Distinct configurations of candidates that other comparisons of the experiment have tried.

    A configuration is a variant with the settings that decide its rank. What was compared twice, or
    again under another title, counts once; controls do not count.

    Args:
        store: Where they were logged.
        comparison: Id of the comparison that asks.
        own: Parameters of its candidates; a configuration that it repeats does not count.
    """
    known = {as_trial(values) for values in own}
    where = f"{CANDIDATES} and tags.comparison != {in_quotes(comparison)}"
    found = {as_trial(run.data.params) for run in runs_in(store, where, page=PAGE)}
    return len(found - known)


def as_trial(values: Mapping[str, str]) -> int:
    """A hash of the parameters of a variant's run without the title, as they are logged.

    The parameters of all earlier runs would take memory that grows with their number.
    """
    return hash(frozenset((one.key, one.value) for one in params(values) if one.key != "name"))


def compared_of(run: Run) -> Compared:
    """The comparison of a summary run."""
    tags, best = run.data.tags, run.data.tags.get("best", "")
    return Compared(
        run_id=run.info.run_id,
        title=tags.get("title", run.info.run_name),
        finished=datetime.fromtimestamp((run.info.end_time or run.info.start_time) / 1000, UTC),
        variants=sum(key.startswith(VERDICT) for key in tags),
        best=best,
        rank_ic=run.data.metrics.get("summary/best_rank_ic") if best else None,
        verdict=value_of(tags, f"{VERDICT}{best}") if best else "",
    )


def page_file(store: Store, name: str, home: Path) -> Path:
    """The HTML page of a run as a file on this machine; downloaded from a server if need be.

    Args:
        store: Where it was logged.
        name: ``latest`` for the newest comparison, or the id of a run or its first letters.
        home: Folder for downloads.

    Raises:
        TrackingError: There is no such run, or it has no page.
    """
    run = newest_summary(store) if name == LATEST else run_of(store, name, newest_pages)
    run_id = run.info.run_id
    try:
        pages = [
            one.path for one in store.client.list_artifacts(run_id) if one.path.endswith(".html")
        ]
        if not pages:
            raise TrackingError(
                f"run {run_id} ({run.info.run_name}) has no page; give the summary run of a "
                f"comparison or the run of an audit. {newest_pages(store)}"
            )
        folder = artifact_folder(run)
        if folder is not None:
            return folder / pages[0]
        (home / run_id).mkdir(parents=True, exist_ok=True)
        place = mlflow.artifacts.download_artifacts(
            artifact_uri=f"{run.info.artifact_uri}/{pages[0]}", dst_path=str(home / run_id),
            tracking_uri=store.uri,
        )  # fmt: skip
    except MlflowException as error:
        raise TrackingError(f"the page of run {run_id} cannot be read: {error}") from error
    return Path(place)


def newest_summary(store: Store) -> Run:
    """The summary run of the newest comparison; TrackingError if there is none."""
    found = newest_runs(store, SUMMARIES, 1)
    if not found:
        raise TrackingError("there is no comparison yet: run foldproof compare quick")
    return found[0]


def newest_pages(store: Store) -> str:
    """The newest comparisons, as a sentence."""
    found = comparisons(store, NAMED)
    names = ", ".join(f"{one.run_id[:8]} ({one.title})" for one in found)
    return (
        f"Newest: {names}" if names else "There is no comparison yet: run foldproof compare quick"
    )
