"""Everything on one machine: Prefect server, MLflow UI and every flow as a deployment."""

import asyncio
import difflib
import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, cast
from uuid import UUID
from zoneinfo import available_timezones

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import DeploymentFilter, FlowRunFilter
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.deployments.runner import RunnerDeployment
from prefect.runner import Runner
from prefect.settings import PREFECT_API_URL, PREFECT_HOME

from conf.load import ConfigError, load
from conf.schema import Experiment
from flows.api import HOST, Server, ServerError, answering
from flows.compare import USER_ERRORS
from flows.deployments import TAG, deployments
from flows.shell import fail, taken
from tasks.track.spec import TrackingSpec
from tasks.track.store import UI_ADDRESS, open_store, resolve_uri

LOGS = Path(".foldproof/serve")
START = 120.0
"""Seconds that a server has to start on a busy machine."""


def serve_config(
    config: str, overrides: Sequence[str], timezone: str, prefect_port: int, mlflow_port: int
) -> None:
    """Serve what a configuration describes; what a user can mend ends with exit status 2."""
    try:
        require_timezone(timezone)
        experiment = load(config, overrides)
        require_free(experiment.tracking, prefect_port, mlflow_port)
        serve(experiment, Path(config).stem, timezone, prefect_port, mlflow_port)
    except (ConfigError, *USER_ERRORS) as error:
        fail(error)


def require_timezone(name: str) -> None:
    """Raise ConfigError unless ``name`` is an IANA time zone."""
    if name not in available_timezones():
        near = difflib.get_close_matches(name, available_timezones(), n=2)
        raise ConfigError(
            f"--timezone must be an IANA name such as Europe/Berlin; it is {name!r}"
            + (f", did you mean {' or '.join(near)}?" if near else "")
        )


def require_free(tracking: TrackingSpec, prefect_port: int, mlflow_port: int) -> None:
    """Raise ServerError if a port that we are to listen on is taken."""
    ports = [] if PREFECT_API_URL.value() else [("--port", prefect_port)]
    if not resolve_uri(tracking).startswith("http"):
        ports.append(("--mlflow-port", mlflow_port))
    for option, port in ports:
        if taken(port):
            raise ServerError(
                f"port {port} of {HOST} is in use; it may be a server that runs already. "
                f"If not: {option} {port + 1}"
            )


def serve(
    experiment: Experiment, name: str, timezone: str, prefect_port: int, mlflow_port: int
) -> None:
    """Start all of it, say where it is, and run what is due until an interruption.

    Servers whose addresses are configured (PREFECT_API_URL, MLFLOW_TRACKING_URI) are used, not
    started. What is started here ends here, the runs first and the Prefect server last.

    Raises:
        ServerError: A server does not start, or this folder is already served.
        TrackingError: The tracking store cannot be used.
    """
    with ExitStack() as stack:
        stack.enter_context(only_one(LOGS / "lock"))
        own = not PREFECT_API_URL.value()
        if own:  # it starts while the store is opened and the MLflow UI starts
            server = Server(PREFECT_HOME.value() / "serve.log", prefect_port, whole=True)
            stack.callback(server.stop)
        ui = stack.enter_context(mlflow_ui(experiment.tracking, mlflow_port))
        if own:
            stack.enter_context(answering(server))
            forget_others(name)
        served = deployments(experiment, name, timezone)
        with for_runs(ui):
            run_what_is_due(served, ui)


def run_what_is_due(served: Sequence[RunnerDeployment], ui: str) -> None:
    """Register the deployments and run them until an interruption, which ends the runs."""
    runner = Runner(name="foldproof", pause_on_shutdown=False)
    ids = [cast(UUID, runner.add_deployment(one)) for one in served]
    close_interrupted(ids)  # of a start that was killed
    skip_missed(ids)
    say_where(served, ui)
    try:
        asyncio.run(runner.start())
    finally:
        close_interrupted(ids)


@contextmanager
def for_runs(ui: str) -> Iterator[None]:
    """What the processes of the runs inherit: where the project is, and where their links lead."""
    kept = {name: os.environ.get(name) for name in ("PYTHONPATH", UI_ADDRESS)}
    project = str(Path(__file__).resolve().parents[1])
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [project, kept["PYTHONPATH"]]))
    os.environ[UI_ADDRESS] = ui
    try:
        yield
    finally:
        for name, value in kept.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


