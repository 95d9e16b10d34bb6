"""The ground of the fault injections: a tiny experiment, its folder, its processes, its results."""

import gc
import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pandas as pd
import yaml
from mlflow import MlflowClient
from sqlalchemy import Engine

from foldproof.tasks.version import HOUSE, code_version

TINY: dict[str, Any] = {
    "name": "Tiny",
    "data": {
        "source": "linear", "features": "ready", "min_history": 20,
        "synthetic": {"days": 300, "symbols": 8, "n_features": 4, "signal": 0.3, "seed": 3},
    },
    "target": {"horizon": 1, "kind": "return"},
    "split": {"train": 100, "validation": 30, "test": 45, "embargo": 1, "keep": 2},
    "variants": ["none", "zscore"],
    "references": ["zero"],
    "network": {"window": 4, "hidden": 4},
    "training": {"epochs": 1, "batch_size": 128, "learning_rate": 0.01},
    "attribution": {"samples": 8, "nodes": 4, "origins": 0, "baselines": [], "trust": False},
    "audit": {"cuts": 1, "feature_cuts": 2, "retrain_folds": 0},
    "statistics": {"draws": 100},
    "operation": {"as_of": "2001-02-08", "gate": {"folds": 1, "min_dates": 30}},
    "tracking": {"patience": 20},
    "compute": {"workers": 1},
}  # fmt: skip
"""The smallest experiment that has all parts. A second worker would take longer than all units."""

ALWAYS = {"OMP_NUM_THREADS": "1", "PYTHONFAULTHANDLER": "1"}
"""Environment of the commands."""
KINDS = {
    "compare": ("summary", "variant"), "audit": ("audit",), "retrain": ("retraining",),
    "score": ("scoring",), "sync": ("summary", "variant"),
}  # fmt: skip
"""Kinds of the runs that a command writes."""
TABLES = (".parquet", ".csv", "ranking.json", "decision.md")
"""Artifacts that must repeat to the last bit; pages contain seconds."""
CHANGING = ("mlflow.", "prefect", "version", "decision", "outbox")
"""Beginnings of tags that depend on run ids or on the order of commands."""

ROOT = Path(__file__).resolve().parents[2]
Identity = tuple[str, str, str]
"""Kind, comparison or version, variant."""


@dataclass
class Command:
    """A command that runs, in a session of its own."""

    process: subprocess.Popen[str]
    log: Path
    hung: bool = False

    def wait(self, seconds: float = 600) -> int:
        """Its exit status; killed after ``seconds`` it is -9, and the command has hung."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.hung = True
            self.kill_all()
            return self.process.wait()

    def kill_all(self) -> None:
        """Kill it and everything that it started."""
        for pid in [*descendants(self.process.pid), self.process.pid]:
            kill(pid)

    @property
    def output(self) -> str:
        """What it has printed."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def victims(self, kind: str) -> list[int]:
        """Process ids of the ``parent``, of a ``worker``, or of the Prefect ``server``."""
        if kind == "parent":
            return [self.process.pid] if self.process.poll() is None else []
        text = {"worker": "multiprocessing.spawn", "server": "server.py"}[kind]
        return [pid for pid in descendants(self.process.pid) if text in command_line(pid)]


