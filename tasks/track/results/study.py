"""Log a study of batch statistics as one run, with its answer as the description."""

import json
from collections.abc import Iterator, Mapping

from foldproof.tasks.report.batch_study.results import StudyResults, answer_markdown
from foldproof.tasks.track.entries import NOTE, Value, flat, seconds
from foldproof.tasks.track.files import File
from foldproof.tasks.track.runs import log_once
from foldproof.tasks.track.store import Links, Store


def log_batch_study(store: Store, results: StudyResults, figures: Mapping[str, bytes]) -> Links:
    """Write the run unless it exists; return where it is."""
    settings = flat(results.config, without=("tracking", "compute"))
    return log_once(
        store, results.title, study_tags(results), study_values(results), settings,
        study_files(results, figures), file="", table=results.table,
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


def study_files(results: StudyResults, figures: Mapping[str, bytes]) -> Iterator[File]:
    """Answer, figures, tables as CSV and JSON, and the configuration."""
    for name, png in figures.items():
        yield f"{name}.png", png
    yield "answer.md", answer_markdown(results)
    yield "config.yaml", results.config_yaml
    yield "cells.csv", results.table
    yield "networks.csv", results.rows
    yield "skipped.csv", results.skipped
    content = {
        "title": results.title,
        "answer": results.answer,
        "cells": json.loads(results.table.to_json(orient="records")),
        "skipped": json.loads(results.skipped.to_json(orient="records")),
    }
    yield "study.json", json.dumps(content, indent=2)
