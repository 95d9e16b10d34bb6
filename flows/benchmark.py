"""The audit measured: leaks, controls and the power of each test, side by side in processes."""

import json
import multiprocessing
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager

import pandas as pd
from rich.console import Console
from rich.table import Table

from foldproof.flows.paths import BENCHMARK
from foldproof.flows.processes.workers import start_pool_worker
from foldproof.tasks.benchmark.cases import CASES, CONTROLS, LEAKS
from foldproof.tasks.benchmark.power.run import DIALS, Turn, rates, smallest, turn
from foldproof.tasks.benchmark.run import Outcome, by_case, by_test, outcome, summary

DRAWS = 20
"""Draws a dial of the power table."""


def measured(key: str, seed: int) -> Outcome:
    """One case on one market, in a worker."""
    return outcome(CASES[key], seed)


def run_benchmark(seeds: int, keys: Sequence[str] = (), first: str = "") -> int:
    """Audit every case, or those named, on ``seeds`` markets; print and keep the tables.

    ``catalogue`` names the 28 leaks and 14 controls that the audit was built against.

    Returns:
        0 where every leak is caught at its stage and no control is flagged, else 1.
    """
    named = [key for key in (first, *keys) if key] or [*CASES]
    groups = {"catalogue": (*LEAKS, *CONTROLS)}
    wanted = [one for key in named for one in groups.get(key, (key,))]
    unknown = [key for key in wanted if key not in CASES]
    console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 150)
    if unknown:
        console.print(f"error: no case {unknown[0]!r}; there are catalogue, {', '.join(CASES)}")
        return 2
    found: list[Outcome] = []
    with workers() as pool:
        futures = [pool.submit(measured, key, seed) for seed in range(seeds) for key in wanted]
        for future in as_completed(futures):
            one = future.result()
            found.append(one)
            mark = "" if one.right else "   <- wrong"
            tests = ", ".join(dict.fromkeys(test for test, _ in one.caught))
            console.print(f"{one.case} seed {one.seed}: {one.verdict} {tests}{mark}", markup=False)
    alone = "Each test alone, informing ones too"
    for title, table in (("Cases", by_case(found)), (alone, by_test(found))):
        console.print(shown(title, table))
    console.print(summary(found), markup=False)
    BENCHMARK.mkdir(parents=True, exist_ok=True)
    by_case(found).to_csv(BENCHMARK / "cases.csv", index=False)
    by_test(found).to_csv(BENCHMARK / "tests.csv", index=False)
    (BENCHMARK / "outcomes.json").write_text(
        json.dumps([vars(one) for one in found], default=str, indent=1), encoding="utf-8"
    )
    return 0 if all(one.right for one in found) else 1


@contextmanager
def workers() -> Iterator[ProcessPoolExecutor]:
    """A process a core; an interruption ends them at once, whatever is still to be done."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(os.cpu_count() or 1, context, start_pool_worker) as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in multiprocessing.active_children():
                process.terminate()
            raise


def turned(key: str, seed: int) -> Turn:
    """One dial on one draw, in a worker."""
    return turn(DIALS[key], seed)


def run_power(draws: int, keys: Sequence[str] = (), first: str = "") -> int:
    """Turn down every dial, or those of the tests named (T1), on ``draws`` draws; print, keep.

    Returns:
        0, or 2 where no dial has such a name.
    """
    wanted = [key for key in (first, *keys) if key]
    chosen = [k for k, d in DIALS.items() if not wanted or d.number in wanted or k in wanted]
    console = Console(highlight=False, soft_wrap=True)
    if not chosen:
        tests = ", ".join(dict.fromkeys(dial.number for dial in DIALS.values()))
        console.print(f"error: no dial of {', '.join(wanted)}; there are {tests}")
        return 2
    found: list[Turn] = []
    with workers() as pool:
        futures = [pool.submit(turned, key, seed) for key in chosen for seed in range(draws)]
        for future in as_completed(futures):
            found.append(future.result())
            if console.is_terminal:
                console.print(f"{len(found)} of {len(futures)} turns", end="\r")
    wide = console if console.is_terminal else Console(highlight=False, width=160)
    wide.print(shown(f"Power: the smallest leak caught, {draws} draws", smallest(found)))
    console.print(f"{sum(one.seconds for one in found):.0f} CPU seconds", markup=False)
    BENCHMARK.mkdir(parents=True, exist_ok=True)
    rates(found).to_csv(BENCHMARK / "power.csv", index=False)
    return 0


def shown(title: str, table: pd.DataFrame) -> Table:
    """A table for the screen."""
    out = Table(title=title)
    for name in table:
        out.add_column(str(name), no_wrap=name not in ("title", "leak", "at"))
    for row in table.astype(str).itertuples(index=False):
        out.add_row(*row)
    return out
