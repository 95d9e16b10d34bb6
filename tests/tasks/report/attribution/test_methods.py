"""Figures of the methods besides the usual three."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from foldproof.tasks.report.attribution.methods import (
    errors_of,
    lag_profile_figure,
    lag_shares,
    methods_figure,
    permutation_figure,
    ranking_methods,
    shapley_figure,
    tau_table,
)
from foldproof.tasks.report.attribution.shares import best_attributed, importance_shares
from foldproof.tasks.report.comparison.figures import figures_of
from foldproof.tasks.report.results import Results
from tests.tasks.report.comparison.test_figures import texts


def asked(results: Results, *methods: str) -> Results:
    """The same, had only these methods been asked."""
    importance = results.attribution.importance
    kept = importance[importance["method"].isin(methods)]
    return replace(results, attribution=replace(results.attribution, importance=kept))


@pytest.mark.slow
def test_only_computed_methods_are_drawn(results: Results) -> None:
    optional = {"methods", "permutation", "shapley"}
    usual = asked(results, "integrated_gradients", "mean_partial", "mean_abs_partial")
    assert optional <= set(figures_of(results))
    assert not optional & set(figures_of(usual))
    assert set(figures_of(results)) - optional == set(figures_of(usual))


def test_groups_are_not_ranked_among_features(results: Results) -> None:
    assert ranking_methods(results) == [
        "integrated_gradients", "expected_gradients", "mean_partial", "mean_abs_partial",
        "permutation",
    ]  # fmt: skip


def test_taus_are_those_of_another_library(results: Results) -> None:
    own = results.attribution.importance.query("method != 'shapley'")
    own = own[own["variant"] == best_attributed(results)]
    shares = importance_shares(own, "method").T
    table = tau_table(shares)
    assert np.isnan(np.diag(table)).all()
    expected = stats.kendalltau(shares["mean_partial"], shares["permutation"]).statistic
    assert table.loc["mean_partial", "permutation"] == pytest.approx(expected, abs=1e-12)
    assert table.equals(table.T)
    shown = texts(methods_figure(results))
    assert f"{expected:.2f}".replace("-", "\N{MINUS SIGN}") in shown
    assert {"expected gradients", "permutation within dates", "return_1"} <= set(shown)


def test_errors_of_draws_that_are_independent_of_each_other(results: Results) -> None:
    best = best_attributed(results)
    rows = pd.DataFrame(
        {
            "variant": best, "fold": [0, 0, 1, 1], "seed": 0, "method": "permutation",
            "feature": ["a", "b"] * 2, "net": [1.0, -1.0, 3.0, -1.0],
            "net_error": [0.3, np.nan, 0.4, np.nan],
        }
    )  # fmt: skip
    given = replace(results, attribution=replace(results.attribution, importance=rows))
    table = errors_of(given, "permutation")
    assert table.loc["a"].tolist() == pytest.approx([2.0, 0.25], abs=1e-12)
    assert table.loc["b"].tolist() == pytest.approx([-1.0, 0.0], abs=1e-12)
    (axis,) = permutation_figure(given).axes
    lines = [line for line in axis.lines if len(line.get_xdata()) == 1]
    clear, rest = (line.get_xdata()[0] for line in lines)
    assert (clear, rest) == (2.0, -1.0)
    assert lines[1].get_markerfacecolor() == "#ffffff"
    (segment, *_) = axis.collections[0].get_segments()
    assert segment[:, 0] == pytest.approx([1.5, 2.5])


def test_groups_are_named_with_their_values(results: Results) -> None:
    assert {"return_1 + return_5", "volatility_21"} <= set(texts(shapley_figure(results)))


def test_lag_shares_by_hand(results: Results) -> None:
    rows = pd.DataFrame(
        {
            "method": ["mean_partial"] * 3 + ["integrated_gradients"],
            "lag": [0, 0, 1, 1], "absolute": [1.0, 2.0, 1.0, 5.0],
        }
    )  # fmt: skip
    shares = lag_shares(rows)
    assert list(shares) == ["integrated_gradients", "mean_partial"]
    assert shares["mean_partial"].tolist() == [75.0, 25.0]
    (axis,) = lag_profile_figure(results).axes
    assert axis.get_xlim() == (19.0, 0.0)
    assert sum(axis.lines[0].get_ydata()) == pytest.approx(100)
