"""The servers: Prefect, MLflow and every flow on one machine, or deployments for a work pool."""

import asyncio
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, cast
from uuid import UUID

from prefect.deployments.runner import DeploymentApplyError, RunnerDeployment
from prefect.exceptions import PrefectException
from prefect.runner import Runner
from prefect.settings import PREFECT_API_URL, PREFECT_HOME

from foldproof.conf.load import ConfigError, load
from foldproof.flows.checks import USER_ERRORS
from foldproof.flows.commands.deployments import DEPLOYMENTS, TAG, configured, deployments
from foldproof.flows.commands.shell import fail, port_in_use
from foldproof.flows.flow_runs.cleanup import (
    close_interrupted,
    delete_stale_deployments,
    skip_missed,
)
from foldproof.flows.flow_runs.heartbeat import crash_silent_runs
from foldproof.flows.paths import LOGS
from foldproof.flows.processes.api import HOST, Server, ServerError, answering, require_api
from foldproof.flows.processes.mlflow_ui import mlflow_ui
from foldproof.tasks.data.address import shown
from foldproof.tasks.lock import HeldError, locked
from foldproof.tasks.program import program
from foldproof.tasks.track.spec import TrackingSpec
from foldproof.tasks.track.store import UI_ADDRESS, open_store, resolve_uri


def serve_config(
    config: str, overrides: Sequence[str], timezone: str, prefect_port: int, mlflow_port: int
) -> None:
    """Serve one configuration, or without one each deployment's own preset.

    Ends with exit status 2 on an error that the user can correct.
    """
    try:
        experiment_of = configured(config, overrides)
        served = deployments(experiment_of, timezone)
        tracking = experiment_of(next(iter(DEPLOYMENTS.values())).preset)[1].tracking
        require_free_ports(tracking, prefect_port, mlflow_port)
        serve(served, tracking, prefect_port, mlflow_port)
    except (ConfigError, *USER_ERRORS) as error:
        fail(error)


def deploy_config(config: str, overrides: Sequence[str], timezone: str, pool: str) -> None:
    """Register the deployments for a work pool; workers run them in the present directory.

    Ends with exit status 2 on an error that the user can correct.
    """
    api = PREFECT_API_URL.value()
    if not api:
        fail(
            "set PREFECT_API_URL to the address of your Prefect server; without one, "
            "foldproof serve needs no work pool"
        )
    try:
        require_api(api)
        for one in deployments(configured(config, overrides), timezone, pool):
            one.apply()
            print(f"registered {one.full_name}")
        crash_silent_runs(TAG)
    except (ConfigError, ServerError) as error:
        fail(error)
    except (PrefectException, DeploymentApplyError, OSError) as error:
        fail(f"the Prefect server at {api} did not accept the deployment: {error}")
    prefect = program("prefect", "prefect")
    print(f"Start a worker in this folder: {prefect} worker start --pool {pool} --type process")


def show_ui(config: str, port: int) -> None:
    """The MLflow UI on the store of a configuration, until an interruption.

    Ends with exit status 2 on an error that the user can correct.
    """
    try:
        tracking = load(config).tracking
        store = open_store(tracking)
        if not store.client.search_runs([store.experiment_id], max_results=1):
            command = program("foldproof", "foldproof.flows")
            print(f"{shown(store.uri)} holds no results yet: {command} compare quick")
        print(f"MLflow UI: starting on port {port}, up to a minute", flush=True)
        with mlflow_ui(tracking, port, LOGS / "ui.log") as (address, process):
            print(f"MLflow UI: {address}", flush=True)
            if process is not None:
                process.wait()
    except (ConfigError, *USER_ERRORS) as error:
        fail(error)


def require_free_ports(tracking: TrackingSpec, prefect_port: int, mlflow_port: int) -> None:
    """Raise ServerError if a port is taken on which a server is to be started."""
    ports = [] if PREFECT_API_URL.value() else [("--port", prefect_port)]
    if not resolve_uri(tracking).startswith("http"):
        ports.append(("--mlflow-port", mlflow_port))
    for option, port in ports:
        if port_in_use(port):
            raise ServerError(
                f"port {port} of {HOST} is in use, perhaps by a server that runs already. "
                f"If not, use another port: {option} {port + 1}"
            )


