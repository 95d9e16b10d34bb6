"""Keep a task runner busy without flooding it; work that completes a variant goes first."""

import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from prefect.futures import PrefectFuture, as_completed


@dataclass(frozen=True, eq=False)
class Job:
    """A task to submit, and how its result is handled.

    Attributes:
        title: A few words for the progress bar.
        submit: Submits the task.
        then: Receives the task's result; the jobs it returns go to the front of the queue.
    """

    title: str
    submit: Callable[[], PrefectFuture[Any]]
    then: Callable[[Any], Iterable["Job"]] = field(default=lambda _: ())


def drive(jobs: Iterable[Job], width: int) -> Iterator[Job]:
    """Run ``jobs`` with at most ``width`` in flight; yield each one when it is done.

    An interruption therefore waits for a few short tasks, not for the whole queue.

    Raises:
        Exception: The error of a task; jobs behind it in the queue are not started.
    """
    queue = deque(jobs)
    running: dict[PrefectFuture[Any], Job] = {}
    while queue or running:
        while queue and len(running) < width:
            job = queue.popleft()
            with interrupts_held():
                running[job.submit()] = job
        future = next(as_completed(list(running)))
        job = running.pop(future)
        queue.extendleft(reversed(list(job.then(future.result()))))
        yield job


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
