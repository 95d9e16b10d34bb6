"""What runs in a worker of a Dask cluster: checks, and tasks with their panels and modules."""

import hashlib
import importlib
import platform
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import cloudpickle
import torch
from prefect.events.worker import EventsWorker
from prefect.task_engine import run_task_sync

from foldproof.flows.paths import PANELS
from foldproof.flows.processes.workers import WorkerError, start_worker
from foldproof.models.engine import lstm_engine
from foldproof.models.imported import failure
from foldproof.models.spec import NetworkSpec, TrainingSpec
from foldproof.tasks.data.panel.reference import PanelRef, fetched
from foldproof.tasks.storage import StorageError, read_note
from foldproof.tasks.train.unit import TRAINING
from foldproof.tasks.version import HOUSE, code_version

T = TypeVar("T")

LIBRARIES = ("torch", "numpy", "pandas", "prefect")
"""Libraries that decide the bits of a result, or how tasks travel."""
TASKS = tuple(
    f"{HOUSE}.tasks.{step}.task" for step in ("train", "diagnose", "attribute", "batch_study")
)
"""Modules of the tasks that workers run."""
KEYED = (*TASKS, TRAINING, f"{HOUSE}.tasks.train.references")
"""Modules whose version decides where a result is kept."""
ANSWER = 20.0
"""Seconds in which the Prefect server must answer."""
DRAIN = 5.0
"""Seconds to wait for outstanding reports to an earlier command's server, which may be gone."""


@dataclass(frozen=True)
class OwnCode:
    """The user's modules, which workers do not have.

    Attributes:
        key: Hash of the files.
        files: Path below the working directory, and content.
        versions: By ``package.module:attribute``, the hash of the file that defines it.
    """

    key: str
    files: tuple[tuple[str, bytes], ...]
    versions: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Ticket:
    """What a worker must equal, and what it needs.

    Attributes:
        versions: Of the code, of libraries, of the processor's instructions.
        network: With ``training``, what decides the LSTM's engine.
        training: See ``network``.
        own: The user's modules.
    """

    versions: tuple[tuple[str, str], ...]
    network: NetworkSpec
    training: TrainingSpec
    own: OwnCode


def dask_setup(worker: object) -> None:
    """Called by Dask when a worker starts with this module as its preload.

    The modules of all tasks are imported now, and their versions noted, which decide where results
    are kept: a file that changes later does not change what is loaded.
    """
    start_worker()
    for module in (HOUSE, *KEYED):
        if module in TASKS:
            importlib.import_module(module)
        code_version(module)


@cache
def versions(network: NetworkSpec, training: TrainingSpec) -> tuple[tuple[str, str], ...]:
    """What decides the bits of a result on this machine."""
    return (
        ("code", code_version(HOUSE)),
        ("python", platform.python_version()),
        *((name, version(name)) for name in LIBRARIES),
        ("processor", torch.backends.cpu.get_cpu_capability()),
        ("LSTM", lstm_engine(network, training)),
    )


def difference(ticket: Ticket) -> str:
    """How this worker differs from the command, and the remedy; empty if it does not."""
    own = dict(versions(ticket.network, ticket.training))
    for name, wanted in ticket.versions:
        here = own.get(name, "none")
        if here == wanted:
            continue
        if name == "code":
            return (
                f"it runs other code of Foldproof ({here}, this command {wanted}): install the "
                "same there and start it again"
            )
        if name == "processor":
            return (
                f"its processor computes with {here}, this command's with {wanted}, and results "
                "would differ in the last bits: set ATEN_CPU_CAPABILITY to one value everywhere"
            )
        if name == "LSTM":
            return (
                f"its LSTM runs on {here}, this command's on {wanted}: set training.engine=torch, "
                "or build the same engine there"
            )
        return f"it has {name} {here}, this command {wanted}: install the same there"
    return ""


def complaint(ticket: Ticket, storage: str, note: str, api: str | None) -> str:
    """Why this worker cannot take tasks, and the remedy; empty if it can.

    Args:
        ticket: What it must equal.
        storage: Where results are kept.
        note: The file that the command has left there.
        api: Address of the Prefect server; None where there is none yet.
    """
    start_worker()
    if found := difference(ticket):
        return found
    try:
        read_note(storage, note)
    except StorageError as error:
        return (
            f"it does not see the files of this command ({error}): set compute.storage to a "
            "folder or an address that every machine reaches"
        )
    if api and (silent := unreachable(api)):
        return (
            f"it does not reach the Prefect server at {api} ({silent}): set PREFECT_API_URL to a "
            "server that every machine reaches, such as one started by conf/server/run prefect"
        )
    return own_difference(ticket.own)


