"""Ctrl-C while a worker is being started."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from foldproof.flows.processes.schedule import interrupts_held


@pytest.fixture(autouse=True)
def usual() -> Iterator[None]:
    """Restore the usual handler: a shell ignores interrupts of background processes."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def other() -> Iterator[threading.Thread]:
    """A thread whose mask lets interrupts through, like the threads of Prefect."""
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    yield thread
    end.set()
    thread.join()


def to_the_main_thread(_: threading.Thread) -> None:
    signal.raise_signal(signal.SIGINT)


def to_another_thread(other: threading.Thread) -> None:
    assert other.ident is not None
    signal.pthread_kill(other.ident, signal.SIGINT)


@pytest.mark.parametrize("send", [to_the_main_thread, to_another_thread])
def test_an_interrupt_waits_for_the_end_of_the_block(send, other: threading.Thread) -> None:
    reached = []

    def block() -> None:
        with interrupts_held():
            send(other)
            for _ in range(200):  # time for Python to raise it here
                time.sleep(0.001)
            reached.append("its end")

    with pytest.raises(KeyboardInterrupt):
        block()
    assert reached == ["its end"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_process_started_inside_ignores_interrupts() -> None:
    code = "import signal; print(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, []))"
    with interrupts_held():
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "True\n"


FIRST_WORKER = """
import signal
from multiprocessing import get_context
from foldproof.flows.processes.schedule import interrupts_held
from foldproof.flows.processes.workers import task_runner
with interrupts_held():
    task_runner(2)
    worker = get_context("spawn").Process(target=signal.raise_signal, args=(signal.SIGINT,))
    worker.start()
worker.join()
print(worker.exitcode)
"""


def test_the_first_worker_ignores_interrupts_too() -> None:
    """Its start also starts Python's resource tracker, which unblocks interrupts."""
    done = subprocess.run([sys.executable, "-c", FIRST_WORKER], capture_output=True, text=True)
    assert done.stdout == "0\n", done.stderr


def test_without_an_interrupt_handlers_and_mask_are_restored() -> None:
    before = signal.getsignal(signal.SIGINT), signal.pthread_sigmask(signal.SIG_BLOCK, [])
    with interrupts_held():
        pass
    assert (signal.getsignal(signal.SIGINT), signal.pthread_sigmask(signal.SIG_BLOCK, [])) == before
