"""Workers of a Dask cluster, on this machine or on others."""

import hashlib
import logging
import os
import socket
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import cloudpickle
from prefect.context import FlowRunContext, serialize_context
from prefect.futures import PrefectFuture
from prefect.settings import PREFECT_API_URL, PREFECT_RESULTS_LOCAL_STORAGE_PATH
from prefect.task_runners import TaskRunner
from prefect.tasks import Task

from foldproof.conf.compute import ComputeSpec
from foldproof.flows.processes import dask_worker
from foldproof.flows.processes.dask_worker import OwnCode, Ticket, file_version, replaced
from foldproof.flows.processes.workers import DiedError, Started, WorkerError
from foldproof.models.imported import NOT_THEIRS, imported
from foldproof.models.normalizers import split_name
from foldproof.models.spec import NetworkSpec, TrainingSpec
from foldproof.tasks.data.panel.kept_rows import FILE as ROWS
from foldproof.tasks.data.panel.reference import PanelRef, is_panel, stored
from foldproof.tasks.storage import leave_note, located, remove_note

try:
    from distributed import CancelledError, Client, KilledWorker, Security, TimeoutError
    from distributed.comm import CommClosedError
    from prefect_dask.task_runners import PrefectDaskFuture
except ImportError as error:
    raise WorkerError(
        f"compute.engine dask needs more packages ({error}): pip install 'foldproof[dask]'"
    ) from error

PORT = 8786
"""Dask's own, where the address names none."""
CONNECT = 15.0
"""Seconds in which the scheduler must answer."""
JOIN = 60.0
"""Seconds in which the workers must have joined."""
WATCH = 10.0
"""Seconds between two looks for workers."""


def start_cluster(compute: ComputeSpec) -> Started:
    """The workers at ``compute.address``, after each of them was checked.

    Raises:
        WorkerError: There is no cluster, or one of its workers cannot be used.
    """
    context = FlowRunContext.get()
    given = [*((context and context.parameters) or {}).values()]
    ticket = ticket_of(given)
    runner = Cluster(str(compute.address), ticket, compute.storage)
    runner.__enter__()
    try:
        threads = checked(runner.client, compute, ticket, PREFECT_API_URL.value())
    except BaseException:
        runner.__exit__(*sys.exc_info())
        raise
    return Started(runner, threads)


def check_cluster(compute: ComputeSpec, given: Any) -> None:
    """Raise WorkerError unless the workers at ``compute.address`` can take the tasks of a flow.

    Args:
        compute: Where they are.
        given: The flow's parameter: an experiment or a study.
    """
    with connected(str(compute.address)) as client:
        checked(client, compute, ticket_of([given]), PREFECT_API_URL.value())


@contextmanager
def connected(address: str) -> Iterator[Client]:
    """A client of the scheduler.

    Raises:
        WorkerError: None answers.
    """
    require_certificate(address)
    for name in ("distributed", "distributed.client"):  # it logs what it raises, with a traceback
        logging.getLogger(name).setLevel(logging.CRITICAL)
    parts = urlsplit(address)
    try:  # a client that fails to connect would keep trying, and complain when it is collected
        socket.create_connection((parts.hostname, parts.port or PORT), timeout=CONNECT).close()
        client = Client(address, timeout=CONNECT, set_as_default=False)
    except (OSError, TimeoutError, ValueError, RuntimeError) as error:
        raise WorkerError(no_scheduler(address, error)) from error
    try:
        yield client
    finally:
        client.close()


def require_certificate(address: str) -> None:
    """Raise WorkerError if an address asks for TLS and Dask's settings name no certificate."""
    if address.startswith("tls://") and not Security().get_connection_args("client")["ssl_context"]:
        raise WorkerError(
            f"compute.address {address} needs a certificate: name it, its key and the authority in "
            "Dask's settings (DASK_DISTRIBUTED__COMM__TLS__..., see conf/README.md)"
        )


