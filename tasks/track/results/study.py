"""Log a study of batch statistics as one run, with its answer as the description."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

from foldproof.tasks.report.batch_study.results import StudyResults, answer_markdown
from foldproof.tasks.track.entries import NOTE, Value, flat, seconds
from foldproof.tasks.track.runs import SUMMARY, finished_runs, logged_run
from foldproof.tasks.track.store import Links, Store, links_to


class Logged(Protocol):
    """What the run of any study needs."""

    @property
    def title(self) -> str:
        """Name of the run."""

    @property
    def study_id(self) -> str:
        """Hash of everything that decides the study."""

    @property
    def config(self) -> Mapping[str, Any]:
        """The resolved configuration."""


def log_once(
    store: Store,
    results: Logged,
    tags: Mapping[str, Any],
    values: Iterable[Value],
    table: pd.DataFrame,
    write: Callable[[Path], None],
    file: str = "",
) -> Links:
    """Write the run of a study unless it exists; return where it is.

    Args:
        store: Where to log.
        results: The study.
        tags: Tags of the run.
        values: Metrics of the run.
        table: A table for the UI.
        write: Puts the artifacts into a folder.
        file: The artifact that the link opens; empty for all.
    """
    runs = finished_runs(store, results.study_id)
    if SUMMARY not in runs:
        settings = flat(results.config, without=("tracking", "compute"))
        with logged_run(store, results.title, tags, values, settings, write) as run_id:
            store.client.log_table(run_id, table.astype(object), "table.json")
        runs[SUMMARY] = run_id
    return links_to(store, results.study_id, runs[SUMMARY], file=file)


def log_batch_study(store: Store, results: StudyResults, figures: Mapping[str, bytes]) -> Links:
    """Write the run unless it exists; return where it is."""
    return log_once(
        store, results, study_tags(results), study_values(results), results.table,
        partial(write_study, results, figures),
    )  # fmt: skip


def study_tags(results: StudyResults) -> dict[str, str]:
    """Tags that identify the run, and the answer as its description."""
    return {
        "comparison": results.study_id,
        "kind": "study",
        "title": results.title,
        "code_version": results.code_version,
        NOTE: answer_markdown(results),
    }


def study_values(results: StudyResults) -> Iterator[Value]:
    """Every mean with its interval, one section per panel; the seconds of every step."""
    for _, row in results.table.iterrows():
        name = f"{row['panel']}/{row['normalization']} {row['composition']}"
        for score in ("honest", "train_mode", "train_mode_dates", "gap", "gain"):
            for part in ("", "_low", "_high"):
                yield f"{name} {score}{part}", float(row[f"{score}{part}"]), 0
    yield from seconds(results.seconds)


def write_study(results: StudyResults, figures: Mapping[str, bytes], folder: Path) -> None:
    """Answer, figures, tables as CSV and JSON, and the configuration as files in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, png in figures.items():
        (folder / f"{name}.png").write_bytes(png)
    (folder / "answer.md").write_text(answer_markdown(results), encoding="utf-8")
    (folder / "config.yaml").write_text(results.config_yaml, encoding="utf-8")
    results.table.to_csv(folder / "cells.csv", index=False)
    results.rows.to_csv(folder / "networks.csv", index=False)
    results.skipped.to_csv(folder / "skipped.csv", index=False)
    content = {
        "title": results.title,
        "answer": results.answer,
        "cells": json.loads(results.table.to_json(orient="records")),
        "skipped": json.loads(results.skipped.to_json(orient="records")),
    }
    (folder / "study.json").write_text(json.dumps(content, indent=2), encoding="utf-8")
