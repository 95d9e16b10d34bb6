"""A store that goes away: requests are repeated, results are kept, and sent by the command."""

import threading
from dataclasses import replace
from pathlib import Path

import pytest
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE, TEMPORARILY_UNAVAILABLE

from foldproof.flows.commands.sync import run_sync
from foldproof.flows.flow_runs.in_part import InPartError, require_complete, require_sent
from foldproof.tasks.lock import locked
from foldproof.tasks.report.results import Results
from foldproof.tasks.track.outbox import task
from foldproof.tasks.track.outbox.entries import entries
from foldproof.tasks.track.outbox.journal import recording
from foldproof.tasks.track.spec import TrackingSpec
from foldproof.tasks.track.store import DownError, TrackingError, lock_file, open_store
from foldproof.tasks.track.task import champion_of, find_logged, log_night, settle_retraining
from tests.tasks.track.results.test_scoring import MONDAY, TUESDAY, scoring

BUSY = MlflowException("database is locked", TEMPORARILY_UNAVAILABLE)
REFUSED = MlflowException("no such key", INVALID_PARAMETER_VALUE)


class Flaky:
    """Opens the store, except for the first times."""

    def __init__(self, *errors: Exception) -> None:
        self.errors, self.tries = list(errors), 0

    def __call__(self, spec: TrackingSpec) -> object:
        self.tries += 1
        if self.errors:
            raise self.errors.pop(0)
        return open_store(spec)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory, and repetitions without their delays."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(task, "FIRST_DELAY", 0.01)
    return tmp_path


def nights(spec: TrackingSpec) -> list[tuple[int, float]]:
    store = open_store(spec)
    found = store.client.search_runs([store.experiment_id], "tags.kind = 'scoring'")
    return [
        (point.step, point.value)
        for run in found
        for point in store.client.get_metric_history(run.info.run_id, "score/symbols")
    ]


def test_an_outage_is_waited_out(spec: TrackingSpec, monkeypatch, capsys) -> None:
    flaky = Flaky(DownError("no tracking server answers"), BUSY)
    monkeypatch.setattr(task, "open_store", flaky)
    log_night(replace(spec, patience=5.0), scoring(MONDAY), None)
    assert flaky.tries == 3
    assert len(nights(spec)) == 1
    said = capsys.readouterr().out
    assert said.count("does not answer (no tracking server answers); trying again for 5 se") == 1
    assert not entries()


def test_a_refusal_is_not_repeated(spec: TrackingSpec, monkeypatch) -> None:
    flaky = Flaky(REFUSED)
    monkeypatch.setattr(task, "open_store", flaky)
    with pytest.raises(TrackingError, match=r"the tracking store sqlite.* failed: no such key$"):
        log_night(spec, scoring(MONDAY), None)
    assert flaky.tries == 1
    assert not entries()


def test_results_are_kept_when_the_patience_ends_and_the_command_sends_them(
    spec: TrackingSpec, monkeypatch, capsys, folder: Path
) -> None:
    spec = replace(spec, patience=0.02)
    with monkeypatch.context() as patch:
        patch.setattr(task, "open_store", Flaky(*[BUSY] * 20))
        run_id = log_night(spec, scoring(MONDAY), None)
    assert run_id.startswith("outbox")
    key = f"scores-stocks-{MONDAY}"
    place = Path(".foldproof/outbox") / key
    assert f"database is locked. The results are kept in {place}: send" in capsys.readouterr().out
    with pytest.raises(InPartError, match=rf"^{key} waits in .*: run foldproof sync$"):
        require_sent()
    assert nights(spec) == []
    run_sync()
    assert len(nights(spec)) == 1
    assert capsys.readouterr().out.startswith(f"sent {key} to sqlite:///")
    require_sent()
    run_sync()
    assert capsys.readouterr().out == "nothing waits in .foldproof/outbox\n"
    assert len(nights(spec)) == 1


def test_what_is_logged_later_no_longer_waits(spec: TrackingSpec, monkeypatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(task, "open_store", Flaky(BUSY))
        log_night(replace(spec, patience=0.0), scoring(MONDAY), None)
    log_night(spec, scoring(TUESDAY), None)
    assert len(entries()) == 1
    log_night(spec, scoring(MONDAY), None)
    assert not entries()


def test_what_an_earlier_command_kept_is_not_this_one_s(spec: TrackingSpec) -> None:
    with recording(spec, "earlier", "down", "process 1"):
        pass
    require_sent()


def test_reading_ends_in_one_sentence(tmp_path: Path) -> None:
    down = TrackingSpec(uri="http://127.0.0.1:9", patience=0.0)
    with pytest.raises(TrackingError, match=r"^no tracking server answers at [^\n]*$"):
        champion_of(down, "stocks", tmp_path)


def test_a_store_that_is_down_is_not_waited_for_before_the_report(lean: Results) -> None:
    down = TrackingSpec(uri="http://127.0.0.1:9", patience=1000.0)
    assert find_logged(down, lean) is None


def test_a_decision_that_waits_moves_no_champion(spec: TrackingSpec) -> None:
    with pytest.raises(TrackingError, match=r"the champion is unchanged, .* sync applies the"):
        settle_retraining(spec, "outboxabc")


def test_two_processes_write_the_same_thing_one_after_the_other(spec: TrackingSpec) -> None:
    uri, done = open_store(spec).uri, threading.Event()

    def write() -> None:
        log_night(spec, scoring(MONDAY), None)
        done.set()

    thread = threading.Thread(target=write)
    with locked(lock_file(uri, f"write-scores-stocks-{MONDAY}")):
        thread.start()
        assert not done.wait(1.5)
    assert done.wait(60)
    thread.join()


def test_missing_parts_are_named() -> None:
    require_complete({})
    with pytest.raises(InPartError, match=r"^left out: zscore \(fold 3 seed 0: why\); the same"):
        require_complete({"zscore": "fold 3 seed 0: why"})
