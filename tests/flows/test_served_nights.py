"""The nightly flows as a served folder runs them, and the same flows called from Python."""

import subprocess
import sys

import pandas as pd
import pytest
import yaml
from mlflow import MlflowClient

from tests.flows.served import Api, environment, foldproof, free_port, running, until
from tests.flows.test_retrain import NIGHTLY
from tests.tasks.track.conftest import OTHERS_WARNINGS

pytestmark = [
    pytest.mark.long,
    *(pytest.mark.filterwarnings(text) for text in OTHERS_WARNINGS),
]

FROM_PYTHON = """
from foldproof.conf.load import load
from foldproof.flows.processes.api import one_api
from foldproof.flows.score import run_score
with one_api() as api:
    scoring = run_score(load("small.yaml", ["operation.as_of=2001-02-08"]), api)
print(f"version {scoring.version}, {len(scoring.scores)} scores")
"""


@pytest.fixture(scope="module")
def night(tmp_path_factory):
    """A folder after one night: two retrainings asked for at once, a score, a monitoring."""
    folder = tmp_path_factory.mktemp("served")
    (folder / "small.yaml").write_text(yaml.safe_dump(NIGHTLY))
    log, ports = folder / "serve.log", (free_port(), free_port())
    options = ["--port", str(ports[0]), "--mlflow-port", str(ports[1])]
    told = {}
    with running(foldproof("serve", "small.yaml", *options), folder, log):
        until(lambda: "Ctrl-C ends" in log.read_text(), 240, log)
        api = Api(ports[0])
        retrain = [api.run("retrain/retrain-small", {}) for _ in range(2)]
        told["retrain"] = [until(lambda run=run: api.ended(run), 400, log) for run in retrain]
        for flow, when in (("score", "2001-02-08"), ("monitor", "2001-02-09")):
            run = api.run(f"{flow}/{flow}-small", {"experiment": {"operation": {"as_of": when}}})
            told[flow] = [until(lambda run=run: api.ended(run), 200, log)]
    return folder, told


def test_the_nightly_runs_complete(night):
    folder, told = night
    states = {flow: [run["state_type"] for run in runs] for flow, runs in told.items()}
    assert states == {
        "retrain": ["COMPLETED"] * 2,
        "score": ["COMPLETED"],
        "monitor": ["COMPLETED"],
    }
    assert (folder / ".foldproof/scores/foldproof/2001-02-08.parquet").exists()
    assert (folder / ".foldproof/monitoring/foldproof/realised.png").exists()


def test_a_second_retraining_waits_for_the_first_and_is_the_same(night):
    folder, told = night
    times = sorted((run["start_time"], run["end_time"]) for run in told["retrain"])
    assert pd.Timestamp(times[0][1]) <= pd.Timestamp(times[1][0])
    client = MlflowClient(f"sqlite:///{folder}/.foldproof/mlflow.db")
    assert [int(one.version) for one in client.search_model_versions()] == [1]


def test_a_flow_called_from_python_scores_the_same(night):
    folder, _ = night
    table = folder / ".foldproof/scores/foldproof/2001-02-08.parquet"
    served = pd.read_parquet(table)
    table.unlink()
    done = subprocess.run(
        [sys.executable, "-c", FROM_PYTHON], cwd=folder, env=environment(),
        capture_output=True, text=True, timeout=200,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"version 1, {len(served)} scores"
    pd.testing.assert_frame_equal(pd.read_parquet(table), served, check_exact=True)
