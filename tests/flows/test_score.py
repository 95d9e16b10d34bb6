"""``foldproof score`` and ``monitor`` as a user calls them."""

import re
import sqlite3
import subprocess
import sys
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
import yaml
from mlflow.entities import Run

from foldproof.flows.processes.server import NO_HISTORY
from foldproof.tasks.data.spec import DataSpec
from foldproof.tasks.track.spec import TrackingSpec
from foldproof.tasks.track.store import open_store
from foldproof.tasks.train import TrainedUnit
from tests.champion import DATA, SPLIT, nights, register, trained
from tests.flows.conftest import Place
from tests.tasks.track.conftest import OTHERS_WARNINGS

pytestmark = [pytest.mark.filterwarnings(text) for text in OTHERS_WARNINGS]


def settings(data: DataSpec) -> dict[str, object]:
    size = data.synthetic
    synthetic = {"days": size.days, "symbols": size.symbols, "n_features": size.n_features,
                 "signal": size.signal, "seed": size.seed}  # fmt: skip
    return {
        "name": "Small nights",
        "data": {
            "source": data.source, "features": data.features, "min_history": data.min_history,
            "synthetic": synthetic,
        },
        "target": {"horizon": 1, "kind": "return"},
        "split": {"train": SPLIT.train, "validation": SPLIT.validation, "test": SPLIT.test},
        "variants": ["none"],
        "operation": {"model": "stocks", "monitor": {"dates": 20, "samples": 40}},
        "compute": {"workers": 1},
    }  # fmt: skip


(KEEP_EVENTS,) = NO_HISTORY
"""Setting of the Prefect server: whether its database keeps events."""


class Nights(Place):
    """A folder in which nights pass."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.config.write_text(yaml.safe_dump(settings(DATA)))
        self.scores = folder / ".foldproof" / "scores" / "stocks"
        self.more: dict[str, str] = {}

    @property
    def store(self):
        return open_store(TrackingSpec(uri=f"sqlite:///{self.folder}/.foldproof/mlflow.db"))

    def foldproof(self, command: str, when: date, *more: str) -> subprocess.CompletedProcess[str]:
        """Run a command on a night; what goes wrong inside must not show as a traceback."""
        overrides = [str(self.config), f"operation.as_of={when}", *more]
        done = subprocess.run(
            [sys.executable, "-m", "foldproof.flows", command, *overrides],
            cwd=self.folder, env=self.environment | self.more, capture_output=True, text=True,
            timeout=300,
        )  # fmt: skip
        assert "Traceback" not in done.stdout + done.stderr, done.stderr
        return done

    def runs(self) -> list[Run]:
        store = self.store
        return store.client.search_runs([store.experiment_id], "tags.kind = 'scoring'")


@pytest.fixture(scope="module")
def one() -> TrainedUnit:
    return trained()


@pytest.fixture(scope="module")
def place(one: TrainedUnit, tmp_path_factory: pytest.TempPathFactory) -> Nights:
    """With a champion."""
    here = Nights(tmp_path_factory.mktemp("nights"))
    register(here.store, one, tmp_path_factory.mktemp("files"), "stocks")
    return here


@pytest.mark.slow
def test_a_night_is_scored_and_the_next_is_refused(place: Nights, one: TrainedUnit) -> None:
    """By a bound on age, so that nothing but the configuration differs."""
    first, second = nights(one, 30, 31)
    done = place.foldproof("score", first)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"version 1 (zscore) of stocks scores 16 of 16 symbols on {first}" in done.stdout
    table = pd.read_parquet(place.scores / f"{first}.parquet")
    known = one.forecasts[one.forecasts["date"] == pd.Timestamp(first)]
    both = table.merge(known, on="symbol", validate="one_to_one")
    assert (both["score"] - both["forecast"]).abs().max() < 1e-6
    bound = ("operation.score.age.refuse=9", "operation.score.age.warn=9")
    done = place.foldproof("score", second, *bound)
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stdout.startswith(f"refused: the night of {second} failed its checks")
    assert "beyond operation.score.age.refuse = 9" in done.stdout
    assert not (place.scores / f"{second}.parquet").exists()
    (run,) = place.runs()
    assert run.info.status == "FINISHED"
    assert "beyond operation.score.age.refuse = 9" in run.data.tags["refused"]


@pytest.mark.slow
def test_the_same_night_again_is_the_same_file_and_the_same_run(
    place: Nights, one: TrainedUnit
) -> None:
    (when,) = nights(one, 40)
    assert place.foldproof("score", when).returncode == 0
    file = place.scores / f"{when}.parquet"
    content, files = file.read_bytes(), sorted(place.scores.iterdir())
    runs = [run.info.run_id for run in place.runs()]
    assert place.foldproof("score", when).returncode == 0
    assert file.read_bytes() == content
    assert sorted(place.scores.iterdir()) == files
    assert [run.info.run_id for run in place.runs()] == runs


@pytest.mark.slow
def test_an_alert_is_exit_status_1_and_a_prefect_event(place: Nights, one: TrainedUnit) -> None:
    for when in nights(one, 50, 51):
        assert place.foldproof("score", when).returncode == 0
    (when,) = nights(one, 52)
    place.scores.rename(place.folder / "away")  # as on another machine: the scores are in MLflow
    done = place.foldproof("monitor", when)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"realised rank IC: [+-]0\.\d+ over its newest [1-9]", done.stdout)
    (place.folder / "away").rename(place.scores)
    assert "ALERT" not in done.stdout
    folder = place.folder / ".foldproof" / "monitoring" / "stocks"
    assert (folder / "realised.png").read_bytes().startswith(b"\x89PNG")
    place.more = {KEEP_EVENTS: "true"}  # as a serving one does
    done = place.foldproof("monitor", when, "operation.monitor.most_shift=0.0001")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "ALERT drift of features: " in done.stdout
    assert "ALERT drift of features: " in (folder / "monitoring.md").read_text()
    assert events(place.folder / ".foldproof" / "prefect" / "prefect.db") == [
        ("foldproof.alert.shift", "foldproof.model.stocks")
    ]


def events(database: Path) -> list[tuple[str, str]]:
    """Our events in the database of the embedded Prefect server."""
    with sqlite3.connect(database) as connection:
        query = "select event, resource_id from events where event like 'foldproof%'"
        return connection.execute(query).fetchall()


@pytest.mark.slow
@pytest.mark.parametrize("command", ["score", "monitor"])
def test_no_champion_and_no_server_are_two_errors(
    command: str, one: TrainedUnit, tmp_path: Path
) -> None:
    place, (when,) = Nights(tmp_path), nights(one, 30)
    done = place.foldproof(command, when)
    assert done.returncode == 2
    assert done.stderr.startswith("error: no version of model 'stocks' has the alias champion")
    assert "foldproof retrain" in done.stderr
    done = place.foldproof(command, when, "tracking.uri=http://127.0.0.1:9")
    assert done.returncode == 2
    assert "no tracking server answers" in done.stderr
