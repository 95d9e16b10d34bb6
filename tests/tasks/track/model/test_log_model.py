import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import mlflow
import pandas as pd
import pytest

from foldproof.tasks.report.results import Results
from foldproof.tasks.report.template import Report
from foldproof.tasks.track.model.log_model import ModelFiles, log_model
from foldproof.tasks.track.results.comparison import log_comparison
from foldproof.tasks.track.store import Store

CODE = """
import json

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc import PythonModel


class Scaled(PythonModel):
    def load_context(self, context):
        with open(context.artifacts["settings"]) as file:
            self.factor = json.load(file)["factor"]

    def predict(self, context, model_input, params=None):
        return pd.DataFrame({"score": self.factor * model_input["close"]})


set_model(Scaled())
"""


@pytest.fixture
def files(tmp_path: Path) -> ModelFiles:
    code, settings = tmp_path / "scaled.py", tmp_path / "settings.json"
    code.write_text(CODE)
    settings.write_text(json.dumps({"factor": 3.0}))
    close = pd.DataFrame({"symbol": ["A", "B"], "close": [1.0, 2.0]})
    return ModelFiles(
        code, {"settings": settings}, close, pd.DataFrame({"score": [3.0, 6.0]}), ("pandas",)
    )


@pytest.fixture
def run_id(store: Store) -> str:
    return store.client.create_run(store.experiment_id).info.run_id


def model_folder(store: Store, model_id: str) -> Path:
    location = store.client.get_logged_model(model_id).artifact_location
    return Path(location.removeprefix("file://"))


def test_a_logged_model_answers_as_before(store: Store, run_id: str, files: ModelFiles) -> None:
    folder = model_folder(store, log_model(store, run_id, "scaled", files))
    model = mlflow.pyfunc.load_model(str(folder))
    pd.testing.assert_frame_equal(model.predict(files.example_input), files.example_output)


@pytest.mark.slow
def test_it_loads_by_its_id_in_another_process(
    store: Store, run_id: str, files: ModelFiles
) -> None:
    model_id = log_model(store, run_id, "scaled", files)
    program = (
        "import mlflow, pandas as pd\n"
        f"mlflow.set_tracking_uri({store.uri!r})\n"
        f"model = mlflow.pyfunc.load_model('models:/{model_id}')\n"
        "frame = pd.DataFrame({'symbol': ['C'], 'close': [5.0]})\n"
        "print(model.predict(frame)['score'].tolist())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[15.0]"


def test_it_belongs_to_its_run_and_is_ready(store: Store, run_id: str, files: ModelFiles) -> None:
    model_id = log_model(store, run_id, "scaled", files)
    logged = store.client.get_logged_model(model_id)
    assert (logged.source_run_id, logged.status, logged.name) == (run_id, "READY", "scaled")
    (output,) = store.client.get_run(run_id).outputs.model_outputs
    assert output.model_id == model_id


def test_signature_and_requirements_are_as_stated(
    store: Store, run_id: str, files: ModelFiles
) -> None:
    folder = model_folder(store, log_model(store, run_id, "scaled", files))
    signature = mlflow.models.Model.load(str(folder)).signature
    assert signature.inputs.input_names() == ["symbol", "close"]
    stated = (folder / "requirements.txt").read_text().split()
    assert stated == [f"mlflow=={mlflow.__version__}", "pandas"]


def test_there_is_no_pickle(store: Store, run_id: str, files: ModelFiles) -> None:
    folder = model_folder(store, log_model(store, run_id, "scaled", files))
    names = {path.name for path in folder.rglob("*") if path.is_file()}
    assert {"MLmodel", "scaled.py", "settings.json"} <= names
    assert not [name for name in names if name.endswith((".pkl", ".pickle", ".pt", ".pth"))]


def test_packages_travel_along(
    store: Store, run_id: str, files: ModelFiles, tmp_path: Path
) -> None:
    package = tmp_path / "extra"
    package.mkdir()
    (package / "__init__.py").write_text("")
    model_id = log_model(store, run_id, "scaled", replace(files, packages=(package,)))
    assert (model_folder(store, model_id) / "code" / "extra" / "__init__.py").exists()


def test_the_process_keeps_its_own_tracking_state(
    store: Store, run_id: str, files: ModelFiles
) -> None:
    before = mlflow.get_tracking_uri()
    log_model(store, run_id, "scaled", files)
    assert mlflow.get_tracking_uri() == before
    assert mlflow.active_run() is None


def test_a_comparison_logs_the_models_it_is_given(
    store: Store, lean: Results, report: Report, files: ModelFiles
) -> None:
    links = log_comparison(store, lean, report, {"zscore": files})
    with_model = [
        name
        for name, run in links.variant_run_ids.items()
        if store.client.get_run(run).outputs.model_outputs
    ]
    assert with_model == ["zscore"]


def test_the_models_of_a_comparison_are_ranked_by_their_rank_ic(
    store: Store, lean: Results, report: Report, files: ModelFiles
) -> None:
    links = log_comparison(store, lean, report, dict.fromkeys(lean.variants, files))
    found = store.client.search_logged_models(
        [store.experiment_id],
        order_by=[{"field_name": "metrics.oos/rank_ic", "ascending": False}],
    )
    assert [one.name for one in found] == [n for n in lean.ranking.index if n in lean.variants]
    least = lean.ranking.at["zscore", "rank_ic"]
    wanted = f"metrics.`oos/rank_ic` > {least - 1e-12} AND tags.variant = 'zscore'"
    (one,) = store.client.search_logged_models([store.experiment_id], wanted)
    numbers = {metric.key: metric for metric in one.metrics}
    assert numbers["oos/rank_ic"].value == least
    (entry,) = store.client.get_run(links.variant_run_ids["zscore"]).inputs.dataset_inputs
    assert numbers["oos/rank_ic"].dataset_digest == entry.dataset.digest
    assert one.params["variant.title"] == "zscore"
    assert one.tags["verdict"] == lean.verdict("zscore")
    assert one.tags["comparison"] == lean.comparison_id
