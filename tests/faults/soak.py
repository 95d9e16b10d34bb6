"""Make many comparisons on one store, and fit what they cost against their number.

``python -m tests.faults.soak --commands 200 --served 200``

Every comparison has a seed of its own, so that each trains. Half are commands, the others are runs
of one ``foldproof serve``, whose servers must not keep memory or files from one run to the next.
Each tenth comparison is followed by ``foldproof clean``. What was measured goes to ``soak.jsonl``
in ``--folder``; the same command goes on where it stopped. The table goes to ``soak.md`` beside it.
``--preset quick`` compares that preset instead of the tiny experiment of the other faults.
"""

import argparse
import json
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import yaml

from foldproof.conf.load import PRESETS
from tests.faults.ground import ALWAYS, TINY
from tests.flows.served import Api, environment, foldproof, free_port, running, until

CLEAN_EVERY = 10
"""Comparisons between two of ``foldproof clean``."""
LIMIT = 1800.0
"""Seconds in which a comparison must have ended."""
PER_RUN = ("seconds", "CPU seconds", "memory", "open files")
LASTING = ("MLflow's database", "Prefect's database", "runs and reports")
"""Bytes in the folder that stay for good: each comparison adds as much as the one before."""
SIZES = (*LASTING, "kept results")
"""Bytes in the folder."""
STEADY = 5.0
"""Per cent in 100 comparisons: a smaller trend is called flat, as is one within two errors."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the comparisons that are missing, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--commands", type=int, default=0)
    parser.add_argument("--served", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=Path(".soak"))
    parser.add_argument("--preset", help="a preset of conf/, such as quick")
    options = parser.parse_args(arguments)
    soak = Soak(options.folder.resolve(), experiment_of(options.preset))
    soak.commands(options.commands)
    soak.served(options.served)
    text = table(soak.rows())
    (options.folder / "soak.md").write_text(text, encoding="utf-8")
    print(text)


def experiment_of(preset: str | None) -> dict[str, Any]:
    """The settings of a preset, by default the tiny experiment of the other faults."""
    if preset is None:
        return TINY
    settings: dict[str, Any] = yaml.safe_load((PRESETS / f"{preset}.yaml").read_text())
    return settings


class Soak:
    """A folder in which comparisons are made one after the other."""

    def __init__(self, folder: Path, experiment: dict[str, Any]) -> None:
        self.work, self.file = folder / "work", folder / "soak.jsonl"
        self.work.mkdir(parents=True, exist_ok=True)
        (self.work / "soak.yaml").write_text(yaml.safe_dump(experiment))
        self.session = time.time()

    def rows(self) -> list[dict[str, Any]]:
        """What was measured so far."""
        if not self.file.exists():
            return []
        return [json.loads(line) for line in self.file.read_text(encoding="utf-8").splitlines()]

    def missing(self, kind: str, count: int) -> Iterator[int]:
        """The numbers of the comparisons of a kind that are to be made."""
        done = {row["number"] for row in self.rows() if row["kind"] == kind}
        yield from (number for number in range(count) if number not in done)

    def keep(self, kind: str, number: int, **measured: float) -> None:
        """Append a row."""
        row = {"kind": kind, "number": number, "session": self.session, **measured}
        row |= sizes(self.work / ".foldproof")
        with self.file.open("a", encoding="utf-8") as out:
            out.write(json.dumps(row) + "\n")
        print(json.dumps(row), flush=True)

    def commands(self, count: int) -> None:
        """Make comparisons by ``count`` commands."""
        for number in self.missing("command", count):
            start = time.monotonic()
            with self.started("compare", "soak.yaml", f"seeds=[{number}]") as command:
                peak = followed(command)
            seconds = time.monotonic() - start
            self.keep("command", number, seconds=seconds, **peak)
            if number % CLEAN_EVERY == CLEAN_EVERY - 1:
                self.clean()

    def served(self, count: int) -> None:
        """Make comparisons by ``count`` runs of one process that serves."""
        numbers = [*self.missing("served", count)]
        if not numbers:
            return
        ports, log = (free_port(), free_port()), self.work / "serve.log"
        options = ["--port", str(ports[0]), "--mlflow-port", str(ports[1])]
        serve = foldproof("serve", "soak.yaml", *options)
        with running(serve, self.work, log, **ALWAYS) as process:
            until(lambda: "Ctrl-C ends" in log.read_text(), LIMIT, log)
            api, servers = Api(ports[0]), psutil.Process(process.pid)
            lasting = [servers, *servers.children(recursive=True)]
            for number in numbers:
                start, before = time.monotonic(), cpu(lasting)
                run = api.run("compare/compare-soak", {"experiment": {"seeds": [10_000 + number]}})
                ended = until(lambda run=run: api.ended(run), LIMIT, log)
                assert ended["state_type"] == "COMPLETED", ended["state"]
                measured = {
                    "seconds": time.monotonic() - start,
                    "CPU seconds": cpu(lasting) - before,
                }
                self.keep("served", number, **measured, **held(lasting))
                if number % CLEAN_EVERY == CLEAN_EVERY - 1:
                    self.clean()

    def clean(self) -> None:
        """Remove what no later run needs, once the process of the last run has ended."""
        until(self.cleaned, LIMIT, self.work / "clean.log")

    def cleaned(self) -> bool:
        """Whether nothing was running, and so all was removed."""
        with (self.work / "clean.log").open("w") as out:
            command = foldproof("clean", "--older", "0h")
            done = subprocess.run(
                command, cwd=self.work, env=environment(**ALWAYS), stdout=out, stderr=out
            )
        return done.returncode == 0

    @contextmanager
    def started(self, *arguments: str) -> Iterator[psutil.Popen]:
        """A command, which must end well."""
        log = self.work / "command.log"
        with log.open("w") as out:
            process = psutil.Popen(
                foldproof(*arguments), cwd=self.work, env=environment(**ALWAYS), stdout=out,
                stderr=out, start_new_session=True,
            )  # fmt: skip
        yield process
        assert process.wait(LIMIT) == 0, log.read_text()[-3000:]


def followed(command: psutil.Popen) -> dict[str, float]:
    """Most memory and open files of a command with all its processes, and its CPU seconds."""
    most = {"memory": 0.0, "open files": 0.0, "CPU seconds": 0.0}
    while command.poll() is None:
        with suppress(psutil.Error):
            own = [command, *command.children(recursive=True)]
            found = held(own) | {"CPU seconds": cpu(own)}
            most = {name: max(value, found[name]) for name, value in most.items()}
        time.sleep(0.5)
    return most


def held(processes: Sequence[psutil.Process]) -> dict[str, float]:
    """Bytes of memory, less what they share, and open files of processes that run."""
    memory = files = 0
    for process in processes:
        with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            memory += process.memory_full_info().uss
            files += process.num_fds()
    return {"memory": float(memory), "open files": float(files)}


def cpu(processes: Sequence[psutil.Process]) -> float:
    """CPU seconds of processes and of the children that they waited for."""
    seconds = 0.0
    for process in processes:
        with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            seconds += sum(process.cpu_times()[:4])
    return seconds


def sizes(home: Path) -> dict[str, float]:
    """Bytes in the folder of all commands."""
    counted: dict[str, Callable[[], int]] = {
        "MLflow's database": lambda: used(home / "mlflow.db"),
        "Prefect's database": lambda: used(home / "prefect" / "prefect.db"),
        "runs and reports": lambda: below(home / "artifacts"),
        "kept results": lambda: below(home / "panels") + below(home / "results"),
    }
    return {name: float(count()) for name, count in counted.items()}


def used(file: Path) -> int:
    """Bytes of a SQLite database that are in use."""
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
        pages, free, size = (
            database.execute(f"pragma {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
    return int((pages - free) * size)


def below(folder: Path) -> int:
    """Bytes of the files in a folder."""
    return sum(one.stat().st_size for one in folder.rglob("*") if one.is_file())


def table(rows: Sequence[dict[str, Any]]) -> str:
    """A row per quantity: its mean, and its trend with the standard error.

    Of what stays for good the rows show what one comparison adds.
    """
    lines = [
        "| | quantity | comparisons | mean | change over 100 comparisons, % of the mean | flat |",
        "|---|---|---|---|---|---|",
    ]
    for kind in ("command", "served"):
        own = sorted((row for row in rows if row["kind"] == kind), key=lambda row: row["number"])
        for name in (*PER_RUN, *SIZES):
            x, y = series(own, name)
            if len(y) < 5:
                continue
            slope, error = (1e4 * one / max(abs(y.mean()), 1e-9) for one in trend(x, y))
            flat = "yes" if abs(slope) <= max(2 * error, STEADY) else "NO"
            added = " added by one" if name in LASTING else ""
            cells = [kind, name + added, str(len(y)), shown(name, y.mean())]
            cells += [f"{slope:+.1f} ± {error:.1f}", flat]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])


def series(rows: Sequence[dict[str, Any]], name: str) -> tuple[np.ndarray, np.ndarray]:
    """Numbers and values, less the mean of their session; of what stays, the differences.

    The first comparison of a session makes databases or imports for the first time, and is left
    out. A process that serves begins anew with each session.
    """
    numbers, values, means = [np.empty(0)], [np.empty(0)], [np.empty(0)]
    for session in sorted({row["session"] for row in rows}):
        own = [row for row in rows if row["session"] == session]
        if len(own) > 2:
            x, y = (np.array([float(row[key]) for row in own]) for key in ("number", name))
            y = np.diff(y) if name in LASTING else y[1:]
            numbers.append(x[1:] - x[1:].mean())
            values.append(y - y.mean())
            means.append(y)
    y = np.concatenate(means)
    return np.concatenate(numbers), np.concatenate(values) + (y.mean() if len(y) else 0.0)


def trend(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Slope of least squares and its standard error."""
    centred = x - x.mean()
    slope = float(centred @ y / (centred @ centred))
    rest = y - y.mean() - slope * centred
    return slope, float(np.sqrt(rest @ rest / (len(y) - 2) / (centred @ centred)))


def shown(name: str, value: float) -> str:
    """A mean with its unit."""
    if name == "open files" or "seconds" in name:
        return f"{value:.1f}"
    return f"{value / 1e6:.2f} MB"


if __name__ == "__main__":
    main()
