"""Keep a task runner busy without flooding it; work that completes a variant goes first."""

import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from prefect.futures import PrefectFuture, as_completed

from foldproof.flows.processes.workers import (
    DiedError,
    Kept,
    WorkerError,
    restart_workers,
    worker_count,
)
from foldproof.tasks.machine_errors import disk_full, server_lost


@dataclass(frozen=True, eq=False)
class Job:
    """A task to submit, and how its result is handled.

    Attributes:
        title: A few words for the progress bar.
        submit: Submits the task, or returns the result that is kept.
        then: Receives the task's result; jobs that it returns go to the front of the queue.
        failed: The same for its error; without it, the error ends everything.
    """

    title: str
    submit: Callable[[], PrefectFuture[Any]]
    then: "Callable[[Any], Following]" = field(default=lambda _: None)
    failed: "Callable[[Exception], Following] | None" = None


Following = Iterable[Job] | None
"""The jobs that follow one that has ended."""


def tasks_in_flight() -> int:
    """Two for each worker, so that none waits for its next one."""
    return 2 * worker_count()


def drive(
    jobs: Iterable[Job],
    width: Callable[[], int] = tasks_in_flight,
    restart: Callable[[], object] = restart_workers,
    say: Callable[[str], object] = print,
) -> Iterator[Job]:
    """Run ``jobs`` with at most ``width`` in flight; yield each one when it has ended.

    An interruption therefore waits for a few short tasks, not for the whole queue.

    A worker that dies (killed, or out of memory) takes the whole pool with it, and nobody knows
    with which of the tasks in flight it died. So the workers are started again, and those tasks run
    one at a time; what they have stored is not repeated. A task with which a worker dies then, too,
    has failed. The others go on. The same holds for any error that is not the task's own, such as
    that of a worker that was just starting when the other died.

    Args:
        jobs: The jobs.
        width: Tasks in flight. It is asked once a task is, as the workers then run; results that
            are kept need none.
        restart: Starts the workers again.
        say: Prints a line.

    Raises:
        Exception: The error of a task whose job does not handle it, or one that would meet every
            task: a full disk, a lost Prefect server, a worker that cannot be used. Jobs behind it
            in the queue are not started.
    """
    queue, suspects = deque(jobs), deque[Job]()
    running: dict[PrefectFuture[Any], Job] = {}
    lone: Job | None = None
    broken = False
    try:
        while queue or suspects or running:
            if not running:
                if broken:
                    restart()
                    broken = False
                lone = suspects.popleft() if suspects else None
                if lone is not None:
                    start(lone, running)
            while lone is None and not broken and queue and (not running or len(running) < width()):
                if start(queue.popleft(), running):
                    break
            future = next(as_completed(list(running)))
            job, error = running.pop(future), worker_error(future)
            if error is not None:
                if not broken:
                    say(f"{reason(error)} while {job.title} was in flight")
                broken = True
                if job is not lone:
                    suspects.append(job)
                    continue
                following = handled(job, DiedError(f"{reason(error)} twice with {job.title}"))
            else:
                following = followed(job, future)
            queue.extendleft(reversed(list(following or ())))
            yield job
    finally:
        if broken:
            restart()  # else the end of the flow might wait for ever for a worker of this pool


def start(job: Job, running: dict[PrefectFuture[Any], Job]) -> bool:
    """Submit a job; whether its result was kept."""
    with interrupts_held():
        future = job.submit()
        running[future] = job
    return isinstance(future, Kept)


def worker_error(future: PrefectFuture[Any]) -> Exception | None:
    """The error of a task that has ended, if it is not the task's own: its worker failed.

    Raises:
        Exception: The error would meet every task.
    """
    try:
        future.wait()
    except Exception as error:  # a pool may raise any error
        if meets_all(error):
            raise
        return error
    return None


def followed(job: Job, future: PrefectFuture[Any]) -> Following:
    """The jobs that follow a task that has ended, well or with an error of its own."""
    try:
        return job.then(future.result())
    except Exception as error:  # the job says what its failure means, or raises it again
        return handled(job, error)


def handled(job: Job, error: Exception) -> Following:
    """The jobs that follow a failed one; raises ``error`` if nobody handles it."""
    if job.failed is None or meets_all(error):
        raise error
    return job.failed(error)


def meets_all(error: Exception) -> bool:
    """Whether every further task would fail with the error, too."""
    return isinstance(error, WorkerError) or disk_full(error) or bool(server_lost(error))


def reason(error: Exception) -> str:
    """What happened to a worker, in a few words."""
    if isinstance(error, BrokenProcessPool):
        return "a worker died (killed, or out of memory)"
    return f"a worker failed ({type(error).__name__}: {error})"


@contextmanager
def interrupts_held() -> Iterator[None]:
    """Delay Ctrl-C until the block ends, and keep it from processes started inside.

    A terminal sends it to every process of the command. Threads and processes inherit the mask of
    the thread that starts them. So a worker is spared while it is still importing, before it can
    ignore interrupts itself. The mask alone does not suffice: another thread would take the signal
    and Python would raise it in the main thread, perhaps while a worker's first message is written.
    """
    came: list[int] = []
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    main = threading.current_thread() is threading.main_thread()
    usual = signal.getsignal(signal.SIGINT) if main else None
    if usual is not None:
        signal.signal(signal.SIGINT, lambda number, _: came.append(number))
    try:
        yield
    finally:
        if usual is not None:
            signal.signal(signal.SIGINT, usual)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        if came:
            signal.raise_signal(signal.SIGINT)
