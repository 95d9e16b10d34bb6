"""Worker processes: one torch thread each; none outlives the flow."""

import os
import signal
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager, nullcontext
from multiprocessing import active_children, parent_process, resource_tracker
from typing import Any, NamedTuple, ParamSpec, TypeVar
from uuid import uuid4

import torch
from prefect import Flow
from prefect.context import FlowRunContext
from prefect.futures import PrefectConcurrentFuture, PrefectFuture
from prefect.task_runners import ProcessPoolTaskRunner, TaskRunner, ThreadPoolTaskRunner
from prefect.tasks import Task

from foldproof.conf.compute import ENGINES, ComputeSpec
from foldproof.flows.commands.shell import late
from foldproof.models.memory import keep_activations_mapped
from foldproof.tasks.task import find_kept, keep_results_in
from foldproof.tasks.timing import Timed

P = ParamSpec("P")
R = TypeVar("R")


class WorkerError(RuntimeError):
    """A worker, or what a worker needs, cannot be used; the message says which and why."""


class DiedError(RuntimeError):
    """A worker process died again and again with the same task."""


class Started(NamedTuple):
    """Workers that take tasks.

    Attributes:
        runner: Prefect's task runner, entered.
        threads: How many tasks they run at a time.
    """

    runner: TaskRunner[Any]
    threads: int


def start_processes(compute: ComputeSpec) -> Started:
    """As many processes of this machine as ``compute`` asks for."""
    count = compute.workers or os.cpu_count() or 1
    return Started(task_runner(count).__enter__(), count)


def task_runner(processes: int) -> TaskRunner[Any]:
    """A pool of processes; a single worker is one thread of this process.

    There are never several threads: they would share torch's global generator, which draws initial
    weights and dropout.
    """
    if processes == 1:
        start_worker()
        return ThreadPoolTaskRunner(max_workers=1)
    start_tracker()
    return ProcessPoolTaskRunner(max_workers=processes, initializer=start_pool_worker)


class Workers(TaskRunner[PrefectFuture[Any]]):
    """The workers that the flow's parameter asks for, started with the first task.

    Prefect chooses the task runner of a deployed flow before it knows the flow's parameters. Its
    default runner has as many threads as there are tasks.
    """

    def __init__(self) -> None:
        super().__init__()
        self._workers: Started | None = None
        self._placed = False

    def duplicate(self) -> "Workers":
        """Another one, not yet started."""
        return Workers()

    def submit(
        self,
        task: Task[Any, Any],
        parameters: dict[str, Any],
        wait_for: Iterable[PrefectFuture[Any]] | None = None,
        dependencies: dict[str, set[Any]] | None = None,
    ) -> PrefectFuture[Any]:
        """Pass the task to the workers."""
        runner = self.running().runner
        with flow_by_name():
            future: PrefectFuture[Any] = runner.submit(task, parameters, wait_for, dependencies)
        return future

    def set_storage(self) -> None:
        """Keep results where the flow's parameter says; nothing happens the second time."""
        storage = None if self._placed else requested_compute().storage
        self._placed = True
        if storage is not None:
            keep_results_in(storage)

    def running(self) -> Started:
        """The workers, started if they are not yet."""
        self.set_storage()
        if self._workers is None:
            compute = requested_compute()
            self._workers = late(ENGINES[compute.engine].start)(compute)
        return self._workers

    def stop(self) -> None:
        """Stop the workers; the next task starts new ones."""
        workers, self._workers = self._workers, None
        if workers is not None:
            workers.runner.__exit__(None, None, None)

    def __exit__(self, kind: type[BaseException] | None = None, *rest: Any) -> None:
        if kind is None or issubclass(kind, Exception):
            self.stop()
        else:
            self.abandon()
        super().__exit__(kind, *rest)

    def abandon(self) -> None:
        """Stop the workers after Ctrl-C without waiting for their tasks, which may take minutes.

        Finished units are kept. A thread cannot be stopped: it ends with the process.
        """
        if self._workers is None or isinstance(self._workers.runner, ThreadPoolTaskRunner):
            return
        with killed_children():
            self.stop()


