"""A small study on several panels as a user runs it."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from tests.flows.conftest import Place

LINEAR: dict[str, Any] = {
    "data": {
        "source": "linear", "features": "ready", "min_history": 50,
        "synthetic": {"days": 330, "symbols": 12, "n_features": 4, "signal": 0.3, "seed": 3},
    },
    "target": {"horizon": 1, "kind": "cs_zscore"},
    "split": {"train": 120, "validation": 30, "test": 40, "embargo": 1, "keep": 3},
}  # fmt: skip
STUDY = {
    "study": "normalization",
    "name": "A tiny study",
    "question": "Does it run?",
    "panels": ["one", "two", "lacking"],
    "sources": {
        "one": LINEAR | {"title": "A market"},
        "two": LINEAR | {"title": "Another", "data": LINEAR["data"] | {"min_history": 60}},
        "lacking": LINEAR | {"title": "Absent", "data": {"source": "file", "path": "no.csv"}},
    },
    "variants": ["zscore", "none", "full_sample_zscore"],
    "network": {"window": 4, "hidden": 6},
    "training": {"epochs": 2, "batch_size": 256, "learning_rate": 0.01},
    "tuning": {"folds": 1, "learning_rate": [0.003, 0.01]},
    "seeds": [0, 1, 2],
    "audit": {"cuts": 1, "feature_cuts": 1},
    "statistics": {"reference": "zscore", "ensemble": False, "draws": 100},
    "decomposition": {"horizons": [], "delays": []},
    "compute": {"workers": 1},
}  # fmt: skip


def study(place: Place, *overrides: str, verb: str = "compare") -> subprocess.CompletedProcess[str]:
    (place.folder / "study.yaml").write_text(yaml.safe_dump(STUDY))
    command = [sys.executable, "-m", "foldproof.flows", verb, "study.yaml", *overrides]
    return subprocess.run(
        command, cwd=place.folder, env=place.environment, capture_output=True, text=True,
        timeout=600,
    )  # fmt: skip


@pytest.mark.slow
def test_a_study_pools_its_panels_and_goes_on_where_a_part_ended(tmp_path: Path) -> None:
    place = Place(tmp_path)
    done = study(place, "seeds=[0, 1]")
    assert done.returncode == 3, done.stdout + done.stderr
    assert "no.csv" in done.stderr
    assert "Run in part: 2 of 3 seeds (0, 1); missing: lacking." in done.stdout
    assert "Over 2 real panels, against zscore: in rank IC" in done.stdout
    assert "Leak audit: leaks in full_sample_zscore" in done.stdout
    table = newest(tmp_path, "panels.parquet")
    assert {*table["panel"]} == {"one", "two"}
    assert table["seeds"].eq(2).all()
    assert table["learning_rate"].isin([0.003, 0.01]).all()
    assert set(table.loc[table["variant"] == "full_sample_zscore", "leak"]) == {"LEAK"}
    pooled = newest(tmp_path, "pooled.parquet")
    assert pooled[["variant", "panels"]].to_numpy().tolist() == [["none", 2]]
    kept = {file: file.stat().st_mtime_ns for file in units(tmp_path)}
    part = study(place, "seeds=[0, 1]", "panels=[one]")
    assert part.returncode == 0, part.stdout + part.stderr
    assert "Run in part: 1 of 3 panels (one); 2 of 3 seeds (0, 1)." in part.stdout
    assert "Nothing is pooled: 1 real panel compared" in part.stdout
    assert {file: file.stat().st_mtime_ns for file in units(tmp_path)} == kept


def test_a_study_of_another_command_is_named(tmp_path: Path) -> None:
    done = study(Place(tmp_path), verb="audit")
    assert done.returncode == 2
    assert "foldproof compare study.yaml" in done.stderr


def units(folder: Path) -> list[Path]:
    return [*(folder / ".foldproof/results").glob("train-*")]


def newest(folder: Path, name: str) -> pd.DataFrame:
    files = [*(folder / ".foldproof/studies").rglob(name)]
    return pd.read_parquet(max(files, key=lambda file: file.stat().st_mtime_ns))
