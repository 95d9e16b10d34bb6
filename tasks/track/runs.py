"""Runs: found, replaced if unfinished, and finished only when everything is written."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import pandas as pd

from foldproof.tasks.track.entries import Value, metrics, params, tags
from foldproof.tasks.track.files import File, write_files
from foldproof.tasks.track.store import Links, Store, in_quotes, links_to, runs_in

SUMMARY = ""
"""Key of the summary run among runs keyed by variant."""

METRICS, PARAMS = 1000, 100
"""Entries that MLflow takes in one call."""

T = TypeVar("T")


MISSING = "missing"
"""Tag of the runs of a comparison in which variants are missing: which, and why."""


def finished_runs(store: Store, comparison: str, missing: str = "") -> dict[str, str]:
    """Ids of a comparison's finished runs by variant; other runs are deleted with their models.

    A run is finished only when everything was written, so an interrupted one is written anew. So
    is one whose comparison lacked other variants: its ranks and intervals do not hold any more.

    Args:
        store: Where the runs are.
        comparison: Value of their tag ``comparison``.
        missing: Value of their tag ``missing``; empty if no variant is missing.
    """
    kept: dict[str, str] = {}
    own = f"tags.comparison = {in_quotes(comparison)}"
    for run in list(runs_in(store, own)):  # read first: a deleted run shifts the pages after it
        name = run.data.tags.get("variant", SUMMARY)
        whole = run.info.status == "FINISHED" and run.data.tags.get(MISSING, "") == missing
        if whole and name not in kept:
            kept[name] = run.info.run_id
        else:
            delete(store, run.info.run_id)
    return kept


def delete(store: Store, run_id: str) -> None:
    """Delete a run, first its models: MLflow would list a half-written one as pending for ever."""
    own = f"source_run_id = {in_quotes(run_id)}"
    for model in store.client.search_logged_models([store.experiment_id], own):
        store.client.delete_logged_model(model.model_id)
    store.client.delete_run(run_id)


@contextmanager
def new_run(store: Store, name: str, run_tags: Mapping[str, Any]) -> Iterator[str]:
    """A run that is RUNNING inside the block, FINISHED after it, FAILED if the block raises."""
    first = {tag.key: tag.value for tag in tags({**store.origin, **run_tags})}
    run_id = store.client.create_run(store.experiment_id, tags=first, run_name=name).info.run_id
    try:
        yield run_id
    except BaseException:
        with suppress(Exception):  # the user must see the block's own error
            store.client.set_terminated(run_id, "FAILED")
        raise
    store.client.set_terminated(run_id, "FINISHED")


@contextmanager
def logged_run(
    store: Store,
    name: str,
    run_tags: Mapping[str, Any],
    values: Iterable[Value],
    settings: Mapping[str, Any],
    files: Iterable[File],
) -> Iterator[str]:
    """A new run with metrics, parameters and files."""
    with new_run(store, name, run_tags) as run_id:
        log_values(store, run_id, values, settings)
        with TemporaryDirectory() as folder:
            write_files(files, Path(folder))
            store.client.log_artifacts(run_id, folder)
        yield run_id


def log_once(
    store: Store,
    name: str,
    run_tags: Mapping[str, Any],
    values: Iterable[Value],
    settings: Mapping[str, Any],
    files: Iterable[File],
    file: str = "report.html",
    table: pd.DataFrame | None = None,
) -> Links:
    """Write the one run of an audit or a study unless it is finished; return where it is.

    Args:
        store: Where to log.
        name: Name of the run.
        run_tags: Its tags; ``comparison`` is the hash of everything that decides the results.
        values: Its metrics.
        settings: Its parameters.
        files: Its artifacts.
        file: The artifact that the link opens; empty for all.
        table: A table for MLflow's page of the run.
    """
    identity = run_tags["comparison"]
    runs = finished_runs(store, identity)
    if SUMMARY not in runs:
        with logged_run(store, name, run_tags, values, settings, files) as run_id:
            if table is not None:
                store.client.log_table(run_id, table.astype(object), "table.json")
        runs[SUMMARY] = run_id
    return links_to(store, identity, runs[SUMMARY], file=file)


def log_values(
    store: Store, run_id: str, values: Iterable[Value], settings: Mapping[str, Any]
) -> None:
    """Metrics and parameters in as few calls as MLflow allows."""
    for part in chunks(params(settings), PARAMS):
        store.client.log_batch(run_id, params=part)
    for chunk in chunks(metrics(values), METRICS):
        store.client.log_batch(run_id, metrics=chunk)


def chunks(entries: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """``entries`` in pieces of at most ``size``."""
    return (entries[start : start + size] for start in range(0, len(entries), size))
