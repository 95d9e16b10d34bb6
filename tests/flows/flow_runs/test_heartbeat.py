"""Silent runs of a work pool, and only those of our deployments, are marked as crashed."""

import subprocess
import sys
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from prefect.client.schemas.objects import StateType
from prefect.settings import PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS, temporary_settings

from foldproof.flows.commands.deployments import TAG, pool_settings
from foldproof.flows.flow_runs.heartbeat import (
    BEAT,
    EVERY,
    SILENCE,
    crash_silent_runs,
    silent_runs,
)
from foldproof.flows.processes.api import Server, answering
from tests.flows.served import Api, environment, until


def test_a_run_that_stops_reporting_is_crashed_unless_it_has_ended() -> None:
    rule = silent_runs(TAG)
    trigger = rule.trigger
    assert trigger.after == {BEAT}
    assert trigger.expect == {BEAT} | {
        f"prefect.flow-run.{end}" for end in ("Completed", "Failed", "Crashed", "Cancelled")
    }
    assert trigger.match_related.model_dump() == {"prefect.resource.id": f"prefect.tag.{TAG}"}
    assert (trigger.posture, trigger.for_each) == ("Proactive", {"prefect.resource.id"})
    (action,) = rule.actions
    assert action.state is StateType.CRASHED


def test_runs_of_a_pool_report_several_times_before_they_count_as_silent() -> None:
    assert int(pool_settings()["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"]) == EVERY
    assert SILENCE.seconds >= 3 * EVERY


RUN = """
import sys, time
from prefect import flow, flow_engine, tags
from prefect.runtime import flow_run

flow_engine.BaseFlowRunEngine.heartbeat_seconds = 1
flow_engine.MINIMUM_HEARTBEAT_INTERVAL = 1  # Prefect allows no less than 30

@flow
def lasts():
    print(flow_run.id, flush=True)
    time.sleep(float(sys.argv[2]))

with tags(sys.argv[1]):
    lasts()
"""


@pytest.mark.long
def test_a_server_crashes_the_run_that_was_killed_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path))
    log = tmp_path / "server.log"
    with ExitStack() as stack:
        slow = {PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS: 240}
        stack.enter_context(temporary_settings(slow))
        server = Server(log, full=True)
        stack.callback(server.stop)
        stack.enter_context(answering(server))
        crash_silent_runs(TAG, timedelta(seconds=20))
        api = Api(server.port)

        def started(tag: str, seconds: float) -> tuple[subprocess.Popen[str], str]:
            command = [sys.executable, "-c", RUN, tag, str(seconds)]
            about = environment(PREFECT_API_URL=api.url, PREFECT_HOME=str(tmp_path))
            process = stack.enter_context(
                subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=about)
            )
            stack.callback(process.kill)
            assert process.stdout is not None
            return process, process.stdout.readline().strip()

        begun = [started(TAG, 600), started(TAG, 600), started("others", 600), started(TAG, 2)]
        (killed, _), (lives, _), (others, _), (ends, _) = begun
        assert ends.wait(120) == 0
        until(lambda: beats(api, begun[0][1]) > 1, 60, log)
        killed.kill()
        others.kill()
        names = ("killed", "lives", "others", "ends")
        states = {name: run for name, (_, run) in zip(names, begun, strict=True)}
        found = until(lambda: api.ended(states["killed"]), 120, log)
        assert found["state"]["message"].startswith("no sign of life for 20 seconds")
        found = {name: api.get(f"/flow_runs/{run}")["state_type"] for name, run in states.items()}
        assert found == {
            "killed": "CRASHED", "lives": "RUNNING", "others": "RUNNING", "ends": "COMPLETED",
        }  # fmt: skip
        assert lives.poll() is None


def beats(api: Api, run: str) -> int:
    """Signs of life of a run that the server has stored."""
    resource = {"id": [f"prefect.flow-run.{run}"]}
    asked = {"filter": {"event": {"name": [BEAT]}, "resource": resource}}
    return int(httpx.post(f"{api.url}/events/filter", json=asked, timeout=30).json()["total"])
