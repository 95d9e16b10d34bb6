"""The README of the leak tests agrees with the catalogue, and its examples run."""

import re
from pathlib import Path

import pytest

from foldproof.tasks import diagnose
from foldproof.tasks.diagnose import DIAGNOSTICS

FOLDER = Path(diagnose.__file__).parent
README = (FOLDER / "README.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def table_of_tests() -> str:
    """The table of tests; copy it into the README when the catalogue changes."""
    rows = [
        f"| `{key}` | {one.title} | {one.kind} | {one.null} | {one.blind} |"
        for key, one in DIAGNOSTICS.items()
    ]
    head = "| key | test | kind | null: the value of an honest pipeline | blind to |"
    return "\n".join([head, "|---|---|---|---|---|", *rows])


def test_the_table_of_tests_equals_the_catalogue():
    assert f"\n{table_of_tests()}\n\n" in README


def test_every_file_and_folder_is_listed():
    listed = set(re.findall(r"`(\w+)(?:\.py|/)`", README.split("## ")[0]))
    there = {
        path.stem
        for path in FOLDER.iterdir()
        if path.suffix == ".py" or (path / "__init__.py").is_file()
    }
    assert listed == there - {"__init__"}


@pytest.mark.slow
@pytest.mark.parametrize(("honest", "leaky"), [("(1, 5, 21)", "(-1, 5, 21)")])
def test_the_examples_run_and_one_changed_line_leaks(honest, leaky):
    names: dict[str, object] = {}
    for example in EXAMPLES:
        exec(example, names)
    (forecaster,) = [example for example in EXAMPLES if "def forecast(" in example]
    assert forecaster.count(honest) == 1
    exec(forecaster.replace(honest, leaky).replace('"CLEAN"', '"LEAK"'), names)
