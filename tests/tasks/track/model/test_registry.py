"""The registry after a retraining, after a crash in it, and after a rollback."""

import json
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from foldproof.models.spec import NetworkSpec, TrainingSpec
from foldproof.tasks.diagnose.findings.finding import Finding, Verdict
from foldproof.tasks.operate.retraining.decision import Challenger, Incumbent
from foldproof.tasks.operate.retraining.gate import decide
from foldproof.tasks.operate.retraining.record import Retraining, Settled
from foldproof.tasks.operate.retraining.tested_dates import Evidence
from foldproof.tasks.operate.spec import GateSpec
from foldproof.tasks.split import WalkForward
from foldproof.tasks.track.model import registry
from foldproof.tasks.track.model.log_model import ModelFiles
from foldproof.tasks.track.model.registry import (
    CHALLENGER,
    CHAMPION,
    aliases,
    find_champion,
    roll_back,
    settle,
)
from foldproof.tasks.track.results.retraining import EVIDENCE, find_evidence, log_retraining
from foldproof.tasks.track.runs import SUMMARY, finished_runs, new_run
from foldproof.tasks.track.spec import TrackingSpec
from foldproof.tasks.track.store import Store, TrackingError, open_store
from foldproof.tasks.train import TrainedUnit, Unit

ROOT = Path(__file__).resolve().parents[4]
MODEL = "forecaster"
SLOW = pytest.mark.slow
CODE = """
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel


class Nothing(PythonModel):
    def predict(self, context, model_input, params=None):
        return model_input


set_model(Nothing())
"""
FINDING = Finding("purge", "folds", Verdict.CLEAN, "exact", "rows", 0.0, 0.0, "every border")


def unit(variant: str, seed: int) -> TrainedUnit:
    """A unit as it would be, without having been trained: the registry reads its name only."""
    dates = np.arange("2024-01-01", "2024-03-01", dtype="datetime64[D]")
    fold = WalkForward(train=20, validation=5, test=10, keep=1).folds(dates)[0]
    one = Unit(variant, fold, seed, NetworkSpec(), TrainingSpec(), "panel", "plan")
    return TrainedUnit(one, {}, {}, 1.0, pd.DataFrame(), 1, pd.DataFrame())


def record(name: str, gain: float, champion: str = "", verdict=Verdict.CLEAN) -> Retraining:
    """The retraining of a night on which cs_rank gains ``gain`` over the champion."""
    noise = np.random.default_rng(0).normal(0, 0.1, 60)
    days = np.arange("2024-01-01", "2024-03-02", dtype="datetime64[D]").astype("datetime64[s]")
    difference = pd.DataFrame(
        {"date": days[:60], "known": days[1:], "difference": gain + noise - noise.mean()}
    )
    one = Challenger("cs_rank", verdict, 1.0, 0.02 + gain, 60, difference)
    old = Incumbent(champion, "none", 0, 0.02) if champion else None
    one = one if old else replace(one, difference=None)
    made = decide([one], old, GateSpec(), 1, 0, date(2024, 3, 1), Evidence())
    chosen = unit("cs_rank", seed=len(name)) if made.variant else None
    return Retraining(
        name, f"retraining {name}", MODEL, "2024-03-01", made, chosen, "panel", "plan", "code",
        {"name": name, "seeds": [0]}, "name: x\n", {"cs_rank": (FINDING,)}, {"units": 1.0},
    )  # fmt: skip


def files(made: Retraining, folder: Path) -> ModelFiles:
    """A model that is small, with the notes that a served one has."""
    code, notes = folder / "nothing.py", folder / "model.json"
    weights = folder / "weights.safetensors"
    code.write_text(CODE)
    weights.write_bytes(b"weights")
    about = {"variant": "cs_rank", "tested_from": "2024-02-20", "key": made.chosen.unit.key}
    notes.write_text(json.dumps(about))
    rows = pd.DataFrame({"symbol": ["A"], "close": [1.0]})
    return ModelFiles(code, {"weights": weights, "notes": notes}, rows, rows, ("pandas",))


