"""Run one arm of a benchmark in a process of its own, with one thread."""

import os
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def last_line_of(module: str, *arguments: str) -> str:
    """The last line printed by ``python -m tests.benchmarks.<module> <arguments>``.

    The calling process must stay small: a child inherits the peak memory of its parent.
    """
    done = subprocess.run(
        [sys.executable, "-m", f"tests.benchmarks.{module}", *arguments],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return done.stdout.splitlines()[-1]


def medians(runs: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> dict[str, float]:
    """Median over ``runs`` of each figure."""
    return {key: statistics.median(run[key] for run in runs) for key in keys}
