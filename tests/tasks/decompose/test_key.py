"""The cache key of an analysis of all forecasts: every parameter of its task decides."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from foldproof.tasks.compare.spec import StatisticsSpec
from foldproof.tasks.compare.task import KEYED, forecasts_key
from foldproof.tasks.data.spec import DataSpec, TargetSpec
from foldproof.tasks.decompose.spec import DecompositionSpec
from tests.tasks.decompose.conftest import Case

CODE, OTHER = "foldproof.tasks.compare.spec", "foldproof.tasks.decompose.spec"
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
        "horizon": (5, 20),
        "folds": (case.folds, (replace(case.folds[0], train=range(9)), *case.folds[1:])),
        "outside": (["b", "a"], ["a"]),
    }


@pytest.mark.parametrize("name", [*KEYED, *SETTINGS])
def test_every_parameter_decides(case: Case, name: str) -> None:
    values = changed(case)
    given = {key: one for key, (one, _) in values.items()}
    key = forecasts_key("step", CODE)
    assert key(None, given) == key(None, dict(reversed(given.items())))
    assert key(None, given) != key(None, given | {name: values[name][1]})


def test_paths_order_and_code(case: Case) -> None:
    given = {key: one for key, (one, _) in changed(case).items()}
    before = forecasts_key("step", CODE)(None, given)
    moved = given | {"panel": Path("b/one.npz"), "outside": ["a", "b"]}
    assert forecasts_key("step", CODE)(None, moved) == before
    assert forecasts_key("step", OTHER)(None, given) != before
    assert forecasts_key("other", CODE)(None, given) != before