def logged(store: Store, made: Retraining, folder: Path) -> str:
    return log_retraining(store, made, files(made, folder) if made.chosen else None)


def night(store: Store, folder: Path, *given, **more) -> Settled:
    return settle(store, logged(store, record(*given, **more), folder))


def versions(store: Store) -> list[str]:
    return sorted(str(one.version) for one in store.client.search_model_versions())


def test_no_champion_and_no_registry_to_read_are_two_things(store, tmp_path) -> None:
    assert find_champion(store, MODEL, tmp_path) is None
    store.client.create_registered_model(MODEL)
    assert find_champion(store, MODEL, tmp_path) is None
    broken = store.client._get_registry_client().store
    broken.engine.dispose()
    (database,) = tmp_path.glob("mlflow.db")
    database.write_bytes(b"not a database, " * 1000)
    with pytest.raises(TrackingError, match=f"the registry cannot be read for {MODEL}"):
        find_champion(store, MODEL, tmp_path)


def test_the_first_is_registered_with_its_lineage(store: Store, tmp_path: Path) -> None:
    done = night(store, tmp_path, "a", 0.0)
    assert (done.outcome, done.reason, done.version, done.champion) == ("first", "", "1", "1")
    assert done.sentence.endswith(". Version 1 of forecaster is the champion")
    assert aliases(store, MODEL) == {CHAMPION: "1", CHALLENGER: "1"}
    version = store.client.get_model_version(MODEL, "1")
    expected = record("a", 0.0)
    assert version.tags.items() >= {
        "retraining": "a", "variant": "cs_rank", "seed": "1", "unit": expected.chosen.unit.key,
        "verdict": "CLEAN", "outcome": "first", "reason": "", "panel": "panel", "plan": "plan",
        "code_version": "code", "night": "2024-03-01", "previous": "",
        "tested_from": str(expected.chosen.unit.fold.test_dates[0]),
    }.items()  # fmt: skip
    assert version.run_id == done.run_id
    found = find_champion(store, MODEL, tmp_path / "fetched")
    assert (found.version, found.variant) == ("1", "cs_rank")
    assert found.tested_from == date(2024, 2, 20)
    assert found.weights.read_bytes() == b"weights"


def test_a_version_is_noted_on_its_logged_model_once(store: Store, tmp_path: Path) -> None:
    done = night(store, tmp_path, "a", 0.0)
    settle(store, done.run_id)
    (model,) = store.client.search_logged_models([store.experiment_id])
    assert json.loads(model.tags["mlflow.modelVersions"]) == [{"name": MODEL, "version": 1}]
    assert (model.tags["variant"], model.tags["verdict"]) == ("cs_rank", "CLEAN")
    assert {one.key: one.value for one in model.metrics}["oos/rank_ic"] == 0.02
    assert store.client.get_run(done.run_id).data.metrics["oos/rank_ic"] == 0.02