@contextmanager
def only_one(lock: Path) -> Iterator[None]:
    """Hold ``lock`` as long as this process lives.

    Raises:
        ServerError: Another process holds it: two schedulers on one database would run twice.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            raise ServerError(
                f"{lock.parent.parent.resolve()} is already served, by process {file.read()}"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


@contextmanager
def mlflow_ui(tracking: TrackingSpec, port: int) -> Iterator[str]:
    """The MLflow UI on the tracking store, unless that is a server; yields its address.

    Raises:
        ServerError: It does not start.
        TrackingError: The store cannot be used.
    """
    store = open_store(tracking)  # makes the database: the UI and a run would race for it
    if store.uri.startswith("http"):
        yield store.uri
        return
    log = LOGS / "mlflow.log"
    options = ["--backend-store-uri", store.uri, "--host", HOST, "--port", str(port)]
    command = [sys.executable, "-m", "mlflow", "server", *options, "--workers", "1"]
    process = start_tied(command, log)
    try:
        wait_for(process, port, log)
        yield f"http://{HOST}:{port}"
    finally:
        process.communicate()  # closes its standard input


def start_tied(command: Sequence[str], log: Path) -> "subprocess.Popen[bytes]":
    """Start ``command`` so that it ends when its standard input closes, as it does with us."""
    script = str(Path(__file__).with_name("tied.py"))
    with log.open("wb") as out:
        return subprocess.Popen(
            [sys.executable, "-P", script, *command],
            env=os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )


def wait_for(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    """Return when a server answers on ``port``.

    Raises:
        ServerError: It ended, or has not answered in time.
    """
    end = time.monotonic() + START
    while process.poll() is None and time.monotonic() < end:
        connection = HTTPConnection(HOST, port, timeout=5)
        try:
            connection.request("GET", "/health")
            if connection.getresponse().status == 200:
                return
        except (OSError, HTTPException):
            time.sleep(0.2)
        finally:
            connection.close()
    raise ServerError(f"the MLflow UI did not start on port {port}; its log is {log}")


def forget_others(name: str) -> None:
    """Delete deployments that another configuration was served as: nobody would run them."""
    with get_client(sync_client=True) as client:
        filters = DeploymentFilter.model_validate({"tags": {"all_": [TAG]}})
        for one in client.read_deployments(deployment_filter=filters):
            if one.name != name and one.work_pool_name is None:
                client.delete_deployment(one.id)


def close_interrupted(ids: Sequence[UUID]) -> None:
    """Runs whose process is gone are said to have crashed; else they would run for ever.

    Nobody else runs these deployments: they have no work pool, and one process serves a folder.
    """
    began = (StateType.RUNNING, StateType.PENDING, StateType.CANCELLING)
    with get_client(sync_client=True) as client:
        for one in runs_of(client, ids, began):
            ended = State(type=StateType.CRASHED, message="interrupted with foldproof serve")
            client.set_flow_run_state(one.id, ended, force=True)


def skip_missed(ids: Sequence[UUID]) -> None:
    """Of the scheduled runs that were missed while nothing was served, keep the newest of each.

    A flow looks at the newest rows there are: seven missed nights need one run, not seven.
    """
    now = datetime.now(UTC)
    with get_client(sync_client=True) as client:
        waiting = runs_of(client, ids, (StateType.SCHEDULED,))
        late = [one for one in waiting if one.auto_scheduled and expected_start(one) < now]
        for one in superseded(late):
            stand_in = "a later run that was missed too stands for this one"
            skipped = State(type=StateType.CANCELLED, name="Missed", message=stand_in)
            client.set_flow_run_state(one.id, skipped, force=True)


def runs_of(
    client: SyncPrefectClient, ids: Sequence[UUID], states: Sequence[StateType]
) -> list[FlowRun]:
    """The runs of the deployments ``ids`` in one of ``states``, the earliest first."""
    filters = FlowRunFilter.model_validate(
        {"deployment_id": {"any_": ids}, "state": {"type": {"any_": states}}}
    )
    found: list[FlowRun] = []
    while page := client.read_flow_runs(
        flow_run_filter=filters,
        limit=200,
        offset=len(found),
        sort=FlowRunSort.EXPECTED_START_TIME_ASC,
    ):
        found += page
    return found


def superseded(late: Sequence[FlowRun]) -> list[FlowRun]:
    """All but the newest run of each deployment."""
    newest = {one.deployment_id: one.id for one in sorted(late, key=expected_start)}
    return [one for one in late if one.id != newest[one.deployment_id]]


def expected_start(run: FlowRun) -> datetime:
    """When a scheduled run was to start."""
    return run.expected_start_time or datetime.min.replace(tzinfo=UTC)


def told(schedule: Any) -> str:
    """A cron schedule with its time zone."""
    return f"{schedule.cron} {schedule.timezone}"


def say_where(served: Sequence[RunnerDeployment], tracking: str) -> None:
    """Addresses, deployments with their schedules, and how to end it."""
    api = str(PREFECT_API_URL.value())
    print(f"Prefect:  {api.removesuffix('/api')}")
    print(f"MLflow:   {tracking}")
    for one in served:
        times = [told(plan.schedule) for plan in one.schedules or []]
        print(f"  {one.full_name:<24} {', '.join(times) or 'on demand'}")
    print("Run one:  open its form in Prefect, or")
    print(f"          PREFECT_API_URL={api} prefect deployment run {served[0].full_name}")
    print("Ctrl-C ends all of it; the same command goes on from there.", flush=True)
