"""What a task's work cost, measured where it ran."""

import time
from collections.abc import Callable
from typing import Any, Generic, NamedTuple, TypeVar

T = TypeVar("T")


class Timed(NamedTuple, Generic[T]):
    """A value and the CPU seconds of the process that made it."""

    value: T
    seconds: float


def timed(work: Callable[..., T], *args: Any, **kwargs: Any) -> Timed[T]:
    """Call ``work`` and say what it cost."""
    start = time.process_time()
    value = work(*args, **kwargs)
    return Timed(value, time.process_time() - start)