def descendants(pid: int) -> list[int]:
    """Children of a process, their children, and so on."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            own = [int(child) for child in task.read_text().split()]
        except OSError:
            continue
        for child in own:
            found += [child, *descendants(child)]
    return found


def command_line(pid: int) -> str:
    """The command line of a process; empty if it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def kill(pid: int) -> bool:
    """Kill -9; whether the process was there."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


class Ground:
    """A folder in which commands run and faults happen.

    Its path never changes, because databases hold absolute paths: states are copied away and back.
    """

    def __init__(self, place: Path) -> None:
        self.place = place.resolve()
        self.work = self.place / "work"
        self.states = self.place / f"states-{code_version(HOUSE)}"  # other code, other keys
        self.work.mkdir(parents=True, exist_ok=True)
        self.states.mkdir(exist_ok=True)
        self.count = 0
        (self.work / "tiny.yaml").write_text(yaml.safe_dump(TINY))

    def start(self, name: str, *settings: str, limit: int = 0, **environment: str) -> Command:
        """Start ``foldproof name``; ``limit`` bounds the size of its files in bytes."""
        import resource

        self.count += 1
        subject = [] if name == "sync" else ["tiny.yaml"]
        options = ["--quick"] if name == "audit" else []
        log = self.place / f"{self.count}-{name}.log"
        kept = {k: os.environ[k] for k in ("PATH", "HOME", "LANG", "TMPDIR") if k in os.environ}

        def prepare() -> None:
            if limit:
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        with log.open("w") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "foldproof.flows", name, *subject, *settings, *options],
                cwd=self.work, stdout=out, stderr=subprocess.STDOUT, text=True,
                env=kept | ALWAYS | environment, start_new_session=True,
                preexec_fn=prepare if limit else None,
            )  # fmt: skip
        return Command(process, log)

    def run(self, name: str, *settings: str, **environment: str) -> Command:
        """Run it to its end."""
        command = self.start(name, *settings, **environment)
        command.wait()
        return command

    def save(self, state: str) -> None:
        """Keep what the folder holds under a name."""
        shutil.rmtree(self.states / state, ignore_errors=True)
        shutil.copytree(self.work, self.states / state)

    def restore(self, state: str) -> None:
        """Put the folder back into a kept state; ``new`` is an empty folder."""
        shutil.rmtree(self.work / ".foldproof", ignore_errors=True)
        for engine in [one for one in gc.get_objects() if issubclass(type(one), Engine)]:
            engine.dispose()  # MLflow keeps connections to the files that were just removed
        kept = self.states / state / ".foldproof"
        if kept.exists():
            shutil.copytree(kept, self.work / ".foldproof")

    def has(self, state: str) -> bool:
        """Whether a state was kept."""
        return (self.states / state).exists()

    def results(
        self, kinds: tuple[str, ...], uri: str = "", experiment: str = "foldproof"
    ) -> dict[Identity, list[str]]:
        """Hashes of the content of every run of some kinds, by identity."""
        client = MlflowClient(uri or f"sqlite:///{self.work}/.foldproof/mlflow.db")
        return results(client, kinds, experiment)

    def registry(self) -> dict[str, Any]:
        """Versions and aliases of the registered model."""
        client = MlflowClient(f"sqlite:///{self.work}/.foldproof/mlflow.db")
        found = client.search_registered_models()
        units = Counter(one.tags["unit"] for one in client.search_model_versions())
        return {"units": dict(units), "aliases": [dict(one.aliases) for one in found]}

    def processes(self) -> list[int]:
        """Ids of the processes that work in the folder."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if Path(os.readlink(entry / "cwd")) == self.work:
                    found.append(int(entry.name))
            except OSError:
                continue
        return [pid for pid in found if command_line(pid)]


def results(
    client: MlflowClient, kinds: tuple[str, ...], experiment: str
) -> dict[Identity, list[str]]:
    """Hashes of the content of every active run of some kinds, by identity."""
    found: dict[Identity, list[str]] = {}
    named = client.get_experiment_by_name(experiment)
    runs = client.search_runs([named.experiment_id], max_results=1000) if named else []
    for run in runs:
        tags = run.data.tags
        if tags.get("kind") in kinds:
            key = (
                tags["kind"],
                tags.get("comparison", tags.get("version", "")),
                tags.get("variant", ""),
            )
            found.setdefault(key, []).append(digest(client, run))
    return found


def digest(client: MlflowClient, run: Any) -> str:
    """Hash of the status, tags, metrics with all steps, parameters and tables of a run."""
    metrics = {
        key: [(m.step, m.value) for m in client.get_metric_history(run.info.run_id, key)]
        for key in sorted(run.data.metrics)
        if "second" not in key
    }
    tags = {k: v for k, v in run.data.tags.items() if not k.startswith(CHANGING)}
    params = {k: v for k, v in run.data.params.items() if "patience" not in k}
    text = json.dumps([run.info.status, tags, metrics, params], sort_keys=True)
    hashed = hashlib.sha256(text.encode())
    for name, content in tables(client, run):
        hashed.update(name.encode() + content)
    outputs = run.outputs.model_outputs if run.outputs else []
    states = [str(client.get_logged_model(one.model_id).status) for one in outputs]
    hashed.update(json.dumps(states).encode())
    return hashed.hexdigest()


def tables(client: MlflowClient, run: Any) -> Iterator[tuple[str, bytes]]:
    """Name and content of the run's tables; those of Parquet as CSV."""
    place = urlsplit(run.info.artifact_uri)
    if place.scheme not in ("", "file"):
        folder = Path(client.download_artifacts(run.info.run_id, ""))
    else:
        folder = Path(unquote(place.path))
    for file in sorted(folder.rglob("*")):
        if file.is_file() and file.name.endswith(TABLES):
            content = file.read_bytes()
            if file.suffix == ".parquet":
                content = pd.read_parquet(io.BytesIO(content)).to_csv().encode()
            yield str(file.relative_to(folder)), content


def compared(
    found: Mapping[Identity, list[str]], expected: Mapping[Identity, list[str]]
) -> tuple[int, int, int]:
    """Numbers of runs that are lost, doubled and wrong."""
    lost = sum(key not in found for key in expected)
    doubled = sum(len(hashes) - 1 for hashes in found.values())
    wrong = sum(found[key][0] != hashes[0] for key, hashes in expected.items() if key in found)
    return lost, doubled + sum(key not in expected for key in found), wrong
