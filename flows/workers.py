"""The processes that do the work: one torch thread each, and none that outlives the flow."""

import ctypes
import signal
import sys

from prefect.task_runners import ProcessPoolTaskRunner, TaskRunner, ThreadPoolTaskRunner

from models.memory import keep_activations_mapped, one_thread


def task_runner(processes: int) -> TaskRunner:
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
    one_thread()


def start_pool_worker() -> None:
    """The same in a process of the pool; an interrupt is the parent's to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()
    start_worker()


def end_with_parent() -> None:
    """Ask Linux to end this process when its parent is killed; elsewhere the pool may outlive it."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)
