"""Shares of importance, and by which reading features are ranked."""

from dataclasses import replace

import pandas as pd
import pytest

from foldproof.tasks.report.attribution.answer import which_features
from foldproof.tasks.report.attribution.shares import importance_shares, ranked_features, shares
from foldproof.tasks.report.results import Results


def test_shares_add_up_and_put_the_newest_lag_last() -> None:
    lagged = pd.DataFrame(
        {"feature": ["a", "a", "b", "b"], "lag": [0, 1, 0, 1], "absolute": [1.0, 1.0, 5.0, 3.0]}
    )
    table = shares(lagged)
    assert list(table.index) == ["b", "a"]
    assert list(table.columns) == [1, 0]
    assert table.loc["b", 0] == pytest.approx(50.0, abs=1e-12)
    assert table.to_numpy().sum() == pytest.approx(100.0, abs=1e-12)


def test_importance_shares_average_seeds_before_they_divide() -> None:
    importance = pd.DataFrame(
        {"fold": 0, "seed": [0, 0, 1, 1], "feature": ["a", "b"] * 2, "importance": [1.0, 3, 3, 1]}
    )
    assert importance_shares(importance, "fold").loc[0].tolist() == [50.0, 50.0]


def test_features_are_ranked_by_net_and_not_by_gross(results: Results) -> None:
    """In the text too: a feature whose lags cancel is not named first."""
    name = results.candidates[0]
    rows = pd.DataFrame(
        {
            "variant": name, "fold": 0, "seed": 0, "method": "integrated_gradients",
            "feature": ["cancels", "carries", "little"], "importance": [0.1, 0.8, 0.1],
            "net": [0.1, 0.8, 0.1], "gross": [5.0, 0.9, 0.1],
        }
    )  # fmt: skip
    slopes = rows.assign(method="mean_partial", importance=[9.0, 1.0, 1.0])
    importance = pd.concat([slopes, rows], ignore_index=True)
    share = ranked_features(importance, name)
    assert share.index[0] == "carries"
    assert share["carries"] == pytest.approx(80, abs=1e-12)
    given = replace(results, attribution=replace(results.attribution, importance=importance))
    assert which_features(given).verdict == "carries leads with 80% of the importance."
