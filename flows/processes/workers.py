"""The processes that do the work: one torch thread each, and none that outlives the flow."""

import os
import signal
import threading
import time
from collections.abc import Iterable
from multiprocessing import resource_tracker
from typing import Any

import torch
from prefect.context import FlowRunContext
from prefect.futures import PrefectFuture
from prefect.task_runners import ProcessPoolTaskRunner, TaskRunner, ThreadPoolTaskRunner
from prefect.tasks import Task

from foldproof.models.memory import keep_activations_mapped


def task_runner(processes: int) -> TaskRunner[Any]:
    """Side by side in processes; a single worker runs in this process, in one thread.

    Never several threads: initial weights and dropout come from torch's global generator, which
    threads would share.
    """
    if processes == 1:
        start_worker()
        return ThreadPoolTaskRunner(max_workers=1)
    start_tracker()
    return ProcessPoolTaskRunner(max_workers=processes, initializer=start_pool_worker)


class Workers(TaskRunner[PrefectFuture[Any]]):
    """The processes that the flow's own parameter asks for, started with the first task.

    A deployed flow is started by Prefect, which knows its task runner before its parameters.
    The runner that Prefect would take otherwise has as many threads as there are tasks.
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
        """Hand the task to the workers."""
        if self._runner is None:
            self._runner = task_runner(processes_asked_for()).__enter__()
        future: PrefectFuture[Any] = self._runner.submit(task, parameters, wait_for, dependencies)
        return future

    def __exit__(self, *error: Any) -> None:
        runner, self._runner = self._runner, None
        if runner is not None:
            runner.__exit__(*error)
        super().__exit__(*error)


def processes_asked_for() -> int:
    """``processes`` of the running flow's first parameter that has them, else 1."""
    context = FlowRunContext.get()
    parameters = (context and context.parameters) or {}
    asked = (getattr(one, "processes", None) for one in parameters.values())
    return next((processes for processes in asked if processes is not None), 1)


def start_tracker() -> None:
    """Start the process by which Python tidies up after others, and keep the mask of signals.

    Else the first worker's start starts it, which lets interrupts through: in Python 3.11 to 3.13
    the tracker's start ends with unblocking them, whatever the mask was.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    resource_tracker.ensure_running()
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


def start_worker() -> None:
    """Before the first tensor: memory stays mapped between steps, one thread."""
    keep_activations_mapped()
    torch.set_num_threads(1)


def start_pool_worker() -> None:
    """The same in a process of the pool; an interrupt is the parent's to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()
    start_worker()


def end_with_parent() -> None:
    """End this process soon after its parent is gone: a killed flow leaves no orphans behind."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
