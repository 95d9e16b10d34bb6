"""Make a function on a store a task: repeated while the store is down, then kept in the outbox.

A store that does not answer is asked again for ``tracking.patience`` seconds. What cannot be logged
even then waits in the outbox.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, partial, wraps
from typing import Any, Concatenate, ParamSpec, TypeVar
from uuid import uuid4

from prefect import Task, task
from prefect.artifacts import create_link_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.context import FlowRunContext
from prefect.runtime import flow_run
from prefect.settings import get_current_settings

from foldproof.tasks.data.address import masked, secrets_in
from foldproof.tasks.program import program
from foldproof.tasks.task import started
from foldproof.tasks.track.outage import STORE_ERRORS, is_outage, reason
from foldproof.tasks.track.outbox.entries import OUTBOX, discard, folder_name
from foldproof.tasks.track.outbox.journal import recording
from foldproof.tasks.track.spec import TrackingSpec
from foldproof.tasks.track.store import (
    MADE_UP,
    Links,
    Store,
    TrackingError,
    one_writer,
    open_store,
    resolve_uri,
    run_url,
    shown,
)

P = ParamSpec("P")
R = TypeVar("R")
Logged = TypeVar("Logged", str, Links)

TAG = "mlflow"
"""Tag of the tasks that use the tracking store, for concurrency limits."""
FIRST_DELAY, LONGEST_DELAY = 1.0, 30.0
"""Seconds before the first repetition, and most seconds between two."""


def named(store: Store) -> Store:
    """The store; runs that are created in it name the Prefect flow run."""
    return replace(store, origin={**store.origin, **flow_run_tags()})


def flow_run_tags() -> dict[str, str]:
    """Id, name and address of the running flow run; no address if its server has no UI."""
    if not flow_run.id:
        return {}
    found = {
        "mlflow.source.name": f"foldproof {flow_run.flow_name}",
        "prefect.flow_run_id": str(flow_run.id),
        "prefect.flow_run": str(flow_run.name),
    }
    if get_current_settings().server.ui.enabled:
        found["prefect.flow_run_url"] = str(flow_run.ui_url)
    return found


def linked(store: Store, logged: Logged, what: str) -> Logged:
    """What was logged, after a link to its run became an artifact of the flow run."""
    run_id = logged if isinstance(logged, str) else logged.summary_run_id
    if flow_run.id and not run_id.startswith(MADE_UP):
        text = f"{what}: the run in MLflow"
        create_link_artifact(run_url(store, run_id), text, key=f"mlflow-{what}", description=text)
    return logged


def delays(patience: float) -> list[float]:
    """Seconds to wait before each repetition; they double, and add up to ``patience``."""
    found: list[float] = []
    left, delay = patience, FIRST_DELAY
    while left > 0:
        found.append(min(delay, LONGEST_DELAY, left))
        left -= found[-1]
        delay *= 2
    return found


def patient(work: Task[..., R], spec: TrackingSpec) -> Task[..., R]:
    """The task, repeated while the store does not answer, for ``spec.patience`` seconds."""
    waits, end = delays(spec.patience), time.monotonic() + spec.patience
    said: list[str] = []

    def again(_: Task[..., Any], __: TaskRun, state: State[Any]) -> bool:
        error = state.data
        if not isinstance(error, BaseException) or not is_outage(error):
            return False
        repeat = time.monotonic() < end
        if repeat and not said:
            said.append(masked(reason(error), secrets_in(resolve_uri(spec))))
            print(
                f"the tracking store does not answer ({said[0]}); trying again for "
                f"{spec.patience:g} seconds",
                flush=True,
            )
        return repeat

    return work.with_options(
        retries=len(waits), retry_delay_seconds=waits or 0, retry_condition_fn=again
    )


@contextmanager
def store_errors(spec: TrackingSpec) -> Iterator[None]:
    """Turn the errors of MLflow, its database and its HTTP client into one sentence."""
    try:
        yield
    except STORE_ERRORS as error:
        uri = resolve_uri(spec)
        why = masked(reason(error), secrets_in(uri))
        raise TrackingError(f"the tracking store {shown(uri)} failed: {why}") from error


Arguments = tuple[Any, ...]
Reading = Callable[Concatenate[Store, P], R]
Tracked = Callable[Concatenate[TrackingSpec, P], R]


def reading(name: str) -> Callable[[Reading[P, R]], Tracked[P, R]]:
    """Make a function on a store a task on its settings, repeated while the store is down."""

    def decorate(read: Reading[P, R]) -> Tracked[P, R]:
        def work(spec: TrackingSpec, args: Arguments, options: dict[str, Any]) -> R:
            with store_errors(spec):
                return read(named(open_store(spec)), *args, **options)

        inner = task(name=name, tags=[TAG], cache_policy=NO_CACHE)(work)

        @wraps(read)
        def call(spec: TrackingSpec, *args: P.args, **options: P.kwargs) -> R:
            return started(patient(inner, spec))(spec, args, options)

        return call

    return decorate


def writing(name: str, key: Callable[..., str]) -> Callable[[Reading[P, R]], Tracked[P, R]]:
    """The same for a function that logs: what cannot be sent is kept in the outbox.

    Args:
        name: Name of the task.
        key: From the function's arguments to what is written: the id of a comparison, or a model
            with version and night. One process at a time writes it, and it is kept once.
    """

    def decorate(write: Reading[P, R]) -> Tracked[P, R]:
        def work(spec: TrackingSpec, what: str, args: Arguments, options: dict[str, Any]) -> R:
            with store_errors(spec):
                store = named(open_store(spec))
                with one_writer(store, what):
                    found = write(store, *args, **options)
            discard(what)
            return found

        inner = task(name=name, tags=[TAG], cache_policy=NO_CACHE)(work)

        @wraps(write)
        def call(spec: TrackingSpec, *args: P.args, **options: P.kwargs) -> R:
            what = key(*args, **options)
            try:
                return started(patient(inner, spec))(spec, what, args, options)
            except Exception as error:
                if not is_outage(error):
                    raise
                again = partial(write_with, write, args, options)
                return started(keep)(spec, what, error, again)

        return call

    return decorate


def write_with(
    write: Callable[..., R], args: Arguments, options: dict[str, Any], store: Store
) -> R:
    """``write`` on a store, with its other arguments."""
    return write(store, *args, **options)


@task(name="keep for sync", cache_policy=NO_CACHE)
def keep(spec: TrackingSpec, key: str, error: Exception, write: Callable[[Store], R]) -> R:
    """Keep what ``write`` logs in the outbox and say so; returns what ``write`` returns."""
    why = masked(reason(error), secrets_in(resolve_uri(spec)))
    with recording(spec, key, why, flow_run_id()) as store:
        found = write(named(store))
    print(
        f"{why}. The results are kept in {OUTBOX / folder_name(key)}: send "
        f"them later with {program('foldproof', 'foldproof.flows')} sync",
        flush=True,
    )
    return found


def flow_run_id() -> str:
    """Id of the running flow; outside a flow an id of this process."""
    context = FlowRunContext.get()
    return str(context.flow_run.id) if context and context.flow_run else process_id()


@cache
def process_id() -> str:
    """An id that no other process has, or had."""
    return f"process {uuid4()}"
