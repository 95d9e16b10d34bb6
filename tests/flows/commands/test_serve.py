"""``foldproof serve`` as a user starts it, asks it for runs, stops it and starts it again."""

import asyncio
import json
import os
import re
import shlex
import signal
import socket
import subprocess
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import yaml
from mlflow import MlflowClient
from prefect.client.schemas.objects import FlowRun

from foldproof.flows.commands.serve import InterruptibleRunner, only_server, require_free_ports
from foldproof.flows.flow_runs.cleanup import superseded
from foldproof.flows.processes.api import ServerError
from foldproof.tasks.track.spec import TrackingSpec
from tests.flows.served import SMALL, Api, environment, foldproof, free_port, running, until
from tests.tasks.track.conftest import OTHERS_WARNINGS

pytestmark = [pytest.mark.filterwarnings(text) for text in OTHERS_WARNINGS]


def test_a_folder_is_served_by_one_process(tmp_path):
    lock = tmp_path / ".foldproof" / "serve" / "lock"
    refused = pytest.raises(ServerError, match=f"already served, by process {os.getpid()}")
    with only_server(lock), refused, only_server(lock):
        pass
    with only_server(lock):
        pass


@pytest.mark.parametrize("ignored", [False, True])
def test_sigterm_ends_the_runner_like_ctrl_c(ignored):
    """Prefect's own handler left a coroutine that was never awaited."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN if ignored else signal.default_int_handler)

    async def serve_for_ever():
        runner = InterruptibleRunner(name="foldproof", pause_on_shutdown=False)
        signal.signal(signal.SIGTERM, runner.handle_sigterm)
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(60)

    usual = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(KeyboardInterrupt):
            asyncio.run(serve_for_ever())
    finally:
        signal.signal(signal.SIGINT, before)
        signal.signal(signal.SIGTERM, usual)


@pytest.mark.parametrize(("taken", "option"), [(0, "--port"), (1, "--mlflow-port")])
def test_a_port_in_use_is_reported_with_its_option(taken, option):
    ports = [free_port(), free_port()]
    require_free_ports(TrackingSpec(), *ports)
    refused = pytest.raises(ServerError, match=rf"{ports[taken]} .* {option} {ports[taken] + 1}")
    with socket.create_server(("127.0.0.1", ports[taken])), refused:
        require_free_ports(TrackingSpec(), *ports)


def test_only_the_newest_missed_run_of_each_deployment_is_kept():
    score, retrain = uuid4(), uuid4()
    runs = [
        FlowRun(
            flow_id=uuid4(), deployment_id=deployment,
            expected_start_time=datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day),
        )
        for deployment, day in [(score, 2), (score, 0), (retrain, 1), (score, 1)]
    ]  # fmt: skip
    assert superseded(runs) == [runs[1], runs[3]]
    assert superseded([]) == []


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(SMALL))
    return tmp_path


def serving(folder, ports, log):
    options = ["--port", str(ports[0]), "--mlflow-port", str(ports[1])]
    return running(foldproof("serve", "small.yaml", *options), folder, folder / log)


def up(folder, log):
    return until(lambda: "Ctrl-C ends" in (folder / log).read_text(), 240, folder / log)


def answer(folder, experiment):
    """Verdicts and metrics of every run in an MLflow experiment, by the run's variant."""
    client = MlflowClient(f"sqlite:///{folder}/.foldproof/mlflow.db")
    found = client.get_experiment_by_name(experiment)
    assert found is not None
    found_runs = {}
    for run in client.search_runs([found.experiment_id]):
        tags = run.data.tags
        seconds = {name for name in run.data.metrics if "second" in name}
        kept = {name: run.data.metrics[name] for name in run.data.metrics.keys() - seconds}
        key = tags["kind"], run.data.params.get("variant")
        assert key not in found_runs, "a run was logged twice"
        found_runs[key] = tags["comparison"], kept
    return found_runs


@pytest.mark.long
def test_a_flow_gives_the_same_result_from_shell_deployment_and_api(folder):
    """The shell runs in another folder, so that the others find none of its trained units."""
    alone = folder / "alone"
    alone.mkdir()
    done = subprocess.run(
        foldproof("compare", "../small.yaml", "tracking.experiment=shell"), cwd=alone,
        env=environment(), capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    ports, log = (free_port(), free_port()), folder / "serve.log"
    with serving(folder, ports, "serve.log") as process:
        up(folder, "serve.log")
        api = Api(ports[0])
        over_http = api.run(
            "compare/compare-small", {"experiment": {"tracking": {"experiment": "http"}}}
        )
        assert until(lambda: api.ended(over_http), 300, log)["state_type"] == "COMPLETED"
        given = {"tracking": {"experiment": "command"}}
        (printed,) = re.findall(r"^ +(PREFECT_API_URL=.*)$", log.read_text(), re.MULTILINE)
        asked = subprocess.run(
            f"{printed} -p {shlex.quote('experiment=' + json.dumps(given))}", shell=True,
            cwd=folder, capture_output=True, text=True, timeout=120,
            env=environment(PREFECT_HOME=str(folder / "home")),
        )  # fmt: skip
        assert asked.returncode == 0, asked.stdout
        (by_command,) = re.findall(r"runs/flow-run/([0-9a-f-]+)", asked.stdout.replace("\n", ""))
        assert until(lambda: api.ended(by_command), 300, log)["state_type"] == "COMPLETED"
        refused = api.ask("compare/compare-small", {"experiment": {"training": {"epochs": 0}}})
        assert (refused.status_code, "experiment.training.epochs" in refused.text) == (409, True)
        assert process.poll() is None
    assert len(answer(folder, "http")) == 3
    assert answer(folder, "http") == answer(folder, "command") == answer(alone, "shell")


@pytest.mark.long
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_everything_that_it_started_and_goes_on_later(stop, folder):
    ports, log = (free_port(), free_port()), folder / "first.log"
    with serving(folder, ports, "first.log") as process:
        up(folder, "first.log")
        api = Api(ports[0])
        long = {"epochs": 5000, "patience": 5000}
        run = api.run("compare/compare-small", {"experiment": {"training": long}})
        until(lambda: "Synthetic features" in log.read_text(), 120, log)
        schedule = api.get("/deployments/name/score/score-small")["schedules"][0]
        assert schedule["schedule"]["timezone"] == "America/New_York"
        process.send_signal(stop)
        assert process.wait(60) == 130
    assert "never awaited" not in log.read_text()
    assert "all servers and runs have ended" in log.read_text()
    left = subprocess.run(["ps", "-eo", "args="], capture_output=True, text=True).stdout
    assert not [line for line in left.splitlines() if str(folder) in line or str(ports[1]) in line]
    with serving(folder, ports, "second.log"):
        up(folder, "second.log")
        assert api.ended(run)["state_type"] == "CRASHED"
        assert api.get("/deployments/name/score/score-small")["schedules"][0]["active"]
        assert not api.get("/deployments/name/score/score-small")["paused"]
