"""The processes that do the work: one torch thread each, and none that outlives the flow."""

import os
import signal
import threading
import time
from typing import Any

import torch
from prefect.task_runners import ProcessPoolTaskRunner, TaskRunner, ThreadPoolTaskRunner

from models.memory import keep_activations_mapped


def task_runner(processes: int) -> TaskRunner[Any]:
    """Side by side in processes; a single worker runs in this process, in one thread.

    Never several threads: initial weights and dropout come from torch's global generator, which
    threads would share.
    """
    if processes == 1:
        start_worker()
        return ThreadPoolTaskRunner(max_workers=1)
    return ProcessPoolTaskRunner(max_workers=processes, initializer=start_pool_worker)


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
