"""CPU and wall seconds of whole commands, with imports, servers and workers, in an empty folder.

python -m tests.benchmarks.bench_commands [name ...]
"""

import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

COMMANDS = {
    "compare quick": ("compare", "quick"),
    "compare quick, again": ("compare", "quick"),
    "explain": ("explain",),
    "list": ("list",),
    "open": ("open",),
    "retrain nightly": ("retrain", "nightly"),
    "retrain nightly, again": ("retrain", "nightly"),
    "score nightly": ("score", "nightly"),
    "monitor nightly": ("monitor", "nightly"),
    "--help": ("--help",),
}
"""In this order: later ones use the results of earlier ones."""
IMPORT = "from foldproof.tasks.diagnose import audit_features"
ALERT = 1
"""Exit status of a monitor that raises an alert."""


def spent(command: list[str], folder: Path) -> tuple[float, float]:
    """CPU and wall seconds of a command with all processes that it waits for."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode not in (0, ALERT):
        raise RuntimeError(f"{' '.join(command)} failed: {done.stdout}{done.stderr}")
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall


def main(names: list[str]) -> None:
    """Print a row per command."""
    print("| command | CPU seconds | seconds |\n|---|---|---|")
    with TemporaryDirectory() as folder:
        for name, arguments in COMMANDS.items():
            if names and name not in names:
                continue
            cpu, wall = spent([sys.executable, "-m", "foldproof.flows", *arguments], Path(folder))
            print(f"| `foldproof {name}` | {cpu:.1f} | {wall:.0f} |", flush=True)
        cpu, wall = spent([sys.executable, "-c", IMPORT], Path(folder))
        print(f"| `{IMPORT}` | {cpu:.1f} | {wall:.0f} |")


if __name__ == "__main__":
    main(sys.argv[1:])
