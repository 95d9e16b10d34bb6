"""The cache key of a comparison changes with everything that decides it, and with nothing else."""

from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from foldproof.tasks.compare.spec import StatisticsSpec
from foldproof.tasks.compare.task import compare_forecasts, forecasts_key

FORECASTS = pd.DataFrame({
    "date": pd.to_datetime(["2020-01-01", "2020-01-02"]), "symbol": ["a", "b"], "fold": [0, 0],
    "variant": ["none", "zscore"], "seed": [0, 0], "forecast": [0.1, 0.2], "target": [0.3, 0.4],
})  # fmt: skip
GIVEN: dict[str, Any] = {
    "forecasts": FORECASTS, "horizon": 5, "spec": StatisticsSpec(), "outside": {"b", "a"},
}  # fmt: skip
comparison_key = forecasts_key("compare", compare_forecasts.__module__)


def test_equal_inputs_have_one_key() -> None:
    again = GIVEN | {"forecasts": FORECASTS.copy(), "outside": {"a", "b"}}
    assert comparison_key(None, again) == comparison_key(None, GIVEN)


@pytest.mark.parametrize(
    "change",
    [
        {"forecasts": FORECASTS.assign(forecast=[0.1, 0.2 + 1e-16 * 4])},
        {"forecasts": FORECASTS.assign(variant=["none", "none"])},
        {"forecasts": FORECASTS.iloc[::-1]},
        {"forecasts": FORECASTS.rename(columns={"seed": "plan"})},
        {"horizon": 6},
        {"spec": replace(StatisticsSpec(), draws=StatisticsSpec().draws + 1)},
        {"outside": {"a"}},
    ],
)
def test_each_input_changes_the_key(change: dict[str, Any]) -> None:
    assert comparison_key(None, GIVEN | change) != comparison_key(None, GIVEN)
