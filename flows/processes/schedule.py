"""Keep a task runner busy without flooding it: work that finishes a variant goes first."""

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
    """A task to submit, and what to do with its result.

    Attributes:
        title: A few words for the progress bar.
        submit: Submits the task.
        then: Receives the task's result; the jobs it returns go to the front of the queue.
    """

    title: str
    submit: Callable[[], PrefectFuture[Any]]
    then: Callable[[Any], Iterable["Job"]] = field(default=lambda _: ())


def drive(jobs: Iterable[Job], width: int) -> Iterator[Job]:
    """Run ``jobs`` with at most ``width`` in flight and yield each one when it is done.

    An interrupt therefore waits for a handful of short tasks, not for the whole queue.

    Raises:
        Exception: Whatever a task raised; what is queued behind it is not started.
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
    """Ctrl-C waits until the block ends, and never reaches what is started in it.

    A terminal sends it to every process of the command. Threads and processes inherit the mask of
    the thread that starts them, so a worker is spared while it is still importing, before it
    could say for itself that interrupts are its parent's. The mask alone would not do: another
    thread takes the signal then, and Python raises it in the main one all the same, perhaps in the
    middle of what a worker is told to begin with.
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
