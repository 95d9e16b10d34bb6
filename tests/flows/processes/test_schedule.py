"""Ctrl-C while a worker is being started; tasks that fail, and workers that die."""

import errno
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from typing import Any
from uuid import uuid4

import httpx
import pytest
from prefect.futures import PrefectConcurrentFuture
from prefect.states import Failed

from foldproof.flows.processes.schedule import DiedError, Job, drive, interrupts_held
from foldproof.flows.processes.workers import Kept, WorkerError


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


@pytest.mark.slow
def test_the_first_worker_ignores_interrupts_too() -> None:
    """Its start also starts Python's resource tracker, which unblocks interrupts."""
    done = subprocess.run([sys.executable, "-c", FIRST_WORKER], capture_output=True, text=True)
    assert done.stdout == "0\n", done.stderr


def test_without_an_interrupt_handlers_and_mask_are_restored() -> None:
    before = signal.getsignal(signal.SIGINT), signal.pthread_sigmask(signal.SIG_BLOCK, [])
    with interrupts_held():
        pass
    assert (signal.getsignal(signal.SIGINT), signal.pthread_sigmask(signal.SIG_BLOCK, [])) == before


class Pool:
    """Tasks that run at once in this process; ``dies`` says with which the workers die."""

    def __init__(
        self,
        dies: Callable[[str, int], bool] = lambda title, tries: False,
        death: Callable[[str], Exception] = lambda title: BrokenProcessPool("a worker died"),
    ) -> None:
        self.dies, self.death = dies, death
        self.tries, self.restarts = Counter[str](), 0
        self.broken = False
        self.log: list[str] = []

    def restart(self) -> None:
        self.restarts += 1
        self.broken = False

    def job(self, title: str, error: Exception | None = None, **more: Any) -> Job:
        def submit() -> PrefectConcurrentFuture[str]:
            assert not self.broken, "submitted to a broken pool"
            self.tries[title] += 1
            future: Future[Any] = Future()
            if self.dies(title, self.tries[title]):
                future.set_exception(self.death(title))
            elif error is not None:
                future.set_result(Failed(data=error))
            else:
                future.set_result(title)
            return PrefectConcurrentFuture(uuid4(), future)

        return Job(title, submit, **more)

    def run(self, jobs: list[Job], width: int = 3) -> list[str]:
        return [one.title for one in drive(jobs, lambda: width, self.restart, self.log.append)]


def test_a_failed_task_is_handled_and_the_others_go_on() -> None:
    pool, lost = Pool(), []

    def failed(error: Exception) -> list[Job]:
        lost.append(str(error))
        return [pool.job("after it")]

    jobs = [pool.job("a"), pool.job("b", ValueError("mine"), failed=failed), pool.job("c")]
    assert sorted(pool.run(jobs)) == ["a", "after it", "b", "c"]
    assert lost == ["mine"]
    assert pool.restarts == 0


@pytest.mark.parametrize(
    "error",
    [
        ValueError("unhandled"),
        OSError(errno.ENOSPC, "full"),
        httpx.ConnectError("gone"),
        WorkerError("other code"),
    ],
)
def test_an_error_that_nobody_handles_or_that_would_meet_all_ends_it(error: Exception) -> None:
    pool = Pool()
    handler = None if isinstance(error, ValueError) else lambda _: []
    with pytest.raises(type(error)):
        pool.run([pool.job("a", error, failed=handler), pool.job("b")], width=1)
    assert pool.tries["b"] == 0


def test_a_worker_that_died_once_costs_nothing() -> None:
    """As after a kill: the pool starts again, and what was in flight runs again, one at a time."""
    pool = Pool(lambda title, tries: title in ("b", "c") and tries == 1)
    jobs = [pool.job(title) for title in "abcdef"]
    assert sorted(pool.run(jobs)) == [*"abcdef"]
    assert pool.tries == Counter(a=1, b=2, c=2, d=1, e=1, f=1)
    assert pool.restarts == 1
    assert len(pool.log) == 1
    assert pool.log[0].startswith("a worker died (killed, or out of memory) while ")


def test_a_worker_that_was_starting_when_another_died_costs_nothing_either() -> None:
    """Its start may fail with any error, because the pool has already closed its pipes."""

    def death(title: str) -> Exception:
        return OSError("handle is closed") if title == "b" else BrokenProcessPool("died")

    pool = Pool(lambda title, tries: title in ("a", "b") and tries == 1, death)
    assert sorted(pool.run([pool.job(title) for title in "abcd"])) == [*"abcd"]
    assert pool.tries == Counter(a=2, b=2, c=1, d=1)
    assert pool.restarts == 1


def test_a_result_that_no_worker_can_send_fails_its_job_alone() -> None:
    pool, lost = Pool(lambda title, _: title == "b", lambda _: TypeError("cannot pickle")), []
    jobs = [pool.job(one, failed=lambda error: lost.append(error) or []) for one in "abc"]
    assert sorted(pool.run(jobs)) == ["a", "b", "c"]
    assert [str(one) for one in lost] == ["a worker failed (TypeError: cannot pickle) twice with b"]


def test_a_broken_pool_is_stopped_when_an_error_ends_everything() -> None:
    """Its end could wait for ever for a worker that was starting."""
    pool = Pool(lambda title, _: title == "a")
    with pytest.raises(DiedError):
        pool.run([pool.job("a")])
    assert pool.restarts == 2  # after each of its deaths


def test_a_task_that_kills_its_worker_twice_is_skipped() -> None:
    """Its companions in flight are suspects too; alone they show that they are innocent."""
    pool, lost = Pool(lambda title, tries: title == "b" or (title == "c" and tries == 1)), []

    def job(title: str) -> Job:
        return pool.job(title, failed=lambda error: lost.append(error) or [])

    assert sorted(pool.run([job(title) for title in "abcde"])) == [*"abcde"]
    assert [str(error) for error in lost] == [
        "a worker died (killed, or out of memory) twice with b"
    ]
    assert isinstance(lost[0], DiedError)
    assert pool.tries["b"] == 2
    assert pool.restarts == 2


def test_kept_results_are_taken_without_workers() -> None:
    """Nobody asks how many there are, which would start them, before a task needs one."""
    taken: list[str] = []

    def width() -> int:
        raise AssertionError("workers start")

    def keep(title: str) -> list[Job]:
        taken.append(title)
        return [Job("follows", lambda: Kept("follows"), keep)] if title == "a" else []

    def taking(title: str) -> Job:
        return Job(title, lambda: Kept(title), keep)

    assert [one.title for one in drive([taking(one) for one in "abc"], width)] == [
        "a", "follows", "b", "c",
    ]  # fmt: skip
    assert taken == ["a", "follows", "b", "c"]


def test_a_kept_result_between_tasks_is_taken_as_any_other() -> None:
    pool = Pool()
    jobs = [pool.job("a"), Job("kept", lambda: Kept("kept")), pool.job("b"), pool.job("c")]
    assert sorted(pool.run(jobs, width=1)) == ["a", "b", "c", "kept"]
    assert pool.tries == Counter(a=1, b=1, c=1)
