"""The processes that do the work: one torch thread each, and none that outlives the flow."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from prefect.server.api.server import SubprocessASGIServer
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.task_runners import ProcessPoolTaskRunner, TaskRunner, ThreadPoolTaskRunner

from models.memory import keep_activations_mapped


@contextmanager
def one_api() -> Iterator[None]:
    """One Prefect API for a flow and all its workers: the configured one or an embedded server.

    Without an address every worker process would start a server of its own, for ten seconds of
    work each.
    """
    if PREFECT_API_URL.value():
        yield
        return
    server = SubprocessASGIServer()
    server.start()
    assert server.server_process is not None  # it has just answered
    guard = end_after_us(server.server_process.pid)
    try:
        with temporary_settings({PREFECT_API_URL: server.api_url}):
            yield
    finally:
        guard.terminate()
        guard.communicate()
        server.stop()


def end_after_us(pid: int) -> subprocess.Popen[bytes]:
    """Start a process that ends ``pid`` when this one is gone: killed, it cannot do it itself.

    It reads from a pipe that only this process holds, and that closes however it ends.
    """
    nowhere = subprocess.DEVNULL
    return subprocess.Popen(
        ["sh", "-c", f"cat >/dev/null; kill {pid}"],
        stdin=subprocess.PIPE,
        stdout=nowhere,
        stderr=nowhere,
        start_new_session=True,
    )


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
