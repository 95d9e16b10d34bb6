"""A flow reads its source once, and the nightly flows read the new rows only if incremental."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from foldproof.tasks.data import DataSpec, SyntheticSpec, load_raw
from tests.flows.conftest import SMALL, Place
from tests.flows.test_retrain import NIGHTLY

pytestmark = pytest.mark.slow

COUNTED = """
import sys
from pathlib import Path

from foldproof.tasks.data.incremental import new_rows
from foldproof.tasks.data.sources import files

usual = files.read_csv


def counted(source, *arguments):
    frame = usual(source, *arguments)
    with Path("reads.txt").open("a") as log:
        print(len(frame), file=log)
    return frame


files.read_csv = new_rows.read_csv = counted
from foldproof.flows.cli import main

main()
"""


class Counting(Place):
    """A folder with a file of rows, in which every reading of the file is noted."""

    def __init__(self, folder: Path, config: dict[str, Any], size: SyntheticSpec) -> None:
        super().__init__(folder)
        spec = DataSpec(source="linear", features="ready", min_history=50, synthetic=size)
        rows = load_raw(spec)
        rows.assign(date=rows["date"].dt.date).to_csv(folder / "rows.csv", index=False)
        self.rows = len(rows)
        roles = {"target": "target", "label_end": "label_end"}
        columns = roles | {"price": None}
        data = {"source": "file", "path": "rows.csv", "columns": columns, "features": "ready",
                "min_history": 50}  # fmt: skip
        self.config.write_text(yaml.safe_dump(config | {"data": data}))

    def reads(self, command: str, *more: str) -> list[int]:
        """Rows of every reading in one command."""
        (self.folder / "reads.txt").write_text("")
        done = subprocess.run(
            [sys.executable, "-c", COUNTED, command, str(self.config), *more],
            cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=400,
        )  # fmt: skip
        assert done.returncode in (0, 1), done.stdout + done.stderr
        return [int(line) for line in (self.folder / "reads.txt").read_text().split()]


def test_a_comparison_and_an_audit_read_their_source_once(tmp_path: Path) -> None:
    config = SMALL | {"variants": ["none", "full_sample_zscore"], "references": ["zero"]}
    size = SyntheticSpec(days=420, symbols=16, n_features=5, signal=0.3, seed=3)
    place = Counting(tmp_path, config, size)
    assert place.reads("compare") == [place.rows]
    assert place.reads("audit", "--quick") == [place.rows]


def test_the_nightly_flows_read_their_source_once(tmp_path: Path) -> None:
    size = SyntheticSpec(days=300, symbols=8, n_features=4, signal=0.3, seed=3)
    place = Counting(tmp_path, NIGHTLY, size)
    for command in ("retrain", "score", "monitor"):
        assert place.reads(command) == [place.rows], command
    assert place.reads("score", "data.incremental=true") == [place.rows]
    for command in ("score", "monitor", "retrain"):
        assert place.reads(command, "data.incremental=true") == [0], command
