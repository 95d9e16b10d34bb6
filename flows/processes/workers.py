"""Worker processes: one torch thread each; none outlives the flow."""

import os
import signal
import threading
import time
from collections.abc import Iterable
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import resource_tracker
from typing import Any

import torch
from prefect.context import FlowRunContext
from prefect.futures import PrefectFuture
from prefect.task_runners import ProcessPoolTaskRunner, TaskRunner, ThreadPoolTaskRunner
from prefect.tasks import Task

from foldproof.models.memory import keep_activations_mapped


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


WORKER_DIED = (BrokenProcessPool,)
"""Errors of a task whose worker process has died."""


class Workers(TaskRunner[PrefectFuture[Any]]):
    """As many processes as the flow's parameter asks for, started with the first task.

    Prefect chooses the task runner of a deployed flow before it knows the flow's parameters. Its
    default runner has as many threads as there are tasks.
    """

    def __init__(self) -> None:
        super().__init__()
        self._runner: TaskRunner[Any] | None = None

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
        if self._runner is None:
            self._runner = task_runner(requested_processes()).__enter__()
        future: PrefectFuture[Any] = self._runner.submit(task, parameters, wait_for, dependencies)
        return future

    def restart(self) -> None:
        """Stop the workers; the next task starts new ones."""
        runner, self._runner = self._runner, None
        if runner is not None:
            runner.__exit__(None, None, None)

    def __exit__(self, *error: Any) -> None:
        self.restart()
        super().__exit__(*error)


def restart_workers() -> None:
    """Start the running flow's workers again, after one has died and broken the pool."""
    context = FlowRunContext.get()
    if context is not None and isinstance(context.task_runner, Workers):
        context.task_runner.restart()


def requested_processes() -> int:
    """``processes`` of the running flow's first parameter that has this attribute, else 1."""
    context = FlowRunContext.get()
    parameters = (context and context.parameters) or {}
    found = (getattr(one, "processes", None) for one in parameters.values())
    return next((processes for processes in found if processes is not None), 1)


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
    """End this process soon after its parent: a killed flow leaves no orphans."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
