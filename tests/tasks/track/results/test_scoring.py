"""Nights in the tracker: one run a version, the same night once."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
from mlflow.entities import Metric

from foldproof.tasks.operate.monitoring.monitor import Monitoring
from foldproof.tasks.operate.monitoring.realised import realised_mean
from foldproof.tasks.operate.nights.checks import Checked, Result
from foldproof.tasks.operate.nights.scoring import Scoring, write_scores
from foldproof.tasks.operate.spec import Bound
from foldproof.tasks.report.realised import realised_figure
from foldproof.tasks.report.style import render
from foldproof.tasks.report.template import Report
from foldproof.tasks.track.results.scoring import (
    log_monitoring_run,
    log_scoring,
    scores_of_model,
    step_of,
)
from foldproof.tasks.track.store import Store
from tests.tasks.report.monitoring_example import example_monitoring

MONDAY, TUESDAY = date(2022, 3, 7), date(2022, 3, 8)


def scoring(night: date, version: str = "1", age: float = 3.0) -> Scoring:
    result = Result.REFUSE if age > 5 else Result.PASS
    table = pd.DataFrame(
        {
            "date": pd.Timestamp(night),
            "symbol": ["A", "B"],
            "score": [0.1, np.nan],
            "version": version,
        }
    )
    bound = Bound(warn=4, refuse=5)
    checks = (Checked("age", age, bound, result, "its rows end on 2022-03-04"),)
    return Scoring("stocks", version, "zscore", night, night, table, checks)


def log(store: Store, home: Path, one: Scoring) -> str:
    return log_scoring(store, one, None if one.refused else write_scores(one, home))


def history(store: Store, run_id: str, key: str) -> list[tuple[int, float]]:
    points: list[Metric] = store.client.get_metric_history(run_id, key)
    return [(point.step, point.value) for point in points]


def runs(store: Store) -> dict[str, Mapping[str, str]]:
    found = store.client.search_runs([store.experiment_id], "tags.kind = 'scoring'")
    return {run.info.run_id: run.data.tags for run in found}


def test_a_step_is_a_day() -> None:
    assert step_of(date(1970, 1, 2)) == 1
    assert step_of(TUESDAY) - step_of(MONDAY) == 1


def test_nights_of_a_version_are_one_run_and_the_same_night_is_one_point(
    store: Store, tmp_path: Path
) -> None:
    run_id = log(store, tmp_path, scoring(MONDAY))
    for again in (scoring(TUESDAY), scoring(TUESDAY), scoring(MONDAY)):
        assert log(store, tmp_path, again) == run_id
    assert history(store, run_id, "check/age") == [(step_of(MONDAY), 3.0), (step_of(TUESDAY), 3.0)]
    assert history(store, run_id, "score/symbols")[-1] == (step_of(TUESDAY), 1.0)
    files = [one.path for one in store.client.list_artifacts(run_id, "scores")]
    assert files == ["scores/2022-03-07.parquet", "scores/2022-03-08.parquet"]
    other = log(store, tmp_path, scoring(TUESDAY, version="2"))
    assert set(runs(store)) == {run_id, other}
    tags = runs(store)[other]
    assert (tags["model"], tags["version"], tags["result"]) == ("stocks", "2", "pass")


def test_past_scores_of_every_version_are_read_from_their_runs(
    store: Store, tmp_path: Path
) -> None:
    for number, (night, version) in enumerate([(MONDAY, "1"), (TUESDAY, "2"), (TUESDAY, "1")]):
        log(store, tmp_path / f"machine {number}", scoring(night, version))
    log(store, tmp_path, replace(scoring(MONDAY), model="bonds"))
    log(store, tmp_path, scoring(TUESDAY, version="3", age=9.0))
    found = scores_of_model(store, "stocks", tmp_path / "read")
    keys = [(day.date(), version) for day, version in zip(found["date"], found["version"])]  # noqa: B905
    assert sorted(set(keys)) == [(MONDAY, "1"), (TUESDAY, "1"), (TUESDAY, "2")]
    expected = scoring(MONDAY).scores
    first = found[(found["date"] == pd.Timestamp(MONDAY))].reset_index(drop=True)
    pd.testing.assert_frame_equal(first, expected, check_dtype=False)
    assert scores_of_model(store, "options", tmp_path / "none").empty


def test_a_refused_night_has_a_reason_and_no_table(store: Store, tmp_path: Path) -> None:
    run_id = log(store, tmp_path, scoring(MONDAY, age=9.0))
    tags = runs(store)[run_id]
    assert "age of the model 9 (days), beyond operation.score.age.refuse = 5" in tags["refused"]
    assert history(store, run_id, "score/refused") == [(step_of(MONDAY), 1.0)]
    assert history(store, run_id, "score/symbols") == [(step_of(MONDAY), 0.0)]
    assert not store.client.list_artifacts(run_id, "scores")
    log(store, tmp_path, scoring(TUESDAY))
    assert runs(store)[run_id]["refused"] == ""  # the newest night's


def report(one: Monitoring) -> Report:
    return Report("the page", {"realised": render(realised_figure(one, 20))})


def test_realised_rank_ic_is_logged_to_the_version_that_scored(store: Store) -> None:
    one = example_monitoring({"shift": "f1 has moved"})
    for _ in range(2):
        run_id = log_monitoring_run(store, one, report(one), dates=30)
    by_version = {tags["version"]: run for run, tags in runs(store).items()}
    assert by_version["2"] == run_id
    own = one.daily[one.daily["version"] == "2"]
    expected = [(step_of(day.date()), ic) for day, ic in zip(own["date"], own["rank_ic"])]  # noqa: B905
    assert history(store, run_id, "realised/rank_ic") == expected
    newest = len(one.daily) - 30
    earlier = history(store, by_version["1"], "realised/rank_ic")
    assert [step for step, _ in earlier] == [
        step_of(day.date()) for day in one.daily["date"][newest:20]
    ]
    assert history(store, run_id, "monitor/shift") == [(step_of(TUESDAY), 0.3)]
    assert history(store, run_id, "monitor/missed_nights") == [(step_of(TUESDAY), 0.0)]
    assert history(store, run_id, "monitor/alerts") == [(step_of(TUESDAY), 1.0)]
    tags = runs(store)[run_id]
    assert (tags["alerts"], tags["alert"]) == ("shift", "f1 has moved")
    files = {one.path for one in store.client.list_artifacts(run_id, "monitoring")}
    assert files == {"monitoring/realised.png", "monitoring/monitoring.md"}


def test_without_labels_there_is_no_point_and_no_error(store: Store) -> None:
    one = replace(
        example_monitoring({}),
        daily=example_monitoring({}).daily.head(0),
        realised=realised_mean(np.zeros(0), 1, 0.05),
    )
    run_id = log_monitoring_run(store, one, report(one), dates=30)
    assert history(store, run_id, "realised/rank_ic") == []
    assert history(store, run_id, "realised/mean") == []  # not a number: left out
    assert runs(store)[run_id]["alerts"] == ""
