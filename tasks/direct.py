"""Run a task without Prefect."""

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any


def directly(task: Any) -> Callable[..., Any]:
    """The function of a Prefect task, retried as the task asks; any other function as it is."""
    if not hasattr(task, "fn"):
        return task
    delays = task.retry_delay_seconds or 0.0
    waits = [*delays] if isinstance(delays, list) else [delays]

    def run(*args: Any, **kwargs: Any) -> Any:
        for attempt in range(task.retries):
            try:
                return task.fn(*args, **kwargs)
            except Exception as error:
                again = task.retry_condition_fn
                # the condition reads the error only; there is no Prefect run
                if again is not None and not again(task, None, SimpleNamespace(data=error)):
                    raise
            time.sleep(waits[min(attempt, len(waits) - 1)])
        return task.fn(*args, **kwargs)

    return run