def test_a_version_left_without_its_note_by_a_crash_gets_it(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = logged(store, record("a", 0.0), tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(registry, "link_version", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            settle(store, run_id)
    settle(store, run_id)
    (model,) = store.client.search_logged_models([store.experiment_id])
    assert json.loads(model.tags["mlflow.modelVersions"]) == [{"name": MODEL, "version": 1}]


def test_the_run_holds_the_decision(store: Store, tmp_path: Path) -> None:
    night(store, tmp_path, "a", 0.0)
    done = night(store, tmp_path, "bb", 0.05, champion="1")
    run = store.client.get_run(done.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.tags.items() >= {
        "kind": "retraining", "outcome": "promoted", "reason": "", "champion": "1",
        "version": "2", "decision": done.sentence, "verdict.cs_rank": "CLEAN",
    }.items()  # fmt: skip
    assert run.data.metrics["cs_rank/gain"] == pytest.approx(0.05)
    assert run.data.metrics["cs_rank/gain_low"] > 0
    assert run.data.metrics["cs_rank/detectable"] > 0
    assert run.data.metrics["champion/rank_ic"] == 0.02
    there = {one.path for one in store.client.list_artifacts(done.run_id)}
    assert there >= {"decision.md", "config.yaml", "findings"}


def test_the_tested_dates_are_those_of_the_newest_finished_retraining(store, tmp_path) -> None:
    assert find_evidence(store, MODEL).newest is None
    night(store, tmp_path, "a", 0.0)
    assert find_evidence(store, MODEL).newest == date(2024, 3, 1)
    made = record("bb", 0.0, champion="1")
    done = settle(store, logged(store, made, tmp_path))
    found = find_evidence(store, MODEL)
    assert (found.champion, found.since) == ("1", date(2024, 3, 1))
    pd.testing.assert_frame_equal(found.rows, made.decision.evidence.rows)
    assert find_evidence(store, "another").newest is None
    assert find_evidence(store, "o'brien").newest is None
    open_run = store.client.create_run(
        store.experiment_id, tags={"kind": "retraining", "model": MODEL}
    )
    assert open_run.info.status == "RUNNING"
    assert len(find_evidence(store, MODEL).rows) == 60
    store.client.log_text(done.run_id, "{}", EVIDENCE)
    with pytest.raises(TrackingError, match=rf"evidence.json of the retraining {done.run_id} can"):
        find_evidence(store, MODEL)


def test_a_retraining_without_tested_dates_starts_them(store: Store, tmp_path: Path) -> None:
    """Runs of former versions have no such file."""
    with new_run(store, "old", {"kind": "retraining", "model": MODEL, "night": "2024-03-01"}):
        pass
    assert find_evidence(store, MODEL).newest is None


def test_a_challenger_that_is_kept_out_is_registered_beside_the_champion(store, tmp_path) -> None:
    night(store, tmp_path, "a", 0.0)
    done = night(store, tmp_path, "bb", 0.0, champion="1")
    assert (done.outcome, done.reason, done.version, done.champion) == (
        "kept", "no_improvement", "2", "1",
    )  # fmt: skip
    assert aliases(store, MODEL) == {CHAMPION: "1", CHALLENGER: "2"}


def test_a_leaking_challenger_is_a_tag_and_no_version(store, tmp_path) -> None:
    night(store, tmp_path, "a", 0.0)
    done = night(store, tmp_path, "bb", 0.4, champion="1", verdict=Verdict.LEAK)
    assert (done.outcome, done.reason, done.version, done.champion) == ("kept", "leak", None, "1")
    assert store.client.get_run(done.run_id).data.tags["verdict.cs_rank"] == "LEAK"
    assert versions(store) == ["1"]


def test_the_same_again_changes_nothing(store: Store, tmp_path: Path) -> None:
    first = night(store, tmp_path, "a", 0.0)
    assert finished_runs(store, "a").get(SUMMARY) == first.run_id
    assert settle(store, first.run_id) == first
    assert versions(store) == ["1"]
    again = night(store, tmp_path, "b", 0.0, champion="1")  # another night, the same unit
    assert (again.version, versions(store)) == ("1", ["1"])


def test_settled_once_it_does_not_undo_a_rollback(store: Store, tmp_path: Path) -> None:
    night(store, tmp_path, "a", 0.0)
    second = night(store, tmp_path, "bb", 0.05, champion="1")
    assert roll_back(store, MODEL).after == "1"
    assert settle(store, second.run_id).champion == "1"


def test_a_champion_that_was_not_compared_stays(store: Store, tmp_path: Path) -> None:
    night(store, tmp_path, "a", 0.0)
    late = logged(store, record("bb", 0.05, champion="1"), tmp_path)
    night(store, tmp_path, "ccc", 0.05, champion="1")
    done = settle(store, late)
    assert (done.version, done.champion) == ("3", "2")
    assert (
        "But the champion changed meanwhile to version 2, which was not compared, so it stays"
        in done.sentence
    )


def test_rollback_goes_back_step_by_step_or_to_a_version(store: Store, tmp_path: Path) -> None:
    night(store, tmp_path, "a", 0.0)
    night(store, tmp_path, "bb", 0.05, champion="1")
    night(store, tmp_path, "ccc", 0.05, champion="2")
    for expected in (("3", "2"), ("2", "1")):
        move = roll_back(store, MODEL)
        assert (move.before, move.after) == expected
        assert aliases(store, MODEL)[CHAMPION] == move.after
    with pytest.raises(
        TrackingError,
        match="version 1 of forecaster replaced no other version; name one of the versions 2, 3",
    ):
        roll_back(store, MODEL)
    assert roll_back(store, MODEL, "3").before == "1"
    with pytest.raises(TrackingError, match="version 3 of forecaster is the champion already"):
        roll_back(store, MODEL, "3")
    with pytest.raises(TrackingError, match="no version 9; its versions are 1, 2, 3"):
        roll_back(store, MODEL, "9")
    assert aliases(store, MODEL)[CHAMPION] == "3"


def test_rollback_without_a_champion_is_an_error(store: Store) -> None:
    with pytest.raises(TrackingError, match="forecaster has no champion to roll back"):
        roll_back(store, MODEL)


KILLED = """
import os, signal, sys
from mlflow import MlflowClient
from foldproof.tasks.track.model.registry import settle
from foldproof.tasks.track.spec import TrackingSpec
from foldproof.tasks.track.store import open_store

uri, run_id, name, call = sys.argv[1:]
usual, count = getattr(MlflowClient, name), 0


def killed(self, *args, **kwargs):
    global count
    count += 1
    if count == int(call):
        os.kill(os.getpid(), signal.SIGKILL)
    return usual(self, *args, **kwargs)


setattr(MlflowClient, name, killed)
settle(open_store(TrackingSpec(uri=uri, experiment="test")), run_id)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "call", "registered"),
    [
        pytest.param("create_model_version", 1, ["1"], marks=SLOW),  # nothing done yet
        pytest.param("set_registered_model_alias", 1, ["1", "2"], marks=SLOW),  # no alias yet
        pytest.param("set_model_version_tag", 1, ["1", "2"], marks=SLOW),  # the challenger
        ("set_registered_model_alias", 2, ["1", "2"]),  # all but the move itself
    ],
)
def test_killed_before_the_move_the_old_champion_stays_and_the_same_again_completes_it(
    name: str, call: int, registered: list[str], spec: TrackingSpec, tmp_path: Path
) -> None:
    store = open_store(spec)
    night(store, tmp_path, "a", 0.0)
    run_id = logged(store, record("bb", 0.05, champion="1"), tmp_path)
    code = [sys.executable, "-W", "ignore", "-c", KILLED, str(spec.uri), run_id, name, str(call)]
    done = subprocess.run(code, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert aliases(store, MODEL)[CHAMPION] == "1"
    assert versions(store) == registered
    found = finished_runs(store, "bb").get(SUMMARY)
    assert found == run_id
    settled = settle(store, found)
    assert (settled.outcome, settled.version, settled.champion) == ("promoted", "2", "2")
    assert versions(store) == ["1", "2"]
    assert roll_back(store, MODEL).after == "1"


@pytest.mark.slow
def test_killed_after_the_move_it_is_found_done(spec: TrackingSpec, tmp_path: Path) -> None:
    store = open_store(spec)
    night(store, tmp_path, "a", 0.0)
    run_id = logged(store, record("bb", 0.05, champion="1"), tmp_path)
    code = [sys.executable, "-W", "ignore", "-c", KILLED, str(spec.uri), run_id, "set_tag", "1"]
    done = subprocess.run(code, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert aliases(store, MODEL)[CHAMPION] == "2"
    settled = settle(store, run_id)
    assert (settled.version, settled.champion) == ("2", "2")
    assert roll_back(store, MODEL).after == "1"  # what it replaced is not forgotten
