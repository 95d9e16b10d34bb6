"""One run: found, replaced when it is unfinished, finished only when everything in it is there."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from foldproof.tasks.track.store import Store
from foldproof.tasks.track.values import Value, metrics, params, tags

SUMMARY = ""
"""Stands for the summary run where runs are keyed by variant."""

METRICS, PARAMS = 1000, 100
"""What the tracker takes in one call."""

T = TypeVar("T")


def finished_runs(store: Store, comparison: str) -> dict[str, str]:
    """Ids of a comparison's finished runs by variant; those left unfinished are deleted.

    A run counts as finished only when everything was written, so that whatever an interruption
    left behind is written anew.
    """
    kept: dict[str, str] = {}
    for run in _runs_of(store, comparison):
        name = run.data.tags.get("variant", SUMMARY)
        if run.info.status == "FINISHED" and name not in kept:
            kept[name] = run.info.run_id
        else:
            store.client.delete_run(run.info.run_id)
    return kept


def _runs_of(store: Store, comparison: str) -> Iterator[Run]:
    """All runs of a comparison, oldest first."""
    token = None
    while True:
        page = store.client.search_runs(
            [store.experiment_id],
            f"tags.comparison = '{comparison}'",
            order_by=["attributes.start_time ASC"],
            page_token=token,
        )
        yield from page
        token = page.token
        if not token:
            return


@contextmanager
def new_run(store: Store, name: str, run_tags: Mapping[str, Any]) -> Iterator[str]:
    """A run that is RUNNING inside the block, FINISHED after it, FAILED when the block raises."""
    first = {tag.key: tag.value for tag in tags(run_tags)}
    run_id = store.client.create_run(store.experiment_id, tags=first, run_name=name).info.run_id
    try:
        yield run_id
    except BaseException:
        with suppress(MlflowException):  # what went wrong in the block is what the user must read
            store.client.set_terminated(run_id, "FAILED")
        raise
    store.client.set_terminated(run_id, "FINISHED")


def log_values(
    store: Store, run_id: str, values: Iterable[Value], settings: Mapping[str, Any]
) -> None:
    """Metrics and parameters in as few calls as the tracker allows."""
    now = time.time_ns() // 1_000_000
    for part in chunks(params(settings), PARAMS):
        store.client.log_batch(run_id, params=part)
    for chunk in chunks(metrics(values, now), METRICS):
        store.client.log_batch(run_id, metrics=chunk)


def chunks(entries: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """``entries`` in pieces of at most ``size``."""
    return (entries[start : start + size] for start in range(0, len(entries), size))
