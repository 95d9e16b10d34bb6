"""How Prefect runs tasks and keeps their results: without pickle, whole or not at all."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

from prefect import Task, task
from prefect.cache_policies import CachePolicy
from prefect.context import FlowRunContext
from prefect.filesystems import LocalFileSystem, RemoteFileSystem, WritableFileSystem
from prefect.results import ResultRecordMetadata, get_result_store
from prefect.serializers import Serializer
from prefect.settings import get_current_settings
from prefect.utilities.callables import get_call_parameters
from pydantic import Field

from foldproof.tasks.direct import directly
from foldproof.tasks.encoded import decode, encode, is_whole
from foldproof.tasks.files import mark_used
from foldproof.tasks.storage import located

P = ParamSpec("P")
R = TypeVar("R")


class EncodedSerializer(Serializer):
    """The Prefect serializer that uses :mod:`foldproof.tasks.encoded`."""

    type: str = Field(default="foldproof", frozen=True)

    def dumps(self, obj: Any) -> bytes:
        """The result as bytes."""
        return encode(obj)

    def loads(self, blob: bytes) -> Any:
        """The result in bytes; raises EncodingError."""
        return decode(blob)


def started(work: Task[P, R]) -> Callable[P, R]:
    """The task inside a flow run; outside one its function, retried as the task asks.

    An embedded Prefect server costs three CPU seconds, as much as all else in a night's scoring. So
    a command that needs no workers, no cached results and no events runs without a flow.
    """
    return cast(Callable[P, R], work if FlowRunContext.get() else directly(work))


ENCODED = EncodedSerializer()
"""The serializer of every result that is kept."""


class ResultKeys(WritableFileSystem):
    """Which results are there: those whose bytes are complete.

    Prefect stores with each result how to read it, and would unpickle a file that says so. Here the
    way to read a result is not stored: it is always :data:`ENCODED`. A file that is incomplete,
    changed by hand or of another kind does not count, so its task runs again.
    """

    _block_type_name = "Foldproof Result Keys"

    def read_path(self, path: str, _sync: bool = True) -> bytes:  # type: ignore[override]
        """How to read the result ``path``.

        Raises:
            ValueError: It is not complete.
        """
        storage: Any = get_result_store().result_storage  # that of the task that asks
        if not is_whole(storage.read_path(path, _sync=True)):
            raise ValueError(f"{path} is not a complete result")
        note_use(storage, path)
        return ResultRecordMetadata(storage_key=path, serializer=ENCODED).dump_bytes()

    async def aread_path(self, path: str) -> bytes:
        """As :meth:`read_path`."""
        return self.read_path(path)

    def write_path(  # type: ignore[override]
        self, path: str, content: bytes, _sync: bool = True
    ) -> None:
        """Nothing is to be written: the result itself says whether it is there."""

    async def awrite_path(self, path: str, content: bytes) -> None:
        """As :meth:`write_path`."""


def keep_results_in(storage: str) -> None:
    """Keep the results of the running flow's tasks in a folder or at an address of fsspec.

    The running flow's own result store changes, and travels with every task to its worker.
    """
    context = FlowRunContext.get()
    assert context is not None, "there is no flow run, and so no results to keep"
    context.result_store.result_storage = storage_at(storage)


def storage_at(storage: str) -> WritableFileSystem:
    """Where results are kept: in ``results`` below a folder or an address such as ``s3://...``."""
    place = located(storage)
    remote = "://" in place
    return (RemoteFileSystem if remote else LocalFileSystem)(basepath=f"{place}/results")


def kept_under(key: Callable[[Any, dict[str, Any]], str | None]) -> CachePolicy:
    """Results are kept under ``key(context, parameters)`` and found by it; None keeps none."""
    return CachePolicy.from_cache_key_fn(key).configure(key_storage=ResultKeys())


def kept_task(
    key: Callable[[Any, dict[str, Any]], str | None], **options: Any
) -> Callable[[Callable[P, R]], Task[P, R]]:
    """A task whose result is kept under ``key``; ``options`` as of Prefect's ``task``."""
    made: Any = task(
        persist_result=True, result_serializer=ENCODED, cache_policy=kept_under(key), **options
    )
    return cast(Callable[[Callable[P, R]], Task[P, R]], made)


def note_use(storage: Any, key: str) -> None:
    """Note that a result is still used, so that ``foldproof clean`` leaves it."""
    if isinstance(storage, LocalFileSystem):
        mark_used(Path(storage.basepath or ".", key))


def find_kept(work: Task[P, R], *args: P.args, **kwargs: P.kwargs) -> R | None:
    """What the task has kept for these arguments; None if there is nothing, or not to be used.

    As for Prefect, ``PREFECT_TASKS_REFRESH_CACHE`` makes every task run again.
    """
    given = get_call_parameters(work.fn, args, kwargs)
    policy = cast(CachePolicy, work.cache_policy)
    key = policy.compute_key(None, given, {})  # type: ignore[arg-type]  # keys ignore the run
    if key is None or get_current_settings().tasks.refresh_cache:
        return None
    try:
        found: R = kept(key)
    except ValueError:
        return None
    note_use(get_result_store().result_storage, key)
    return found


def kept(key: str) -> Any:
    """The result that a task of the running flow has kept under ``key``, read from its storage.

    Raises:
        ValueError: It is not there, or not complete.
    """
    storage: Any = get_result_store().result_storage  # that of the flow or task that asks
    try:
        return decode(storage.read_path(key, _sync=True))
    except (OSError, ValueError) as error:
        raise ValueError(
            f"the result {key} of this flow cannot be read again ({error}): run the same command "
            "again, and it is computed again"
        ) from error
