import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]

SMALL: dict[str, Any] = {
    "name": "A small comparison",
    "data": {
        "source": "linear",
        "features": "ready",
        "min_history": 50,
        "synthetic": {"days": 420, "symbols": 16, "n_features": 5, "signal": 0.3, "seed": 3},
    },
    "target": {"horizon": 1, "kind": "return"},
    "split": {"train": 200, "validation": 50, "test": 60, "embargo": 1, "keep": 2},
    "variants": ["none -> cs_rank", "cs_rank", "batch_norm_hidden", "full_sample_zscore"],
    "references": ["zero", "ridge"],
    "network": {"window": 5, "hidden": 8, "dropout": 0.1},
    "training": {"epochs": 4, "batch_size": 256, "learning_rate": 0.01},
    "attribution": {"samples": 40, "nodes": 10},
    "audit": {"cuts": 2, "feature_cuts": 4},
    "statistics": {"draws": 200},
    "compute": {"workers": 1},
}


class Place:
    """A folder in which a test runs the command like a user."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "small.yaml"
        self.config.write_text(yaml.safe_dump(SMALL))

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "foldproof.flows", "compare", str(self.config), *arguments]

    @property
    def environment(self) -> dict[str, str]:
        kept = ("PATH", "HOME", "LANG", "TMPDIR")
        return {name: os.environ[name] for name in kept if name in os.environ}

    def run(self, *arguments: str, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start it in its own session, with SIGINT handled as in a terminal."""
        return subprocess.Popen(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Place, str]:
    """A comparison that ran once in one process, and its output."""
    place = Place(tmp_path_factory.mktemp("finished"))
    done = place.run()
    assert done.returncode == 0, done.stdout + done.stderr
    assert not done.stderr, done.stderr
    return place, done.stdout
