"""The cache key of an analysis of all forecasts: every parameter of its task decides."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from foldproof.tasks.compare.spec import StatisticsSpec
from foldproof.tasks.data.spec import DataSpec, TargetSpec
from foldproof.tasks.decompose.spec import DecompositionSpec
from foldproof.tasks.decompose.task import KEYED, forecasts_key
from tests.tasks.decompose.conftest import Case

SETTINGS = {
    "target": (TargetSpec(), TargetSpec(horizon=7)),
    "statistics": (StatisticsSpec(), StatisticsSpec(draws=777)),
    "spec": (DecompositionSpec(), DecompositionSpec(horizons=(3,))),
}


def changed(case: Case) -> dict[str, tuple[Any, Any]]:
    """Each parameter and another value of it."""
    return SETTINGS | {
        "forecasts": (case.forecasts, case.forecasts.assign(forecast=0.0)),
        "panel": (Path("a/one.npz"), Path("a/other.npz")),
        "data": (DataSpec(), DataSpec(fill_limit=2)),
        "folds": (case.folds, (replace(case.folds[0], train=range(9)), *case.folds[1:])),
        "outside": (["b", "a"], ["a"]),
    }


@pytest.mark.parametrize("name", [*KEYED, *SETTINGS])
def test_every_parameter_decides(case: Case, name: str) -> None:
    values = changed(case)
    given = {key: one for key, (one, _) in values.items()}
    before = forecasts_key("step", given, "code")
    assert before == forecasts_key("step", dict(reversed(given.items())), "code")
    assert before != forecasts_key("step", given | {name: values[name][1]}, "code")


def test_paths_order_and_code(case: Case) -> None:
    given = {key: one for key, (one, _) in changed(case).items()}
    before = forecasts_key("step", given, "code")
    moved = given | {"panel": Path("b/one.npz"), "outside": ["a", "b"]}
    assert forecasts_key("step", moved, "code") == before
    assert forecasts_key("step", given, "other") != before
    assert forecasts_key("other", given, "code") != before
