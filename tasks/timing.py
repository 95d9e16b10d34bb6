"""The time that work takes, measured in the process that does it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, NamedTuple, TypeVar

T = TypeVar("T")


class Timed(NamedTuple, Generic[T]):
    """A value and the CPU seconds of the process that made it."""

    value: T
    seconds: float


def timed(work: Callable[..., T], *args: Any, **kwargs: Any) -> Timed[T]:
    """The result of ``work`` and its CPU seconds."""
    start = time.process_time()
    value = work(*args, **kwargs)
    return Timed(value, time.process_time() - start)


class Stopwatch:
    """Wall seconds by step: ``with watch("data"): ...``."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, step: str) -> Iterator[None]:
        """Add the seconds that the block takes to ``step``."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[step] = self.seconds.get(step, 0.0) + time.perf_counter() - start
