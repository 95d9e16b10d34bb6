"""Run one function on many arguments, one process per core."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import TypeVar

from foldproof.flows.commands.shell import fail
from foldproof.flows.processes.workers import killed_children, start_pool_worker

Result = TypeVar("Result")
Call = tuple[str, int]


def side_by_side(run: Callable[[str, int], Result], arguments: Iterable[Call]) -> Iterator[Result]:
    """Results of ``run`` as they finish, one process per core; an interrupt ends all of them.

    If a process dies (killed, or out of memory), what has no result yet runs again in new ones. The
    command ends with exit status 2 if they die before there is a further result.
    """
    left = dict(enumerate(arguments))
    while left:
        before = len(left)
        with ProcessPoolExecutor(
            os.cpu_count() or 1, get_context("spawn"), start_pool_worker
        ) as pool:
            try:
                started = submitted(pool, run, left)
                for future in as_completed(started):
                    result = future.result()
                    del left[started[future]]
                    yield result
            except BaseException as error:
                with killed_children():
                    pool.shutdown(cancel_futures=True)
                if not isinstance(error, BrokenProcessPool):
                    raise
        if len(left) == before:
            fail(
                f"worker processes died (killed, or out of memory) with {len(left)} of the tasks "
                "left: make room in memory, or end what else runs"
            )


def submitted(
    pool: ProcessPoolExecutor, run: Callable[[str, int], Result], calls: Mapping[int, Call]
) -> dict[Future[Result], int]:
    """The numbers of the calls, by their futures."""
    try:
        return {pool.submit(run, *call): number for number, call in calls.items()}
    except OSError as error:  # a process could not start because another one died meanwhile
        raise BrokenProcessPool(str(error)) from error
