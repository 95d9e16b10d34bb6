"""A small batch-norm study as a user runs it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.flows.conftest import ROOT, Place

SMALL = (
    "panels=[noise]",
    "seeds=[0, 1]",
    "normalizations=[none, batch_norm_hidden, causal_batch_norm]",
    "compositions=[{batches: symbol, size: 8}, {batches: date_block, dates: 5}]",
    "sources.noise.data.synthetic.symbols=10",
    "training.epochs=2",
    "compute.workers=1",
)


def audit(place: Place, *overrides: str) -> subprocess.CompletedProcess[str]:
    shutil.copy(ROOT / "conf" / "batch_norm.yaml", place.folder / "study.yaml")
    command = [sys.executable, "-m", "foldproof.flows", "audit", "study.yaml", *overrides]
    return subprocess.run(
        command,
        cwd=place.folder,
        env=place.environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.slow
def test_the_study_gives_an_answer_and_its_repetition_trains_nothing(tmp_path: Path) -> None:
    place = Place(tmp_path)
    done = audit(place, *SMALL)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not done.stderr, done.stderr
    assert "skipped: causal_batch_norm on one symbol, 8 days, 5 dates: it is trained" in done.stdout
    assert "Does batch norm use future data?" in done.stdout
    content = json.loads(next((tmp_path / ".foldproof/studies").rglob("study.json")).read_text())
    cells = {(one["normalization"], one["composition"]): one for one in content["cells"]}
    assert len(cells) == 4
    taken = cells["batch_norm_hidden", "one symbol, 8 days"]
    assert taken["train_mode"] > 0.15 > abs(taken["honest"])
    results = {
        file: file.stat().st_mtime_ns for file in (tmp_path / ".foldproof/results").glob("study-*")
    }
    assert len(results) == 4
    again = audit(place, *SMALL)
    assert again.returncode == 0, again.stderr
    assert closing(again.stdout) == closing(done.stdout)
    assert {file: file.stat().st_mtime_ns for file in results} == results


def test_a_wrong_setting_gets_one_message_and_exit_status_2(tmp_path: Path) -> None:
    done = audit(Place(tmp_path), "seed=[0,1]")
    assert done.returncode == 2
    assert "seed: no such key; did you mean seeds?" in done.stderr
    assert "Traceback" not in done.stderr


def closing(output: str) -> str:
    """The table and the answer, which must repeat; without the seconds."""
    return output[output.index("Noise, nothing to forecast: rank IC") : output.index("seconds:")]
