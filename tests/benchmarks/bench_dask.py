"""A comparison on a Dask cluster against processes of this machine: CPU and wall seconds.

python -m tests.benchmarks.bench_dask [preset] [key=value ...]
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import psutil

from tests.benchmarks.bench_commands import spent

RUN = str(Path(__file__).resolve().parents[2] / "conf" / "server" / "run")
SETTINGS = [
    "training.epochs=20", "training.patience=20", "attribution.samples=0", "audit.retrain_folds=0",
    "variants=[none, zscore, cs_rank, layer_norm]", "references=[]", "statistics.reference=none",
    "seeds=[0, 1, 2]",
]  # fmt: skip
"""Mostly training: 24 units of the quick preset."""
START = 180.0
"""Seconds in which the workers must have imported everything."""


@contextmanager
def cluster(workers: int, folder: Path) -> Iterator[tuple[str, list[psutil.Process]]]:
    """A scheduler and workers in folders of their own; their address and processes."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    more = os.environ | {"PYTHON": sys.executable, "FOLDPROOF_DASK_PORT": str(port)}
    started = []
    with ExitStack() as stack:
        for name in ("scheduler", *map(str, range(workers))):
            own = folder / name
            own.mkdir()
            what = "dask-scheduler" if name == "scheduler" else "dask-worker"
            log = stack.enter_context((own / "log").open("wb"))
            process = subprocess.Popen([RUN, what], cwd=own, env=more, stdout=log, stderr=log)
            stack.callback(process.wait)
            stack.callback(process.terminate)
            started.append(process.pid)
        end = time.monotonic() + START
        logs = [folder / str(number) / "log" for number in range(workers)]
        while not all("Registered to" in log.read_text(errors="replace") for log in logs):
            if time.monotonic() > end:
                raise RuntimeError(logs[0].read_text(errors="replace"))
            time.sleep(0.5)
        parents = [psutil.Process(pid) for pid in started]
        all_of_them = [one for parent in parents for one in (parent, *parent.children(True))]
        yield f"tcp://127.0.0.1:{port}", all_of_them


def cpu_of(processes: list[psutil.Process]) -> float:
    """CPU seconds that processes have used."""
    return sum(one.cpu_times().user + one.cpu_times().system for one in processes)


def forecasts(folder: Path) -> pd.DataFrame:
    """The forecasts of the comparison in a folder."""
    return pd.read_parquet(next((folder / ".foldproof").rglob("forecasts.parquet")))


def measured(
    engine: str, workers: int, settings: list[str], folder: Path
) -> tuple[float, float, float]:
    """CPU seconds of a comparison from scratch without and with the workers, and wall seconds.

    The processes of this machine are counted with their imports, workers of a cluster are not: they
    start once for many commands.
    """
    folder.mkdir()
    command = [sys.executable, "-m", "foldproof.flows", "compare", *settings]
    if engine == "processes":
        cpu, wall = spent([*command, f"compute.workers={workers}"], folder)
        return cpu, cpu, wall
    with cluster(workers, folder) as (address, processes):
        before = cpu_of(processes)
        where = [f"compute.address={address}", f"compute.workers={workers}"]
        where += ["compute.engine=dask", f"compute.storage={folder / 'shared'}"]
        cpu, wall = spent([*command, *where], folder)
        return cpu, cpu + cpu_of(processes) - before, wall


def main(settings: list[str]) -> None:
    """Print a row per engine and number of workers; fail unless all forecasts are equal."""
    settings = settings if settings and "=" not in settings[0] else ["quick", *SETTINGS, *settings]
    print("| engine | workers | CPU seconds | of these the command's | seconds |")
    print("|---|---|---|---|---|")
    with TemporaryDirectory() as place:
        reference: pd.DataFrame | None = None
        for engine, workers in (("processes", 2), ("dask", 2), ("dask", 1)):
            folder = Path(place, f"{engine} {workers}")
            own, cpu, wall = measured(engine, workers, settings, folder)
            shown = f"{own:.1f}" if engine == "dask" else "all"
            print(f"| {engine} | {workers} | {cpu:.1f} | {shown} | {wall:.0f} |", flush=True)
            found = forecasts(folder)
            if reference is not None:
                pd.testing.assert_frame_equal(found, reference, check_exact=True)
            reference = found


if __name__ == "__main__":
    main(sys.argv[1:])
