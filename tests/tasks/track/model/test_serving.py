"""The registered model as others use it: loaded, over HTTP, in a fresh environment, in Spark."""

import json
import os
import pickle
import pickletools
import re
import socket
import subprocess
import sys
import time
import venv
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import numpy as np
import pandas as pd
import pytest
from mlflow import pyfunc
from mlflow.exceptions import MlflowException

from foldproof.tasks.data import load_raw
from foldproof.tasks.track.store import Store
from foldproof.tasks.train import TrainedUnit
from foldproof.tasks.train.serving.model import example_rows, read_served
from tests.champion import DATA, features, register, trained

ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture(scope="module")
def one() -> TrainedUnit:
    return trained(epochs=1)


@pytest.fixture(scope="module")
def folder(shared: Store, one: TrainedUnit, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the registered version."""
    version = register(shared, one, tmp_path_factory.mktemp("files"), "served", {"f0": 1.0})
    source = shared.client.get_model_version("served", version).source
    return Path(source.removeprefix("file://"))


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    raw = load_raw(DATA)
    return example_rows(raw, DATA, features(raw), rows=12, symbols=16)


@pytest.fixture(scope="module")
def own(folder: Path, rows: pd.DataFrame) -> pd.DataFrame:
    """Scores of this process, without MLflow in between."""
    files = (folder / "artifacts" / name for name in ("weights.safetensors", "model.json"))
    scores = read_served(*files).score(rows)
    return scores.assign(date=scores["date"].astype(str))


def agree(answer: pd.DataFrame, own: pd.DataFrame) -> None:
    assert (
        answer[["date", "symbol"]].to_numpy().tolist()
        == own[["date", "symbol"]].to_numpy().tolist()
    )
    np.testing.assert_allclose(answer["score"], own["score"], atol=1e-6, rtol=0)
    assert own["score"].std() > 1e-3  # so that 1e-6 says something


def is_pickle(content: bytes) -> bool:
    """Whether bytes are a pickle from the first to the last, or a zip archive, as torch saves."""
    if content.startswith(b"PK"):
        return True
    try:
        return len(list(pickletools.genops(content))) > 1
    except Exception:  # whatever stops the reader, it is none
        return False


def test_no_file_of_the_model_is_a_pickle(folder: Path) -> None:
    files = [file for file in folder.rglob("*") if file.is_file()]
    assert {".safetensors", ".json", ".py", ".txt", ".yaml", ""} >= {file.suffix for file in files}
    assert not [file for file in files if is_pickle(file.read_bytes())]
    assert "python_model" not in (folder / "MLmodel").read_text()  # the key of a pickled class
    assert is_pickle(pickle.dumps({"planted": np.zeros(3)}))


def test_the_loaded_model_scores_as_the_trained_one(
    folder: Path, rows: pd.DataFrame, own: pd.DataFrame, one: TrainedUnit
) -> None:
    model = pyfunc.load_model(str(folder))
    agree(model.predict(rows), own)
    known = one.forecasts[one.forecasts["date"] == pd.Timestamp(rows["date"].iloc[-1])]
    np.testing.assert_allclose(own["score"], known["forecast"], atol=1e-6, rtol=0)
    example = model.predict(model.input_example)
    assert example["score"].notna().all()


def changed(rows: pd.DataFrame, place: int, name: str, value: object) -> pd.DataFrame:
    column = rows[name].astype(object).copy()
    column.iloc[place] = value
    return rows.assign(**{name: column})


WRONG = {
    "missing column": (lambda r: r.drop(columns="f2"), "f2"),
    "wrong type": (lambda r: r.assign(f2="much"), "f2"),
    "no date": (lambda r: changed(r, 2, "date", "13/01/2001"), "row 3 of the input (S002): date"),
    "twice": (lambda r: pd.concat([r, r.tail(1)]), "symbol 'S015' is a duplicate on that date"),
    "future": (
        lambda r: changed(r, 0, "date", "2999-01-01"),
        "date '2999-01-01' is in the future",
    ),
    "too short": (
        lambda r: r[r["date"] >= sorted(r["date"].unique())[-3]],
        "needs at least 5 trading dates up to then",
    ),
    "nothing": (lambda r: r.head(0), "the input has no rows"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_input_is_named_through_the_signature_too(
    name: str, folder: Path, rows: pd.DataFrame
) -> None:
    fault, said = WRONG[name]
    with pytest.raises(MlflowException, match=re.escape(said)):
        pyfunc.load_model(str(folder)).predict(fault(rows))


def test_notes_name_the_training_block(folder: Path, one: TrainedUnit) -> None:
    notes = json.loads((folder / "artifacts" / "model.json").read_text())
    assert set(notes["reference"]) == set(notes["features"])
    assert notes["importance"] == {"f0": 1.0}
    assert notes["history"] == one.unit.network.window
    assert notes["tested_from"] == str(one.unit.fold.test_dates[0])
    assert notes["fitted_to"] == str(one.unit.fold.validation_dates[-1])


def test_only_the_code_that_scores_travels(folder: Path) -> None:
    rooms = {
        entry.name
        for entry in (folder / "code" / "foldproof" / "tasks").iterdir()
        if entry.is_dir()
    }
    assert rooms - {"__pycache__"} == {"data", "split", "statistics", "train"}


def test_the_requirements_are_few_and_pinned(folder: Path) -> None:
    stated = (folder / "requirements.txt").read_text().split()
    assert {line.partition("==")[0] for line in stated} == {
        "mlflow", "torch", "numpy", "pandas", "pandera", "pydantic", "pyarrow", "safetensors",
    }  # fmt: skip
    assert all("==" in line and "+" not in line for line in stated)


@pytest.fixture
def address(folder: Path, tmp_path: Path) -> Iterator[str]:
    """``mlflow models serve`` on a free port of this machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    binaries = Path(sys.executable).parent
    command = [
        str(binaries / "mlflow"), "models", "serve", "-m", str(folder), "--env-manager", "local",
        "-h", "127.0.0.1", "-p", str(port),
    ]  # fmt: skip
    path = f"{binaries}{os.pathsep}{os.environ['PATH']}"
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(
            command, env=os.environ | {"PATH": path}, stdout=log, stderr=log, start_new_session=True
        )
        try:
            wait_for(f"http://127.0.0.1:{port}/ping", server, tmp_path / "log")
            yield f"http://127.0.0.1:{port}/invocations"
        finally:
            os.killpg(server.pid, 15)
            server.wait(30)


def wait_for(address: str, server: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        assert server.poll() is None, log.read_text()
        try:
            with urlopen(address, timeout=5):
                return
        except (URLError, ConnectionError):
            time.sleep(0.5)
    raise AssertionError(log.read_text())


def ask(address: str, rows: pd.DataFrame) -> tuple[int, dict]:
    split = json.loads(rows.to_json(orient="split", index=False, double_precision=15))
    body = json.dumps({"dataframe_split": split}).encode()
    try:
        with urlopen(Request(address, body, {"Content-Type": "application/json"})) as answer:
            return answer.status, json.load(answer)
    except HTTPError as error:
        return error.code, json.load(error)


@pytest.mark.long
def test_over_http_scores_are_equal_and_errors_name_the_column(
    address: str, rows: pd.DataFrame, own: pd.DataFrame
) -> None:
    status, answer = ask(address, rows)
    assert status == 200
    agree(pd.DataFrame(answer["predictions"]), own)
    for fault, said in WRONG.values():
        status, answer = ask(address, fault(rows))
        assert status == 400
        assert said in answer["message"]
        assert "Traceback" not in json.dumps(answer)


SCORE = """
import sys
import mlflow
import pandas as pd
model = mlflow.pyfunc.load_model(sys.argv[1])
rows = pd.read_csv(sys.argv[2], float_precision="round_trip")
model.predict(rows).to_csv(sys.argv[3], index=False)
"""


@pytest.mark.long
def test_a_fresh_environment_of_its_own_requirements_scores_the_same(
    folder: Path, rows: pd.DataFrame, own: pd.DataFrame, tmp_path: Path
) -> None:
    """Away from this repository: the model brings its code."""
    venv.create(tmp_path / "fresh", with_pip=True)
    python = tmp_path / "fresh" / "bin" / "python"
    pip = [str(python), "-m", "pip", "install", "-q", "-r", str(folder / "requirements.txt")]
    subprocess.run(pip, check=True, capture_output=True)
    rows.to_csv(tmp_path / "rows.csv", index=False)
    files = [str(folder), str(tmp_path / "rows.csv"), str(tmp_path / "scores.csv")]
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    subprocess.run(
        [str(python), "-c", SCORE, *files],
        cwd=tmp_path, env=kept | {"MLFLOW_DISABLE_TELEMETRY": "true"}, check=True,
    )  # fmt: skip
    agree(pd.read_csv(tmp_path / "scores.csv"), own)


@pytest.mark.long
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_in_spark_a_group_a_night_scores_the_same(
    folder: Path, rows: pd.DataFrame, own: pd.DataFrame
) -> None:
    """The documented way: a night's window is a group, and the model answers a group at a time.

    ``mlflow.pyfunc.spark_udf`` does not fit: it must answer every row, and the model answers
    every symbol once.
    """
    sql = pytest.importorskip("pyspark.sql", reason="pip install pyspark, 500 MB, and Java")
    spark = (
        sql.SparkSession.builder.master("local[1]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.sql.shuffle.partitions", "2")
        .getOrCreate()
    )
    try:
        answer = pd.DataFrame(nightly(spark, rows, str(folder)).toPandas())
    finally:
        spark.stop()
    nights = np.sort(rows["date"].unique())[4:]
    assert sorted(answer["date"].unique()) == nights.tolist()
    newest = answer[answer["date"] == nights[-1]].sort_values("symbol", ignore_index=True)
    agree(newest, own)
    model = pyfunc.load_model(str(folder))
    before = answer[answer["date"] == nights[0]].sort_values("symbol", ignore_index=True)
    agree(before, model.predict(rows[rows["date"] <= nights[0]]))


def nightly(spark, rows: pd.DataFrame, uri: str, history: int = 5):
    """The snippet of the documentation: every night's scores, each from its own window."""
    dates = sorted(rows["date"].unique())
    ends = range(history - 1, len(dates))
    windows = [(dates[end], day) for end in ends for day in dates[end - history + 1 : end + 1]]

    def score(window: pd.DataFrame) -> pd.DataFrame:
        from mlflow.pyfunc import load_model  # here: Spark cannot send MLflow's lazy modules

        return load_model(uri).predict(window.drop(columns="night"))

    return (
        spark.createDataFrame(rows)
        .join(spark.createDataFrame(windows, "night string, date string"), "date")
        .groupBy("night")
        .applyInPandas(score, "date string, symbol string, score double")
    )
