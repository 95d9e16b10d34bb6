"""``foldproof explain`` as a user calls it, on the models of a finished comparison."""

import json
import subprocess
import sys

import numpy as np
import pytest

from foldproof.conf.explanation import load_explanation
from foldproof.conf.load import ConfigError
from foldproof.tasks.attribute.task import explain_forecasts
from foldproof.tasks.track.model.find_model import fetch_model
from foldproof.tasks.track.spec import TrackingSpec
from foldproof.tasks.track.store import TrackingError, open_store
from tests.tasks.track.conftest import OTHERS_WARNINGS

pytestmark = [pytest.mark.filterwarnings(text) for text in OTHERS_WARNINGS]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["symbl=AAPL"], "symbl: no such key; did you mean symbol?"),
        (["back=0"], "back must be at least 1; it is 0"),
        (["date=2020-13-01"], "not readable as YAML"),
        (["nodes=many"], "nodes"),
    ],
)
def test_a_mistake_names_the_setting(settings, said):
    with pytest.raises(ConfigError) as caught:
        load_explanation("latest", settings)
    assert said in str(caught.value)


def explain(place, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "foldproof.flows", "explain", *arguments],
        cwd=place.folder, env=place.environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip


@pytest.mark.slow
def test_the_best_models_forecast_as_sentence_figure_and_artifact(finished):
    place, _ = finished
    done = explain(place, "symbol=S003")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "S003 on " in done.stdout
    assert "By rows: " in done.stdout
    assert "It cannot be split by days: the features are ready-made" in done.stdout
    (folder,) = (place.folder / ".foldproof/explanations").glob("*/S003-*")
    assert (folder / "explanation.md").read_text().startswith("The forecast for S003 on ")
    assert (folder / "explanation.png").read_bytes().startswith(b"\x89PNG")
    store = open_store(store_of(place))
    run = next(
        run.info.run_id
        for run in store.client.search_runs([store.experiment_id], "tags.kind = 'variant'")
        if run.info.run_id.startswith(folder.parent.name)
    )
    logged = store.client.list_artifacts(run, f"explanations/{folder.name}")
    assert {file.path.split("/")[-1] for file in logged} == {"explanation.md", "explanation.png"}


@pytest.mark.slow
def test_nights_after_that_of_the_training_are_explained_too(finished, tmp_path):
    """A retraining reads no row after its night; a forecast of a later night has its rows."""
    model = fetch_model(open_store(store_of(finished[0])), "latest", tmp_path)
    asked = (None, "S003", None, 5, 8, False)
    (newest,) = explain_forecasts.fn(model.weights, model.notes, *asked).value
    about = json.loads(model.notes.read_text())
    about["data"]["end"] = str(np.datetime64(newest.date) - 30)
    model.notes.write_text(json.dumps(about))
    (later,) = explain_forecasts.fn(model.weights, model.notes, *asked).value
    assert (later.date, later.forecast) == (newest.date, newest.forecast)


def store_of(place):
    return TrackingSpec(uri=f"sqlite:///{place.folder}/.foldproof/mlflow.db")


@pytest.mark.slow
def test_models_are_found_by_run_by_id_prefix_and_as_the_latest(finished, tmp_path):
    store = open_store(store_of(finished[0]))
    runs = store.client.search_runs([store.experiment_id], "tags.variant = 'batch_norm_hidden'")
    (run,) = runs
    by_run = fetch_model(store, run.info.run_id, tmp_path / "a")
    short = fetch_model(store, run.info.run_id[:9], tmp_path / "b")
    model = run.outputs.model_outputs[-1].model_id
    by_id = fetch_model(store, f"models:/{model}", tmp_path / "c")
    assert by_run.run_id == short.run_id == by_id.run_id == run.info.run_id
    notes = {one.notes.read_text() for one in (by_run, short, by_id)}
    assert len(notes) == 1
    assert '"variant": "batch_norm_hidden"' in notes.pop()
    version = registered(store, model)
    named = fetch_model(store, f"models:/forecaster/{version}", tmp_path / "d")
    assert named.run_id == run.info.run_id
    store.client.set_registered_model_alias("forecaster", "champion", version)
    assert fetch_model(store, "models:/forecaster@champion", tmp_path / "e") == named.__class__(
        run.info.run_id, *sorted((tmp_path / "e").rglob("weights.safetensors")),
        *sorted((tmp_path / "e").rglob("model.json")),
    )  # fmt: skip


def registered(store, model):
    """Registered as a user would in the UI."""
    logged = store.client.get_logged_model(model)
    store.client.create_registered_model("forecaster")
    place = logged.artifact_location
    made = store.client.create_model_version(
        "forecaster", place, logged.source_run_id, model_id=model
    )
    return made.version


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("abcdef0", "0 runs begin with 'abcdef0'"),
        ("a", "at least 6 letters"),
        ("models:/nobody/1", "no model models:/nobody/1"),
    ],
)
def test_a_missing_model_lists_the_available_ones(finished, tmp_path, name, said):
    store = open_store(store_of(finished[0]))
    with pytest.raises(TrackingError, match=said) as caught:
        fetch_model(store, name, tmp_path)
    assert "Newest: " in str(caught.value)


@pytest.mark.slow
def test_a_summary_run_has_no_model(finished, tmp_path):
    store = open_store(store_of(finished[0]))
    (summary,) = store.client.search_runs([store.experiment_id], "tags.kind = 'summary'")
    with pytest.raises(TrackingError, match="has no model; give the run of a variant"):
        fetch_model(store, summary.info.run_id, tmp_path)


@pytest.mark.slow
def test_a_typo_is_one_line_and_exit_status_2(finished):
    done = explain(finished[0], "symbol=S99")
    assert done.returncode == 2
    assert done.stderr.startswith("error: no symbol 'S99' in the rows; there are ")
    assert "Traceback" not in done.stderr
