"""Run one function on many arguments, one process per core."""

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import TypeVar

from foldproof.flows.processes.workers import start_pool_worker

Result = TypeVar("Result")


def side_by_side(
    run: Callable[[str, int], Result], arguments: Iterable[tuple[str, int]]
) -> Iterator[Result]:
    """Results of ``run`` as they finish, one process per core; an interrupt ends all of them."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count() or 1, context, start_pool_worker) as pool:
        try:
            for future in as_completed([pool.submit(run, *one) for one in arguments]):
                yield future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in multiprocessing.active_children():
                process.terminate()
            raise