def flow_by_name() -> AbstractContextManager[object]:
    """A context in which the running flow is a flow of the same name that does nothing.

    Prefect sends the flow with every task. Each worker would import what the flow imports (MLflow,
    the figures), which takes as long as all that a task needs.
    """
    context = FlowRunContext.get()
    if context is None or context.flow is None:
        return nullcontext()
    flow = context.flow
    named = Flow(nothing, name=flow.name, version=flow.version, task_runner=Workers())
    return context.model_copy(update={"flow": named})


def nothing() -> None:
    """What the flow does that stands for the running one in a worker."""


class Kept(PrefectConcurrentFuture[R]):
    """A result that an earlier run has kept."""

    def __init__(self, result: R) -> None:
        done = Future[R]()
        done.set_result(result)
        super().__init__(uuid4(), done)


def submitted(
    work: Task[P, Timed[R]], *args: P.args, **kwargs: P.kwargs
) -> PrefectFuture[Timed[R]]:
    """Submit a task, unless its result is kept: then it is read here, and no task runs.

    To pass a finished task through Prefect and a worker takes a fifth of a CPU second, and the
    workers would have to start.
    """
    if (workers := running_workers()) is not None:
        workers.set_storage()
    found = find_kept(work, *args, **kwargs)
    return work.submit(*args, **kwargs) if found is None else Kept(found)


def running_workers() -> Workers | None:
    """The task runner of the running flow, if it is ours."""
    runner = context.task_runner if (context := FlowRunContext.get()) is not None else None
    return runner if isinstance(runner, Workers) else None


def restart_workers() -> None:
    """Start the running flow's workers again, after one has died and broken the pool."""
    if (workers := running_workers()) is not None:
        with killed_children():
            workers.stop()


@contextmanager
def killed_children() -> Iterator[None]:
    """Kill this process's workers until the block ends.

    A broken pool ends the workers that it knows of, and waits for all. One that another thread
    starts between the two would be waited for for ever.
    """
    ended = threading.Event()

    def kill() -> None:
        while not ended.is_set():
            for worker in active_children():
                worker.kill()
            ended.wait(0.2)

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    try:
        yield
    finally:
        ended.set()
        killer.join()


def worker_count() -> int:
    """How many workers the running flow has; they are started if they are not yet. Else 1."""
    workers = running_workers()
    return 1 if workers is None else workers.running().threads


def requested_compute() -> ComputeSpec:
    """``compute`` of the running flow's first parameter that has it, else one worker."""
    context = FlowRunContext.get()
    parameters = (context and context.parameters) or {}
    found = (getattr(one, "compute", None) for one in parameters.values())
    return next((compute for compute in found if compute is not None), ComputeSpec(workers=1))


def start_tracker() -> None:
    """Start Python's resource tracker without changing the signal mask.

    Otherwise the first worker's start would start it and let interrupts through: in Python 3.11 to
    3.13 the tracker's start always ends with unblocking them.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    resource_tracker.ensure_running()
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


def start_worker() -> None:
    """Keep memory mapped between steps, use one thread; call it before the first tensor."""
    keep_activations_mapped()
    torch.set_num_threads(1)


def start_pool_worker() -> None:
    """The same in a process of the pool, where only the parent handles interrupts."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()
    start_worker()


def end_with_parent() -> None:
    """End this process with its parent, at once if that is gone already: no orphans are left.

    The parent of a worker is the one that multiprocessing names. ``os.getppid()`` is another
    process if the parent was killed during this one's imports. A run of ``foldproof serve`` is not
    started by multiprocessing, and has only that.
    """
    named, parent = parent_process(), os.getppid()

    def watch() -> None:
        if named is not None:
            named.join()
        while named is None and os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
