"""Log a study of batch statistics as one run, with its answer as the description."""

import json
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from foldproof.tasks.report.batch_study.results import StudyResults, answer_markdown
from foldproof.tasks.track.entries import NOTE, Value, flat, seconds
from foldproof.tasks.track.runs import log_once
from foldproof.tasks.track.store import Links, Store


def log_batch_study(store: Store, results: StudyResults, figures: Mapping[str, bytes]) -> Links:
    """Write the run unless it exists; return where it is."""
    settings = flat(results.config, without=("tracking", "compute"))
    return log_once(
        store, results.title, study_tags(results), study_values(results), settings,
        partial(write_study, results, figures), file="", table=results.table,
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