def no_scheduler(address: str, error: BaseException) -> str:
    """The message for a scheduler that does not answer."""
    reason = " ".join(str(error).split()) or type(error).__name__
    return (
        f"no Dask scheduler answers at compute.address {address} ({reason}): start one with "
        "conf/server/run dask-scheduler, or leave out compute.engine=dask"
    )


def checked(client: Client, compute: ComputeSpec, ticket: Ticket, api: str | None) -> int:
    """The number of workers, if all of them can be used.

    Raises:
        WorkerError: Too few have joined, or one cannot be used, and why.
    """
    wanted = max(1, compute.workers)
    try:
        client.wait_for_workers(wanted, timeout=JOIN)
    except TimeoutError as error:
        raise WorkerError(
            f"{len(workers_of(client))} of {wanted} workers have joined {compute.address} after "
            f"{JOIN:g} seconds: start more with conf/server/run dask-worker, or lower "
            "compute.workers"
        ) from error
    for address, threads in workers_of(client).items():
        if threads != 1:
            raise WorkerError(
                f"worker {address} has {threads} threads, which would share the random numbers of "
                "one process: start it with --nthreads 1, and several of them instead"
            )
    storage = located(compute.storage or str(PREFECT_RESULTS_LOCAL_STORAGE_PATH.value()))
    note = leave_note(storage)
    try:
        answers = client.run(dask_worker.complaint, ticket, storage, note, api, on_error="return")
    finally:
        remove_note(storage, note)
    for address, answer in answers.items():
        if isinstance(answer, BaseException):
            reason = f"{type(answer).__name__}: {' '.join(str(answer).split())}"
            answer = f"Foldproof does not run there ({reason}): install this version there"
        if answer:
            raise WorkerError(f"worker {address} cannot be used: {answer}")
    return len(answers)


def workers_of(client: Client) -> dict[str, int]:
    """Address and number of threads of each worker."""
    found = client.scheduler_info(n_workers=-1)["workers"]
    return {address: int(about["nthreads"]) for address, about in found.items()}


def ticket_of(given: Iterable[Any]) -> Ticket:
    """What workers must equal for a flow with the parameters ``given``."""
    network, training, names = NetworkSpec(), TrainingSpec(), list[str]()
    for one in given:
        network = getattr(one, "network", network)
        training = getattr(one, "training", training)
        for name in (*getattr(one, "variants", ()), *getattr(one, "normalizations", ())):
            names += [part for part in split_name(name)[0] if ":" in part]
        data = [getattr(one, "data", None)]
        data += [panel.data for panel in getattr(one, "sources", {}).values()]
        features = [spec.features for spec in data if spec is not None]
        names += [name for name in features if ":" in name]
    versions = dask_worker.versions(network, training)
    return Ticket(versions, network, training, own_code(names, Path.cwd()))


def own_code(names: Iterable[str], folder: Path) -> OwnCode:
    """The user's modules below ``folder`` that are loaded: what ``names`` name and import.

    Raises:
        WorkerError: One is compiled, and would not run on another machine.
    """
    known = {}
    for name in names:
        imported(name, "own code", object)
        known[name] = file_version(name.partition(":")[0])
    files = dict(loaded_below(folder.resolve())) if known else {}
    for path in files:
        if not path.endswith(".py"):
            raise WorkerError(
                f"module {path} is compiled, and cannot be sent to the workers: install it on "
                "every machine, outside the working directory"
            )
    content = tuple(sorted(files.items()))
    key = hashlib.sha256(repr(content).encode()).hexdigest() if content else ""
    return OwnCode(key, content, tuple(known.items()))