def unreachable(api: str) -> str:
    """Why no server answers at ``api``; empty if one does, whatever it answers."""
    try:
        urlopen(Request(f"{api}/health"), timeout=ANSWER).close()
    except HTTPError:
        return ""
    except (URLError, OSError, ValueError) as error:
        return str(getattr(error, "reason", error))
    return ""


def own_difference(own: OwnCode) -> str:
    """Which of the user's modules is missing or different here; empty if none."""
    use(own)
    for name, wanted in own.versions:
        module = name.partition(":")[0]
        try:
            importlib.import_module(module)
        except (Exception, SystemExit) as error:
            return (
                f"{name} cannot be imported there ({failure(error)}): put the module into the "
                "working directory of the command, or install it on every machine"
            )
        if file_version(module) != wanted:
            return f"its {module} is another one than this command's: install the same there"
    return ""


def file_version(module: str) -> str:
    """Hash of the file of an imported module; empty where it has none."""
    file = getattr(sys.modules[module], "__file__", None)
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()[:16] if file else ""


USED: dict[str, Any] = {"key": "", "folder": None, "modules": (), "api": None}
"""The user's modules that this process has now, and the Prefect server it reports to."""


def use(own: OwnCode) -> None:
    """Make the user's modules importable here, replacing the modules of the previous command.

    A worker outlives many commands, whose modules may have the same names.
    """
    if own.key == USED["key"]:
        return
    modules = {module_name(path) for path, _ in own.files}
    for name in [*sys.modules]:
        if name in modules or name in USED["modules"]:
            del sys.modules[name]
    if USED["folder"]:
        sys.path.remove(USED["folder"])
    if "" not in sys.path:  # as in foldproof.models.imported; it must come after the user's
        sys.path.insert(0, "")
    folder = tempfile.mkdtemp(prefix="foldproof-own-")
    for path, content in own.files:
        file = Path(folder, path)
        if not file.resolve().is_relative_to(Path(folder).resolve()):
            raise WorkerError(f"{path!r} is not a path of a module")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    sys.path.insert(0, folder)
    importlib.invalidate_caches()
    USED.update(key=own.key, folder=folder, modules=modules)


def module_name(path: str) -> str:
    """``pack/mine.py`` -> ``pack.mine``."""
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def report_to(api: str | None) -> None:
    """Let Prefect's events, logs and concurrency slots go to the server of this command.

    Prefect connects them at their first use and keeps them for the life of the process. A worker
    outlives commands, and each may have a server of its own.
    """
    if api == USED["api"]:
        return
    if USED["api"] is not None:
        EventsWorker.drain_all(timeout=DRAIN)  # of all services; new ones start when needed
    USED["api"] = api


def run(ticket: Ticket, api: str | None, packed: bytes) -> Any:
    """Run a task of Prefect; returns its final state.

    Args:
        ticket: What this worker must equal; it may have joined after the command's check.
        api: Address of the command's Prefect server.
        packed: The arguments of Prefect's ``run_task_sync``, which may need the user's modules.

    Raises:
        WorkerError: This worker differs.
    """
    start_worker()
    if found := difference(ticket):
        raise WorkerError(f"a worker that joined later cannot be used: {found}")
    use(ticket.own)
    report_to(api)
    arguments: dict[str, Any] = cloudpickle.loads(packed)
    return run_task_sync(**arguments | {"parameters": here(arguments["parameters"])})


def here(value: Any) -> Any:
    """A value with the folders of panels in place of their references."""
    return replaced(value, PanelRef, lambda ref: fetched(ref, PANELS.resolve()))


def replaced(value: Any, kind: type[T], by: Callable[[T], object]) -> Any:
    """A value with ``by`` of each of its parts of this kind, in mappings, lists and tuples too."""
    if isinstance(value, kind):
        return by(value)
    if isinstance(value, Mapping):
        return {name: replaced(one, kind, by) for name, one in value.items()}
    if type(value) in (list, tuple):
        return type(value)(replaced(one, kind, by) for one in value)
    return value
