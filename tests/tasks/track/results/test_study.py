import json
from pathlib import Path

import pandas as pd
from mlflow import artifacts

from foldproof.tasks.track.entries import NOTE
from foldproof.tasks.track.results.study import log_batch_study
from foldproof.tasks.track.store import Store
from tests.tasks.report.study_example import study_example

RESULTS = study_example()
PICTURE = {"batch_norm": b"\x89PNG not looked at"}


def test_one_run_answers_by_itself(store: Store, tmp_path: Path) -> None:
    links = log_batch_study(store, RESULTS, PICTURE)
    run = store.client.get_run(links.summary_run_id)
    assert run.info.status == "FINISHED"
    assert run.data.tags[NOTE].startswith("# A study with made-up numbers")
    assert RESULTS.answer[0] in run.data.tags[NOTE]
    cell = RESULTS.cell("noise", "batch_norm_hidden", "one symbol, 8 days")
    assert cell is not None
    metric = "noise/batch_norm_hidden one symbol_ 8 days train_mode"
    assert run.data.metrics[metric] == cell["train_mode"]
    assert run.data.metrics[f"{metric}_low"] == cell["train_mode_low"]
    folder = Path(artifacts.download_artifacts(run.info.artifact_uri, dst_path=str(tmp_path)))
    assert (folder / "batch_norm.png").read_bytes() == PICTURE["batch_norm"]
    pd.testing.assert_frame_equal(pd.read_csv(folder / "cells.csv"), RESULTS.table)
    content = json.loads((folder / "study.json").read_text())
    assert content["answer"] == RESULTS.answer
    assert len(content["cells"]) == len(RESULTS.table)
    assert len(content["skipped"]) == len(RESULTS.skipped)


def test_logging_twice_makes_one_run(store: Store) -> None:
    first = log_batch_study(store, RESULTS, PICTURE)
    assert log_batch_study(store, RESULTS, PICTURE) == first
    assert len(store.client.search_runs([store.experiment_id])) == 1
