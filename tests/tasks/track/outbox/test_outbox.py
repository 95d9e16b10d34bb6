"""What waits in the outbox arrives as if it had been logged at once, and once."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pandas as pd
import pytest
from mlflow.entities import Metric, Run, ViewType

from foldproof.tasks.report.realised import realised_figure
from foldproof.tasks.report.results import Results
from foldproof.tasks.report.style import render
from foldproof.tasks.report.template import Report
from foldproof.tasks.track.model.log_model import ModelFiles, log_model
from foldproof.tasks.track.outbox.delivery import Delivery, send
from foldproof.tasks.track.outbox.entries import Entry, discard, entries, target_of
from foldproof.tasks.track.outbox.journal import recording
from foldproof.tasks.track.results.comparison import log_comparison
from foldproof.tasks.track.results.scoring import log_monitoring_run, log_scoring
from foldproof.tasks.track.runs import MISSING, finished_runs, new_run
from foldproof.tasks.track.spec import TrackingSpec
from foldproof.tasks.track.store import Store, TrackingError, open_store
from tests.tasks.report.monitoring_example import example_monitoring
from tests.tasks.track.model.test_log_model import CODE
from tests.tasks.track.results.test_scoring import MONDAY, scoring

DOWN = TrackingSpec(uri="http://127.0.0.1:9")


def files(folder: Path) -> ModelFiles:
    code, settings = folder / "scaled.py", folder / "settings.json"
    code.write_text(CODE)
    settings.write_text(json.dumps({"factor": 3.0}))
    close = pd.DataFrame({"symbol": ["A", "B"], "close": [1.0, 2.0]})
    scores = pd.DataFrame({"score": [3.0, 6.0]})
    return ModelFiles(code, {"settings": settings}, close, scores, ("pandas",))


@pytest.fixture
def waiting(tmp_path: Path) -> Callable[[Callable[[Store], object]], Entry]:
    """Log with a function while no store answers; the entry in the outbox."""

    def keep(write: Callable[[Store], object]) -> Entry:
        place = tmp_path / "outbox"
        with recording(DOWN, "some key", "it is down", "flow", place) as store:
            write(store)
        (entry,) = entries(place)
        return entry

    return keep


def runs(store: Store) -> dict[str, Run]:
    found = store.client.search_runs([store.experiment_id])
    named = {run.data.tags.get("variant", "summary"): run for run in found}
    assert len(named) == len(found), "a run is there twice"
    return named


def content(store: Store, run: Run) -> Mapping[str, object]:
    """All that a run holds, without ids and times."""
    place = Path(unquote(urlsplit(run.info.artifact_uri).path))
    history = {
        key: [(m.value, m.step) for m in store.client.get_metric_history(run.info.run_id, key)]
        for key in run.data.metrics
    }
    pictures = [file for file in place.rglob("*") if "images" in file.parts and file.is_file()]
    artifacts = {
        str(file.relative_to(place)): file.read_bytes()
        for file in place.rglob("*")
        if file.is_file() and file not in pictures
    }
    named = sorted(file.name.split("+timestamp")[0] for file in pictures)
    tags = {k: v for k, v in run.data.tags.items() if k not in ("mlflow.note.content",)}
    inputs = [one.dataset.digest for one in run.inputs.dataset_inputs] if run.inputs else []
    return {
        "status": run.info.status, "name": run.info.run_name, "history": history, "tags": tags,
        "params": run.data.params, "artifacts": artifacts, "pictures": named, "inputs": inputs,
    }  # fmt: skip


def test_a_comparison_arrives_as_if_logged_at_once(
    spec: TrackingSpec, store: Store, results: Results, report: Report, waiting
) -> None:
    log_comparison(store, results, report)
    entry = waiting(lambda down: log_comparison(down, results, report))
    other = open_store(replace(spec, experiment="later"))
    send(other, entry)
    at_once, later = runs(store), runs(other)
    assert at_once.keys() == later.keys()
    for name, run in at_once.items():
        assert content(store, run) == content(other, later[name])
        note = later[name].data.tags["mlflow.note.content"]
        assert "outbox" not in note
        assert later[name].data.tags["comparison"] == results.comparison_id


def test_sending_twice_writes_nothing(store: Store, lean: Results, report: Report, waiting) -> None:
    entry = waiting(lambda down: log_comparison(down, lean, report))
    send(store, entry)
    before = {name: run.info.run_id for name, run in runs(store).items()}
    send(store, entry)
    assert {name: run.info.run_id for name, run in runs(store).items()} == before


def test_only_what_is_missing_is_sent(store: Store, lean: Results, report: Report, waiting) -> None:
    """The server went away in the middle: one run is finished, one is half-written."""
    log_comparison(store, lean, report)
    kept = runs(store)
    for name in ("zscore", "summary"):
        store.client.set_terminated(kept[name].info.run_id, "FAILED")
    send(store, waiting(lambda down: log_comparison(down, lean, report)))
    after = runs(store)
    assert after["none"].info.run_id == kept["none"].info.run_id
    assert after["zscore"].info.run_id != kept["zscore"].info.run_id
    assert {run.info.status for run in after.values()} == {"FINISHED"}


def test_an_interrupted_sending_is_completed_without_doubles(
    store: Store, lean: Results, report: Report, waiting, monkeypatch
) -> None:
    entry = waiting(lambda down: log_comparison(down, lean, report))
    upload, calls = Delivery.upload, []

    def fails_second(self: Delivery, made: str) -> None:
        calls.append(made)
        if len(calls) == 2:
            raise KeyboardInterrupt
        upload(self, made)

    with monkeypatch.context() as patch:
        patch.setattr(Delivery, "upload", fails_second)
        with pytest.raises(KeyboardInterrupt):
            send(store, entry)
    assert len(runs(store)) == 2
    send(store, entry)
    assert set(runs(store)) == {*lean.variants, "summary"}
    assert {run.info.status for run in runs(store).values()} == {"FINISHED"}


def test_the_report_can_be_read_while_it_waits(lean: Results, report: Report, waiting) -> None:
    links = []
    waiting(lambda down: links.append(log_comparison(down, lean, report)))
    assert not links[0].sent
    assert Path(links[0].file).read_text() == report.page


def test_a_model_gets_its_real_ids(store: Store, tmp_path: Path, waiting) -> None:
    def write(to: Store) -> None:
        with new_run(to, "one", {"comparison": "c", "variant": "v"}) as run_id:
            log_model(to, run_id, "v", files(tmp_path))

    send(store, waiting(write))
    (run,) = store.client.search_runs([store.experiment_id])
    (output,) = run.outputs.model_outputs
    model = store.client.get_logged_model(output.model_id)
    assert str(model.status) == "READY"
    assert model.source_run_id == run.info.run_id
    place = Path(unquote(urlsplit(model.artifact_location).path))
    about = (place / "MLmodel").read_text()
    assert "outbox" not in about
    assert output.model_id in about
    assert run.info.run_id in about


def test_nights_go_to_the_run_of_their_version_and_stand_once(
    store: Store, tmp_path: Path, waiting
) -> None:
    table = tmp_path / "2022-03-07.parquet"
    table.write_bytes(b"scores")
    run_id = log_scoring(store, scoring(MONDAY), None)
    entry = waiting(lambda down: log_scoring(down, scoring(MONDAY), table))
    send(store, entry)
    send(store, entry)
    (run,) = store.client.search_runs([store.experiment_id])
    assert run.info.run_id == run_id
    history: list[Metric] = store.client.get_metric_history(run_id, "score/symbols")
    assert len(history) == 1
    place = Path(unquote(urlsplit(run.info.artifact_uri).path))
    assert (place / "scores" / table.name).read_bytes() == b"scores"


def test_monitoring_arrives(store: Store, waiting) -> None:
    found = example_monitoring({})
    report = Report("page", {"realised": render(realised_figure(found, 5))})
    send(store, waiting(lambda down: log_monitoring_run(down, found, report, 5)))
    other = [run.data.tags for run in store.client.search_runs([store.experiment_id])]
    assert str(found.night) in {tags.get("monitored") for tags in other}


def test_a_key_is_kept_once_and_half_an_entry_not_at_all(tmp_path: Path) -> None:
    for why in ("first", "second"):
        with recording(DOWN, "a/b", why, outbox=tmp_path):
            pass
    with pytest.raises(OSError, match="disk"), recording(DOWN, "c", "third", outbox=tmp_path):
        raise OSError("disk")
    (entry,) = entries(tmp_path)
    assert (entry.key, entry.reason, entry.uri) == ("a/b", "second", DOWN.uri)
    discard("a/b", tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_password_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@127.0.0.1:9")
    with recording(DOWN, "key", "down", outbox=tmp_path):
        pass
    (entry,) = entries(tmp_path)
    assert "secret" not in json.dumps([str(value) for value in vars(entry).values()])
    target_of(entry)
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    with pytest.raises(TrackingError, match="whose password is not kept: set MLFLOW_TRACKING_URI"):
        target_of(entry)


def test_a_half_written_model_is_deleted_with_its_run(store: Store) -> None:
    """A store that went away while the model was uploaded left it pending for ever."""
    run = store.client.create_run(store.experiment_id, tags={"comparison": "c", "variant": "v"})
    store.client.create_logged_model(
        store.experiment_id, name="v", source_run_id=run.info.run_id, model_type="forecaster"
    )
    assert finished_runs(store, "c") == {}
    assert not store.client.search_logged_models([store.experiment_id])
    assert not store.client.search_runs([store.experiment_id], run_view_type=ViewType.ACTIVE_ONLY)


def test_runs_of_a_comparison_that_lacked_variants_are_replaced(store: Store) -> None:
    with new_run(store, "part", {"comparison": "c", "variant": "v", MISSING: "w"}) as part:
        pass
    assert finished_runs(store, "c", "w") == {"v": part}
    assert finished_runs(store, "c") == {}
    assert not store.client.search_runs([store.experiment_id])
