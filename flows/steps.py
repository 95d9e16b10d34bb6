"""How a short flow runs its tasks: as tasks of a Prefect run, or directly.

An embedded Prefect server costs three CPU seconds, as much as all else in a night's scoring. So a
flow that needs no workers, no cached results and no events runs without one, unless PREFECT_API_URL
names the server that is to record it.
"""

import time
from collections.abc import Callable
from typing import ParamSpec, Protocol, TypeVar, cast

from prefect.client.schemas.objects import TaskRun
from prefect.states import Failed
from prefect.tasks import Task

P = ParamSpec("P")
R = TypeVar("R")

NO_RUN = cast(TaskRun, None)
"""What the condition of a task's retries gets in place of a Prefect run."""


class Step(Protocol):
    """Makes a task into the function that a flow calls."""

    def __call__(self, task: Task[P, R], /) -> Callable[P, R]:
        """The function that runs ``task``."""
        ...


def as_task(task: Task[P, R], /) -> Callable[P, R]:
    """The task itself, inside a Prefect run."""
    return cast(Callable[P, R], task)


def directly(task: Task[P, R], /) -> Callable[P, R]:
    """The task's function without Prefect; it is retried as the task asks."""
    delays = task.retry_delay_seconds or 0.0
    waits = [*delays] if isinstance(delays, list) else [delays]

    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        for attempt in range(task.retries):
            try:
                return task.fn(*args, **kwargs)
            except Exception as error:
                again = task.retry_condition_fn
                if again is not None and not again(task, NO_RUN, Failed(data=error)):
                    raise
            time.sleep(waits[min(attempt, len(waits) - 1)])
        return task.fn(*args, **kwargs)

    return run
