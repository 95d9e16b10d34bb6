"""A whole comparison from scratch: seconds per step, time to first result, memory.

``python -m tests.benchmarks.bench_comparison [preset] [key=value ...]``, by default that of sp500.
"""

import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from tests.benchmarks.process import ROOT


def tree(pid: int) -> list[int]:
    """A process and its descendants (Linux)."""
    found = [pid]
    for one in found:
        for task in Path(f"/proc/{one}/task").glob("*/children"):
            found += [int(child) for child in task.read_text().split()]
    return found


def proportional_memory(pid: int) -> float:
    """Memory of a process tree in MiB, with shared pages counted once (PSS)."""
    total = 0
    for one in tree(pid):
        try:
            lines = Path(f"/proc/{one}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue  # the process has ended
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024


def main(preset: str = "sp500", *overrides: str) -> None:
    """Run the preset, with other settings if given, in an empty folder and print its cost."""
    with tempfile.TemporaryDirectory() as folder:
        file = str(ROOT / "conf" / f"{preset}.yaml")
        command = [sys.executable, "-m", "foldproof.flows", "compare", file, *overrides]
        environment = os.environ | {"PYTHONUNBUFFERED": "1"}
        start, before, peak = time.perf_counter(), os.times(), 0.0
        process = subprocess.Popen(
            command, cwd=folder, stdout=subprocess.PIPE, text=True, env=environment
        )
        assert process.stdout is not None
        lines: list[tuple[float, str]] = []
        reader = threading.Thread(
            target=lambda: lines.extend(
                (time.perf_counter() - start, one) for one in process.stdout
            )
        )
        reader.start()
        while process.poll() is None:
            peak = max(peak, proportional_memory(process.pid))
            time.sleep(1)
        reader.join()
        total, after = time.perf_counter() - start, os.times()
        cpu = after.children_user + after.children_system
        cpu -= before.children_user + before.children_system
        first = next((at for at, line in lines if "leak audit" in line), float("nan"))
        print(
            f"comparison {preset}: {total:.0f} s wall, {cpu:.0f} CPU s, first variant after "
            f"{first:.0f} s, peak memory of all processes {peak:.0f} MiB, exit status "
            f"{process.returncode}"
        )
        for _, line in lines:
            if "seconds" in line:
                print("  " + line.rstrip())


if __name__ == "__main__":
    main(*sys.argv[1:])
