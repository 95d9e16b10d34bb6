"""Benchmark of the audit: leaks, honest pipelines, power of each test, in parallel processes."""

import json
import sys
from collections.abc import Sequence

import pandas as pd
from rich.console import Console
from rich.table import Table

from foldproof.flows.commands.shell import fail
from foldproof.flows.paths import BENCHMARK
from foldproof.flows.processes.side_by_side import side_by_side
from foldproof.tasks.benchmark.cases import CASES
from foldproof.tasks.benchmark.power.run import DIALS, Turn, chosen_dials, rates, smallest, turn
from foldproof.tasks.benchmark.run import Outcome, by_case, by_test, chosen_cases, outcome, summary

DRAWS = 20
"""Draws per dial of the power table."""


def run_benchmark(seeds: int, keys: Sequence[str]) -> int:
    """Audit every case, or the named ones, on ``seeds`` markets; print and store the tables.

    ``catalogue`` means its 28 leaks and 14 honest pipelines. Ends with exit status 2
    for an unknown case.

    Returns:
        0 if every leak is caught at its stage and no honest pipeline is flagged, else 1.
    """
    console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 150)
    try:
        cases = chosen_cases(keys)
    except ValueError as error:
        fail(error)
    found = []
    for one in side_by_side(audited, [(key, seed) for seed in range(seeds) for key in cases]):
        found.append(one)
        mark = "" if one.right else "   <- wrong"
        tests = ", ".join(dict.fromkeys(test for test, _ in one.caught))
        console.print(f"{one.case} seed {one.seed}: {one.verdict} {tests}{mark}", markup=False)
    store("cases", cases_table := by_case(found))
    store("tests", tests_table := by_test(found))
    (BENCHMARK / "outcomes.json").write_text(
        json.dumps([vars(one) for one in found], default=str, indent=1), encoding="utf-8"
    )
    console.print(screen_table("Cases", cases_table))
    console.print(screen_table("Each test alone, including those that inform only", tests_table))
    console.print(summary(found), markup=False)
    return 0 if all(one.right for one in found) else 1


def run_power(draws: int, keys: Sequence[str]) -> None:
    """Run all dials, or the dials of the named tests (T1), on ``draws`` draws; store the tables.

    Ends with exit status 2 if no dial has such a name.
    """
    console = Console(highlight=False, soft_wrap=True)
    try:
        dials = chosen_dials(keys)
    except ValueError as error:
        fail(error)
    found = []
    turns = [(key, seed) for key in dials for seed in range(draws)]
    for one in side_by_side(turned, turns):
        found.append(one)
        if console.is_terminal:
            console.print(f"{len(found)} of {len(turns)} turns", end="\r")
    store("power", rates(found))
    wide = console if console.is_terminal else Console(highlight=False, width=160)
    wide.print(screen_table(f"Power: the smallest leak caught, {draws} draws", smallest(found)))
    console.print(f"{sum(one.seconds for one in found):.0f} CPU seconds", markup=False)


def audited(key: str, seed: int) -> Outcome:
    """One case on one market, in a worker."""
    return outcome(CASES[key], seed)


def turned(key: str, seed: int) -> Turn:
    """One dial on one draw, in a worker."""
    return turn(DIALS[key], seed)


def store(name: str, table: pd.DataFrame) -> None:
    """Write a table as CSV."""
    BENCHMARK.mkdir(parents=True, exist_ok=True)
    table.to_csv(BENCHMARK / f"{name}.csv", index=False)


def screen_table(title: str, table: pd.DataFrame) -> Table:
    """A table for the screen."""
    out = Table(title=title)
    for name in table:
        out.add_column(str(name), no_wrap=name not in ("title", "leak", "at"))
    for row in table.astype(str).itertuples(index=False):
        out.add_row(*row)
    return out
