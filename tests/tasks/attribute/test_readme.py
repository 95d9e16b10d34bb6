"""The room's README: its tables are those of the catalogues, and its snippets run."""

import re
from pathlib import Path

import pytest
import torch

from foldproof.conf.load import load
from foldproof.tasks.attribute import ATTRIBUTIONS, BASELINES
from foldproof.tasks.attribute.trust.catalogue import TRUST

ROOM = Path(__file__).resolve().parents[3] / "tasks/attribute"
README = (ROOM / "README.md").read_text(encoding="utf-8")


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table; put it into the README when a catalogue changes."""
    lines = [head, ["---"] * len(head), *rows]
    escaped = [[cell.replace("|", r"\|") for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in escaped)


METHODS = table(
    ["key", "importance of a feature", "unit", "cost per sample", "cannot detect"],
    [[f"`{key}`", m.formula, m.unit, m.cost, m.blind_to] for key, m in ATTRIBUTIONS.items()],
)
AGAINST = table(
    ["key", "baseline", "attributions explain", "caution"],
    [[f"`{key}`", b.formula, b.meaning, b.caution] for key, b in BASELINES.items()],
)
CHECKS = table(
    ["check", "statistic", "passes", "a failure means"],
    [[c.title, c.statistic, c.passes, c.failure] for c in TRUST.values()],
)


@pytest.mark.parametrize("rows", [METHODS, AGAINST, CHECKS], ids=["methods", "baselines", "checks"])
def test_tables_equal_the_catalogues(rows: str) -> None:
    assert rows in README


def test_python_snippets_run() -> None:
    names: dict[str, object] = {}
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(blocks) == 2
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for block in blocks:
            exec(block, names)
    assert names["partials"].mean_partial.shape == (3,)  # type: ignore[attr-defined]


def test_every_file_and_folder_is_listed() -> None:
    here = {f"{one.name}/" if one.is_dir() else one.name for one in ROOM.iterdir()}
    expected = here - {"README.md", "__init__.py", "__pycache__/"}
    assert {re.sub(r"`", "", cell) for cell in re.findall(r"^\| (`[^|]+`) \|", README, re.M)} >= (
        expected
    )


def test_settings_that_are_named_exist() -> None:
    named = set(re.findall(r"`(attribution\.[a-z_.]+)=", README))
    assert named >= {"attribution.canaries", "attribution.trust.samples", "attribution.prices"}
    for setting in re.findall(r"`(attribution\.[a-z_.]+=\w+)`", README):
        load("quick", [setting])
