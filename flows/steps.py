"""How a short flow runs its tasks: as tasks of a Prefect run, or directly.

An embedded Prefect server costs three CPU seconds, as much as all else in a night's scoring. So a
flow that needs no workers, no cached results and no events runs without one, unless PREFECT_API_URL
names the server that is to record it.
"""

from collections.abc import Callable
from typing import ParamSpec, Protocol, TypeVar

from prefect.tasks import Task

from foldproof.tasks import direct

P = ParamSpec("P")
R = TypeVar("R")


class Step(Protocol):
    """Makes a task into the function that a flow calls."""

    def __call__(self, task: Task[P, R] | Callable[P, R], /) -> Callable[P, R]:
        """The function that runs ``task``."""
        ...


def as_task(task: Task[P, R] | Callable[P, R], /) -> Callable[P, R]:
    """The task itself, inside a Prefect run."""
    return task


def directly(task: Task[P, R] | Callable[P, R], /) -> Callable[P, R]:
    """The task's function without Prefect; it is retried as the task asks."""
    return direct.directly(task)
