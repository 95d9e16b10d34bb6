"""Log a study of batch statistics: one run that answers the question by itself."""

import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from foldproof.tasks.report.batch_study.results import StudyResults, answer_markdown
from foldproof.tasks.track.runs import SUMMARY, finished_runs, log_values, new_run
from foldproof.tasks.track.store import Links, Store, runs_page, ui_command, url_of
from foldproof.tasks.track.values import NOTE, Value, flat


def log_batch_study(store: Store, results: StudyResults, figures: Mapping[str, bytes]) -> Links:
    """Write the run unless it is there; say where it is."""
    runs = finished_runs(store, results.study_id)
    if SUMMARY not in runs:
        with new_run(store, results.title, study_tags(results)) as run_id:
            settings = {k: v for k, v in results.config.items() if k not in ("tracking", "workers")}
            log_values(store, run_id, study_values(results), flat(settings))
            with tempfile.TemporaryDirectory() as folder:
                write_study(results, figures, Path(folder))
                store.client.log_artifacts(run_id, folder)
            store.client.log_table(run_id, results.table.astype(object), "table.json")
        runs[SUMMARY] = run_id
    page = f"{runs_page(store)}/{runs[SUMMARY]}/artifacts"
    return Links(runs[SUMMARY], {}, url_of(store, results.study_id), page, ui_command(store))


def study_tags(results: StudyResults) -> dict[str, str]:
    """What finds the run, and the answer as its description."""
    return {
        "comparison": results.study_id,
        "kind": "study",
        "title": results.title,
        "code_version": results.code_version,
        NOTE: answer_markdown(results),
    }


def study_values(results: StudyResults) -> Iterator[Value]:
    """Every mean with its interval, in a section a panel; the seconds of every step."""
    for _, row in results.table.iterrows():
        name = f"{row['panel']}/{row['normalization']} {row['composition']}"
        for score in ("honest", "train_mode", "train_mode_dates", "gap", "gain"):
            for part in ("", "_low", "_high"):
                yield f"{name} {score}{part}", float(row[f"{score}{part}"]), 0
    for step, spent in results.seconds.items():
        yield f"seconds/{step}", float(spent), 0


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
