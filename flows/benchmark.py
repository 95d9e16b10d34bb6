"""The audit measured: planted leaks and clean controls, side by side in processes."""

import json
import multiprocessing
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.table import Table

from flows.workers import start_pool_worker
from tasks.diagnose.lab.bench import Outcome, by_case, by_test, outcome, summary
from tasks.diagnose.lab.cases import CASES

OUT = Path(".foldproof/benchmark")


def measured(key: str, seed: int) -> Outcome:
    """One case on one market, in a worker."""
    return outcome(CASES[key], seed)


def run_benchmark(seeds: int, keys: Sequence[str] = (), first: str = "") -> int:
    """Audit every case, or those named, on ``seeds`` markets; print and keep the tables.

    Returns:
        0 where every leak is caught at its stage and no control is flagged, else 1.
    """
    wanted = [key for key in (first, *keys) if key] or [*CASES]
    unknown = [key for key in wanted if key not in CASES]
    console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 150)
    if unknown:
        console.print(f"error: no case {unknown[0]!r}; there are {', '.join(CASES)}")
        return 2
    found: list[Outcome] = []
    context = multiprocessing.get_context("spawn")
    workers = os.cpu_count() or 1
    with ProcessPoolExecutor(workers, context, start_pool_worker) as pool:
        futures = [pool.submit(measured, key, seed) for seed in range(seeds) for key in wanted]
        for future in as_completed(futures):
            one = future.result()
            found.append(one)
            mark = "" if one.right else "   <- wrong"
            tests = ", ".join(dict.fromkeys(test for test, _ in one.caught))
            console.print(f"{one.case} seed {one.seed}: {one.verdict} {tests}{mark}", markup=False)
    for title, table in (("Cases", by_case(found)), ("Each test alone, informing ones too", by_test(found))):
        console.print(shown(title, table))
    console.print(summary(found), markup=False)
    OUT.mkdir(parents=True, exist_ok=True)
    by_case(found).to_csv(OUT / "cases.csv", index=False)
    by_test(found).to_csv(OUT / "tests.csv", index=False)
    (OUT / "outcomes.json").write_text(
        json.dumps([vars(one) for one in found], default=str, indent=1), encoding="utf-8"
    )
    return 0 if all(one.right for one in found) else 1


def shown(title: str, table: pd.DataFrame) -> Table:
    """A table for the screen."""
    out = Table(title=title)
    for name in table:
        out.add_column(str(name), no_wrap=name != "title")
    for row in table.astype(str).itertuples(index=False):
        out.add_row(*row)
    return out
