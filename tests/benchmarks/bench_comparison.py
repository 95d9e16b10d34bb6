"""The whole default comparison from scratch: seconds per step, time to first result, memory."""

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


def main(preset: str = "sp500") -> None:
    """Run the preset in an empty folder and print its cost."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "-m",
            "foldproof.flows",
            "compare",
            str(ROOT / "conf" / f"{preset}.yaml"),
        ]
        environment = os.environ | {"PYTHONUNBUFFERED": "1"}
        start, peak = time.perf_counter(), 0.0
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
        total = time.perf_counter() - start
        first = next((at for at, line in lines if "leak audit" in line), float("nan"))
        print(
            f"comparison {preset}: {total:.0f} s wall, first variant after {first:.0f} s,", end=" "
        )
        print(f"peak memory of all processes {peak:.0f} MiB, exit status {process.returncode}")
        for _, line in lines:
            if "seconds" in line:
                print("  " + line.rstrip())


if __name__ == "__main__":
    main(*sys.argv[1:])
