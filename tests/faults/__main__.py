"""Inject faults and print what came of them.

``python -m tests.faults --kills 20 --outages 20 --disks 20 --pairs 20 --seed 0``

Each fault hits a tiny experiment at a random moment; then the command runs again until it ends
well, and its MLflow runs are compared with those of an uninterrupted run: lost, doubled, wrong (any
tag, metric, parameter or table that differs in a bit). The outcomes go to ``outcomes.jsonl`` in
``--folder``; the same command goes on where it stopped. The table goes to ``table.md`` beside it.
``--grounds 2`` injects two at a time, each in a folder of its own: as many as there are cores.
"""

import argparse
import json
import os
from collections.abc import Sequence
from multiprocessing import get_context
from pathlib import Path
from queue import Queue
from typing import Any

from tests.faults.injections import FAULTS, inject

COUNTS = ("lost", "doubled", "wrong", "traces", "left", "hung")


def main(arguments: Sequence[str] | None = None) -> None:
    """Inject what is asked for, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    for fault in FAULTS:
        parser.add_argument(f"--{fault}", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--grounds", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path(".faults"))
    options = parser.parse_args(arguments)
    os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
    options.folder.mkdir(parents=True, exist_ok=True)
    file = options.folder / "outcomes.jsonl"
    done = {(row["set"], row["number"], row["seed"]) for row in rows(file)}
    processes = get_context("spawn")
    jobs: Queue[tuple[str, int] | None] = processes.Queue()  # type: ignore[assignment]
    for fault in FAULTS:
        for number in range(getattr(options, fault)):
            if (fault, number, options.seed) not in done:
                jobs.put((fault, number))
    at_work = []
    for number in range(options.grounds):
        jobs.put(None)
        given = options.folder / f"ground{number}", options.seed, jobs, file
        at_work.append(processes.Process(target=inject, args=given))
        at_work[-1].start()
    for process in at_work:
        process.join()
    text = table(rows(file))
    (options.folder / "table.md").write_text(text, encoding="utf-8")
    print(text)
    if any(process.exitcode for process in at_work):
        raise SystemExit("a ground has failed: see above; the same command goes on")


def rows(file: Path) -> list[dict[str, Any]]:
    """The outcomes in a file."""
    if not file.exists():
        return []
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def table(outcomes: list[dict[str, Any]]) -> str:
    """One row per fault: how often it was injected, and the sums of what came of it."""
    lines = [
        "| fault | injected | lost | doubled | wrong | tracebacks | processes left | "
        "hung | seconds to recover (median, most) |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for fault in sorted({row["fault"] for row in outcomes}):
        own = [row for row in outcomes if row["fault"] == fault and row["injected"]]
        if own:
            sums = [sum(row.get(k, 0) for row in own) for k in COUNTS]
            seconds = sorted(row["seconds"] for row in own)
            cells = [fault, len(own), *sums]
            cells.append(f"{seconds[len(seconds) // 2]:.0f}, {seconds[-1]:.0f}")
            lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
