"""Every bad input that is tested, with the message it really gets, as a table.

python -m tests.bad_inputs > tests/bad_inputs.md
"""

import os
import tempfile
from collections.abc import Callable, Iterator
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from foldproof.conf.load import ConfigError, load
from foldproof.tasks.data import DataError, TargetSpec, build
from foldproof.tasks.data.panel.read import read
from foldproof.tasks.split import WalkForward
from tests.conf.test_load import BAD_SETTINGS
from tests.tasks.data.bad_inputs import CASES, WARNED

TODAY = date(2026, 1, 1)
PLANS: dict[str, dict[str, Any]] = {
    "fewer days than the blocks need": {"train": 1260, "validation": 252, "test": 252},
    "a calendar longer than the data": {"train": "5Y", "validation": "6M", "test": "6M"},
    "a size that cannot be parsed": {"train": "two years", "validation": 10, "test": 10},
    "an empty block": {"train": 0, "validation": 10, "test": 10},
    "an embargo below zero": {"train": 100, "validation": 10, "test": 10, "embargo": -1},
    "overlapping test blocks": {"train": 100, "validation": 10, "test": 20, "step": 10},
}
DATES = np.arange("2020-01-01", "2022-01-01", dtype="datetime64[D]")[::2]


def rows() -> Iterator[tuple[str, str, str]]:
    """What is wrong, where, and the message."""
    with tempfile.TemporaryDirectory() as name:
        for number, case in enumerate(CASES):
            folder = Path(name, str(number))
            folder.mkdir()
            target = TargetSpec(horizon=5 if case.name == "shorter than the horizon" else 1)
            work = partial(build, case.spec(folder), target, now=TODAY)
            yield "data", case.name, caught(DataError, work, folder)
        for number, case in enumerate(WARNED):
            folder = Path(name, f"mended{number}")
            folder.mkdir()
            said = read(case.spec(folder), TODAY).about["warnings"]
            yield "data, repaired", case.name, plain("; ".join(said), folder)
    for what, (override, _) in BAD_SETTINGS.items():
        message = caught(ConfigError, partial(load, "quick", [override]))
        yield "configuration", f"{what}: `{override}`", message
    for what, settings in PLANS.items():
        yield "plan", f"{what}: `{settings}`", caught(ValueError, partial(cut, settings))


def cut(settings: dict[str, Any]) -> None:
    """Cut DATES by ``settings``."""
    WalkForward(**settings).folds(DATES)


def caught(kind: type[Exception], work: Callable[[], object], folder: Path | None = None) -> str:
    """The message that ``work`` ends with."""
    try:
        work()
    except kind as error:
        return plain(str(error), folder)
    raise AssertionError(f"no {kind.__name__}")


def plain(message: str, folder: Path | None) -> str:
    """On one line, without the places of this machine."""
    if folder is not None:
        message = message.replace(f"{folder}{os.sep}", "").replace(str(folder), ".")
    lines = [line.strip() for line in message.splitlines()]
    start = 1 if len(lines) > 1 and lines[0].endswith("the configuration cannot be used") else 0
    return " ".join(lines[start:]).replace("|", "\\|")


def table() -> str:
    """All rows as Markdown."""
    head = "| where | fault | message |\n|---|---|---|\n"
    return head + "".join(f"| {' | '.join(row)} |\n" for row in rows())


if __name__ == "__main__":
    print(table(), end="")