def serve(
    served: Sequence[RunnerDeployment],
    tracking: TrackingSpec,
    prefect_port: int,
    mlflow_port: int,
) -> None:
    """Start the servers, print their addresses, and run what is due until an interruption.

    Servers whose addresses are configured (PREFECT_API_URL, MLFLOW_TRACKING_URI) are used, not
    started. Everything that is started here ends here: first the runs, last the Prefect server.

    Raises:
        ServerError: A server does not start, or this folder is already served.
        TrackingError: The tracking store cannot be used.
    """
    with ExitStack() as stack:
        stack.enter_context(only_server(LOGS / "lock"))
        print("Starting the servers takes up to a minute.", flush=True)
        own = not PREFECT_API_URL.value()
        if not own:
            require_api(str(PREFECT_API_URL.value()))
        if own:  # it starts while the store is opened and the MLflow UI starts
            server = Server(PREFECT_HOME.value() / "serve.log", prefect_port, full=True)
            stack.callback(server.stop)
        ui, _ = stack.enter_context(mlflow_ui(tracking, mlflow_port, LOGS / "mlflow.log"))
        if own:
            stack.enter_context(answering(server))
            delete_stale_deployments({one.full_name for one in served})
        os.environ[UI_ADDRESS] = ui  # runs read it for their links
        stack.callback(os.environ.pop, UI_ADDRESS)
        run_deployments(served, ui, own)


class InterruptibleRunner(Runner):
    """A runner that SIGTERM ends in the same way as Ctrl-C.

    Prefect's own handler calls ``stop``, which inside the event loop only makes a coroutine that
    nobody awaits, and then exits with status 0.
    """

    def handle_sigterm(self, signum: int, frame: FrameType | None) -> None:
        """Do what SIGINT does; in a background process of a shell, which ignores it, interrupt."""
        handler = signal.getsignal(signal.SIGINT)
        if not callable(handler):
            handler = signal.default_int_handler
        handler(signal.SIGINT, frame)


def run_deployments(served: Sequence[RunnerDeployment], ui: str, own: bool) -> None:
    """Register the deployments and run them until an interruption, which also ends their runs.

    Args:
        served: The deployments.
        ui: Address of the MLflow UI.
        own: Whether the Prefect server was started here. Only then are runs of an earlier start
            tidied up: on another server they may still be running elsewhere.
    """
    runner = InterruptibleRunner(name="foldproof", pause_on_shutdown=False)
    ids = [cast(UUID, runner.add_deployment(one)) for one in served]
    tidied = ids if own else []
    close_interrupted(tidied)  # of a start that was killed
    skip_missed(tidied)
    print_addresses(served, ui)
    try:
        asyncio.run(runner.start())
    finally:
        close_interrupted(tidied)


@contextmanager
def only_server(lock: Path) -> Iterator[None]:
    """Hold the file ``lock`` until the block or this process ends.

    Raises:
        ServerError: Another process holds it: two schedulers would start every run twice.
    """
    try:
        with locked(lock):
            yield
    except HeldError as error:
        raise ServerError(
            f"{lock.parent.parent.resolve()} is already served, by process {error.process}"
        ) from None


def print_addresses(served: Sequence[RunnerDeployment], ui: str) -> None:
    """Print the addresses, the deployments with their schedules, and how to start and end them."""
    api = str(PREFECT_API_URL.value())
    print(f"Prefect:  {api.removesuffix('/api')}")
    print(f"MLflow:   {ui}")
    for one in served:
        plans: list[Any] = [plan.schedule for plan in one.schedules or []]
        times = ", ".join(f"{plan.cron} {plan.timezone}" for plan in plans)
        print(f"  {one.full_name:<24} {times or 'on demand'}")
    prefect = f"PREFECT_API_URL={api} {program('prefect', 'prefect')}"
    print("Run one:  open its form in Prefect, or")
    print(f"          {prefect} deployment run {served[0].full_name}")
    print("Ctrl-C ends all of it; run the same command again to resume.", flush=True)
