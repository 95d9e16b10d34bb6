"""Everything on one machine: Prefect server, MLflow UI and every flow as a deployment."""

import asyncio
import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any, cast
from uuid import UUID
from zoneinfo import available_timezones

from prefect.deployments.runner import RunnerDeployment
from prefect.runner import Runner
from prefect.settings import PREFECT_API_URL, PREFECT_HOME

from foldproof.conf.load import ConfigError, load
from foldproof.flows.cleanup import close_interrupted, delete_stale_deployments, skip_missed
from foldproof.flows.compare import USER_ERRORS
from foldproof.flows.deployments import DEPLOYMENTS, deployments
from foldproof.flows.processes.api import HOST, Server, ServerError, answering
from foldproof.flows.processes.mlflow_ui import mlflow_ui
from foldproof.flows.shell import fail, port_in_use
from foldproof.models.spec import nearest
from foldproof.tasks.track.spec import TrackingSpec
from foldproof.tasks.track.store import UI_ADDRESS, resolve_uri

LOGS = Path(".foldproof/serve")


def serve_config(
    config: str, overrides: Sequence[str], timezone: str, prefect_port: int, mlflow_port: int
) -> None:
    """Serve what a configuration describes, or without one each deployment's own preset.

    What a user can mend ends with exit status 2.
    """
    try:
        require_timezone(timezone)
        given = cache(
            lambda preset: (Path(config or preset).stem, load(config or preset, overrides))
        )
        tracking = given(next(iter(DEPLOYMENTS.values())).preset)[1].tracking
        require_free(tracking, prefect_port, mlflow_port)
        serve(deployments(given, timezone), tracking, prefect_port, mlflow_port)
    except (ConfigError, *USER_ERRORS) as error:
        fail(error)


def require_timezone(name: str) -> None:
    """Raise ConfigError unless ``name`` is an IANA time zone."""
    if name not in available_timezones():
        hint = nearest(name, available_timezones())
        raise ConfigError(
            f"--timezone must be an IANA name such as Europe/Berlin; it is {name!r}{hint}"
        )


def require_free(tracking: TrackingSpec, prefect_port: int, mlflow_port: int) -> None:
    """Raise ServerError if a port that we are to listen on is taken."""
    ports = [] if PREFECT_API_URL.value() else [("--port", prefect_port)]
    if not resolve_uri(tracking).startswith("http"):
        ports.append(("--mlflow-port", mlflow_port))
    for option, port in ports:
        if port_in_use(port):
            raise ServerError(
                f"port {port} of {HOST} is in use; it may be a server that runs already. "
                f"If not: {option} {port + 1}"
            )


def serve(
    served: Sequence[RunnerDeployment],
    tracking: TrackingSpec,
    prefect_port: int,
    mlflow_port: int,
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
        ui = stack.enter_context(mlflow_ui(tracking, mlflow_port, LOGS / "mlflow.log"))
        if own:
            stack.enter_context(answering(server))
            delete_stale_deployments({one.full_name for one in served})
        with for_runs(ui):
            run_what_is_due(served, ui, own)


def run_what_is_due(served: Sequence[RunnerDeployment], ui: str, own: bool) -> None:
    """Register the deployments and run them until an interruption, which ends the runs.

    What an earlier start left is put in order on a server of our ``own`` only: on another, somebody
    else may be running the same deployments.
    """
    runner = Runner(name="foldproof", pause_on_shutdown=False)
    ids = [cast(UUID, runner.add_deployment(one)) for one in served]
    left = ids if own else []
    close_interrupted(left)  # of a start that was killed
    skip_missed(left)
    say_where(served, ui)
    try:
        asyncio.run(runner.start())
    finally:
        close_interrupted(left)


@contextmanager
def for_runs(ui: str) -> Iterator[None]:
    """What the processes of the runs inherit: where their links lead."""
    before = os.environ.get(UI_ADDRESS)
    os.environ[UI_ADDRESS] = ui
    try:
        yield
    finally:
        os.environ.pop(UI_ADDRESS) if before is None else os.environ.update({UI_ADDRESS: before})


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