def loaded_below(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Path below ``folder`` and content of each loaded module that is the user's."""
    for module in [*sys.modules.values()]:
        file = getattr(module, "__file__", None)
        if not file or "-packages" + os.sep in file or file.startswith(NOT_THEIRS):
            continue
        path = Path(file).resolve()
        if path.is_relative_to(folder) and path.is_file():
            yield path.relative_to(folder).as_posix(), path.read_bytes()


class Future(PrefectDaskFuture[Any]):
    """The future of a task; says what became of its workers."""

    def result(self, timeout: float | None = None, raise_on_failure: bool = True) -> Any:
        """The result of the task.

        Raises:
            DiedError: Every worker that ran it died.
            WorkerError: The scheduler is gone.
        """
        try:
            return super().result(timeout, raise_on_failure)
        except KilledWorker as error:
            raise DiedError(
                f"its worker died {error.allowed_failures + 1} times; the last was "
                f"{error.last_worker.address}"
            ) from error
        except (CancelledError, CommClosedError) as error:
            raise WorkerError(
                "the Dask scheduler stopped answering: start it again and repeat the command, "
                "which resumes"
            ) from error


class Cluster(TaskRunner[Future]):
    """Runs tasks on a Dask cluster; panels travel by reference, the user's modules with them.

    Prefect's own runner for Dask would send folders of this machine, and would send tasks to
    workers that nobody has checked.
    """

    def __init__(self, address: str, ticket: Ticket, storage: str | None) -> None:
        super().__init__()
        self.address = address
        self.ticket = ticket
        self.storage = storage
        self.refs: dict[Path, PanelRef] = {}
        self.ended = threading.Event()
        self.connection: Client | None = None
        self.stack = ExitStack()

    def duplicate(self) -> "Cluster":
        """Another one, not yet connected."""
        return Cluster(self.address, self.ticket, self.storage)

    def __exit__(self, *error: Any) -> None:
        self.stack.close()
        super().__exit__(*error)

    @property
    def client(self) -> Client:
        """The client of the scheduler, connected at the first use.

        Raises:
            WorkerError: None answers.
        """
        if self.connection is None:
            self.connection = self.stack.enter_context(connected(self.address))
            self.stack.callback(self.ended.set)
            threading.Thread(target=self.watch, daemon=True).start()
        return self.connection

    def submit(
        self,
        task: Task[Any, Any],
        parameters: dict[str, Any],
        wait_for: Iterable[PrefectFuture[Any]] | None = None,
        dependencies: dict[str, set[Any]] | None = None,
    ) -> Future:
        """Pass the task to the cluster."""
        run_id = uuid4()
        inputs = dependencies or {}
        context = serialize_context(
            asset_ctx_kwargs={
                "task": task, "task_run_id": run_id, "task_inputs": inputs,
                "copy_to_child_ctx": True,
            }
        )  # fmt: skip
        packed = cloudpickle.dumps(
            {
                "task": task, "task_run_id": run_id, "parameters": self.by_reference(parameters),
                "return_type": "state", "dependencies": inputs, "context": context,
            }
        )  # fmt: skip
        name = f"{task.name}-{run_id}"
        future = self.client.submit(
            dask_worker.run, self.ticket, PREFECT_API_URL.value(), packed, key=name, pure=False
        )
        return Future(run_id, future)

    def by_reference(self, value: Any) -> Any:
        """A value with references in place of the folders of panels, which are stored once."""
        return replaced(value, Path, self.reference)

    def reference(self, folder: Path) -> PanelRef:
        """The reference to the panel in a folder.

        Raises:
            WorkerError: It is no panel, or its rows cannot travel.
        """
        if not is_panel(folder):
            raise WorkerError(f"{folder} is not a panel, and other machines do not have it")
        if not (folder / ROWS).is_file():
            raise WorkerError(
                "the rows of this panel hold a value that Arrow has no type for, so they "
                "cannot travel to the workers: leave out compute.engine=dask, or such columns"
            )
        if folder not in self.refs:
            self.refs[folder] = stored(folder, self.storage)
        return self.refs[folder]

    def watch(self) -> None:
        """Say when no worker is left: tasks wait for a new one."""
        said = False
        while not self.ended.wait(WATCH):
            try:
                gone = not workers_of(self.client)
            except Exception:  # the scheduler is gone, which the tasks in flight report
                return
            if gone and not said:
                print(f"no worker is left at {self.address}; waiting for one", flush=True)
            said = gone
