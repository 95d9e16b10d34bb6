"""``foldproof retrain`` and ``rollback`` as a user calls them, night after night."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from mlflow import MlflowClient

from foldproof.conf.load import load
from foldproof.flows.retrain import trial_of
from foldproof.tasks.track.model.registry import find_champion
from foldproof.tasks.track.results.retraining import find_evidence
from foldproof.tasks.track.spec import TrackingSpec
from foldproof.tasks.track.store import Store, open_store
from foldproof.tasks.train.serving.model import read_served
from tests.flows.conftest import Place
from tests.tasks.track.conftest import OTHERS_WARNINGS

pytestmark = [pytest.mark.filterwarnings(text) for text in OTHERS_WARNINGS]

NIGHTLY = {
    "name": "Small nights",
    "data": {
        "source": "linear",
        "features": "ready",
        "min_history": 50,
        "synthetic": {"days": 300, "symbols": 8, "n_features": 4, "signal": 0.3, "seed": 3},
    },
    "target": {"horizon": 1, "kind": "return"},
    "split": {"train": 100, "validation": 30, "test": 45, "embargo": 1},
    "variants": ["cs_rank"],
    "network": {"window": 4, "hidden": 4},
    "training": {"epochs": 1, "batch_size": 128, "learning_rate": 0.01},
    "audit": {"cuts": 1, "feature_cuts": 2, "retrain_folds": 0},
    "statistics": {"reference": "cs_rank"},
    "operation": {"as_of": "2001-02-08", "gate": {"folds": 1, "min_dates": 30}},
    "compute": {"workers": 1},
}


class Nights(Place):
    """A folder in which nights pass."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.config.write_text(yaml.safe_dump(NIGHTLY))

    def foldproof(self, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "foldproof.flows", command, str(self.config), *arguments],
            cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=400,
        )  # fmt: skip

    def night(self, day: str, *arguments: str) -> str:
        """The last line that a retraining prints."""
        done = self.foldproof("retrain", f"operation.as_of={day}", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip().splitlines()[-1]

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(tracking_uri=f"sqlite:///{self.folder}/.foldproof/mlflow.db")

    @property
    def store(self) -> Store:
        return open_store(TrackingSpec(uri=f"sqlite:///{self.folder}/.foldproof/mlflow.db"))

    @property
    def versions(self) -> list[int]:
        return sorted(int(one.version) for one in self.client.search_model_versions())

    @property
    def champion(self) -> str:
        return str(self.client.get_registered_model("foldproof").aliases["champion"])


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> tuple[Nights, str]:
    """A first night, and what it said."""
    place = Nights(tmp_path_factory.mktemp("nights"))
    return place, place.night("2001-02-08")


@pytest.mark.slow
def test_the_first_night_makes_a_champion_and_the_same_again_is_the_same(nights) -> None:
    place, said = nights
    assert said.startswith("first: cs_rank is the first champion, mean rank IC +")
    assert said.endswith(". Version 1 of foldproof is the champion")
    (version,) = place.client.search_model_versions()
    assert version.tags["tested_from"] < "2001-02-08"
    assert version.tags["verdict"] == "CLEAN"
    units = list((place.folder / ".foldproof/results").glob("train-*"))
    assert place.night("2001-02-08") == said
    assert place.versions == [1]
    assert list((place.folder / ".foldproof/results").glob("train-*")) == units


@pytest.mark.slow
def test_the_registered_model_holds_its_feature_importance(nights, tmp_path: Path) -> None:
    place, _ = nights
    champion = find_champion(place.store, "foldproof", tmp_path)
    assert champion is not None
    background = read_served(champion.weights, champion.notes).background
    assert background is not None
    known = background.importance
    assert sum(known.values()) == pytest.approx(1)
    assert sorted(known) == ["f0", "f1", "f2", "f3"]


@pytest.mark.slow
def test_no_previous_champion_and_no_server_are_two_errors(nights) -> None:
    place, _ = nights
    first = place.foldproof("rollback")
    assert first.returncode == 2
    assert first.stderr.startswith("error: version 1 of foldproof replaced no other version;")
    away = place.foldproof("retrain", "tracking.uri=http://127.0.0.1:9")
    assert away.returncode == 2
    assert away.stderr.startswith("error: no tracking server answers at http://127.0.0.1:9")


@pytest.mark.slow
def test_later_nights_keep_promote_refuse_and_roll_back(tmp_path: Path) -> None:
    place = Nights(tmp_path)
    weak = "training.learning_rate=0.000001"
    assert place.night("2000-11-20", weak).startswith("first: cs_rank")
    said = place.night("2000-11-28", weak, "variants=[cs_rank, full_sample_zscore]")
    assert said.startswith(
        "kept (too_few_dates): version 1 (cs_rank) stays; cs_rank was compared on 6 dates since "
    )
    assert said.endswith("Not admitted: full_sample_zscore (leak)")
    assert (place.champion, place.versions) == ("1", [1, 2])
    evidence = find_evidence(place.store, "foldproof")
    assert (evidence.champion, set(evidence.rows["variant"])) == ("1", {"cs_rank"})
    assert str(evidence.rows["date"].min().date()) == "2000-11-20"
    said = place.night("2001-02-20", "training.epochs=15")
    assert said.startswith("promoted: cs_rank replaces version 1 (cs_rank), gain in daily ")
    assert "significant at level 0.05 a year" in said
    assert place.champion == "3"
    stale = place.night("2001-06-01", "training.epochs=15")
    assert stale.startswith("kept (stale_data): version 3 (cs_rank) stays; the newest row is ")
    assert (place.champion, place.versions) == ("3", [1, 2, 3])
    back = place.foldproof("rollback")
    assert back.returncode == 0, back.stderr
    assert back.stdout.strip() == "rolled back foldproof: from version 3 to version 1"
    assert place.champion == "1"


def test_a_retraining_uses_the_newest_folds_and_one_seed() -> None:
    night = load("nightly", ["seeds=[3, 4]", "operation.gate.folds=3"]).tonight()
    trial = trial_of(night, None)
    assert trial.variants == night.variants
    assert (trial.seeds, trial.split.keep, trial.references) == ((3, 4), 3, ())
    single = load("nightly", ["seeds=[3, 4]", "statistics.ensemble=false"]).tonight()
    assert trial_of(single, None).seeds == (3,)
