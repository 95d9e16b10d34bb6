"""What the README says is what the code says."""

import re
from pathlib import Path

import numpy as np
import pytest

from foldproof.conf.load import PRESETS
from foldproof.models.normalizers import VARIANTS
from foldproof.tasks.diagnose import Verdict, audit_forecaster
from foldproof.tasks.diagnose.imported import own_fold
from tests.labelled import labelled_rows

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
FORECASTER = next(block for block in PYTHON if "def forecast(" in block)


def variants_table() -> str:
    """The table of variants; put it into the README when the catalogue changes."""
    rows = [
        f"| `{name}` | {one.title} | {one.formula.replace('|', '/')} | {one.source} |"
        for name, one in VARIANTS.items()
    ]
    return "\n".join(["| key | variant | formula | source |", "|---|---|---|---|", *rows])


def test_the_variants_are_those_of_the_catalogue() -> None:
    assert variants_table() in README


def test_every_make_target_is_there() -> None:
    targets = set(re.findall(r"^([a-z ]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    known = {name for line in targets for name in line.split()}
    named = set(re.findall(r"(?:`|^)make ([a-z]+)", README, re.MULTILINE))
    assert named <= known
    assert {"compare", "test", "ui", "bench"} <= named


def test_every_file_that_is_linked_is_there() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", README)
    files = [link for link in links if not link.startswith("http")]
    assert len(files) >= 5
    assert not [link for link in files if not (ROOT / link).is_file()]


def test_the_presets_are_named() -> None:
    assert all(f"conf/{file.name}" in README for file in PRESETS.glob("*.yaml"))


def test_the_example_variant_works() -> None:
    code = next(block for block in PYTHON if "mine" in block)
    names: dict[str, object] = {}
    exec(code, names)
    assert names["mine"].formula  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("example", "honest", "leaky", "stage"),
    [
        ("sklearn", "(1, 5, 21)", "(-1, 5, 21)", "features"),
        ("sklearn", "dates.isin(fold.train_dates) & whole", "whole", "folds"),
        ("nn.LSTM", "return net.eval()", "return net", "network"),
    ],
)
def test_an_example_forecaster_is_clean_and_leaks_with_one_line_changed(
    example: str, honest: str, leaky: str, stage: str
) -> None:
    code = next(block for block in PYTHON if "def forecast(" in block and example in block)
    assert code.count(honest) == 1
    rows = labelled_rows(10, 160)
    fold = own_fold(np.unique(rows["date"].to_numpy()).astype("datetime64[D]"), 5)
    for text, verdict in (code, Verdict.CLEAN), (code.replace(honest, leaky), Verdict.LEAK):
        names: dict[str, object] = {}
        exec(text, names)
        report = audit_forecaster(
            names["forecast"],  # type: ignore[arg-type]
            rows, fold, known_at={"label": "known"}, target="label", horizon=5, cuts=4,
        )  # fmt: skip
        assert report.verdict is verdict, report.to_markdown()
        leaks = [f.stage for f in report.findings if f.verdict is Verdict.LEAK and f.counts]
        assert any(one.startswith(stage) for one in leaks) is (verdict is Verdict.LEAK)
