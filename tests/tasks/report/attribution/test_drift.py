"""Importance over the folds, and its alert."""

import numpy as np
import pandas as pd
import pytest

from foldproof.tasks.report.attribution.answer import attribution_facts
from foldproof.tasks.report.attribution.drift import alerted, drift_figure, shares_by_fold
from foldproof.tasks.report.attribution.shares import best_attributed
from foldproof.tasks.report.results import Results
from foldproof.tasks.report.style import BLUE, VERMILLION
from tests.tasks.report.comparison.test_figures import texts
from tests.tasks.report.example import with_newest


def with_alerts(results: Results, *alerts: object) -> Results:
    """The same with these alerts of the best candidate's folds."""
    table = results.attribution.newest.drift
    own = table[table["variant"] == best_attributed(results)].head(1)
    rows = [own.assign(fold=k + 1, before=k, alert=alert) for k, alert in enumerate(alerts)]
    return with_newest(results, drift=pd.concat(rows))


def test_shares_by_hand_weigh_samples() -> None:
    rows = pd.DataFrame(
        {
            "variant": "v", "fold": 3, "samples": [1, 1, 3, 3], "feature": ["a", "b"] * 2,
            "up": [1.0, 0.0, 1.0, 0.0], "down": [0.0, 4.0, 0.0, 0.0],
        }
    )  # fmt: skip
    up, down = shares_by_fold(rows, "v")
    assert up.loc[3].to_dict() == pytest.approx({"a": 50, "b": 0}, abs=1e-12)
    assert down.loc[3].to_dict() == pytest.approx({"a": 0, "b": 50}, abs=1e-12)


def test_the_figure_shows_moves_with_their_limit_and_alerts_in_red(results: Results) -> None:
    figure = drift_figure(with_alerts(results, True))
    (bar,) = figure.axes[0].patches
    table = results.attribution.newest.drift
    own = table[table["variant"] == best_attributed(results)].iloc[0]
    assert bar.get_height() == pytest.approx(100 * own["moved"])
    (mark,) = figure.axes[0].collections
    assert np.unique(mark.get_segments()[0][:, 1]) == pytest.approx(100 * own["mark"])
    assert bar.get_facecolor()[:3] == pytest.approx(rgb(VERMILLION))
    assert figure.get_suptitle() == f"importance drifted: {best_attributed(results)} (fold 1)"
    assert {"fold 0", "fold 1", "return_1"} <= set(texts(figure))
    calm = drift_figure(with_alerts(results, None))
    assert not calm.get_suptitle()
    assert calm.axes[0].patches[0].get_facecolor()[:3] == pytest.approx(rgb(BLUE))


def rgb(color: str) -> list[float]:
    return [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]


def test_many_alerts_are_counted_not_listed() -> None:
    rows = pd.DataFrame({"variant": list("abcdef"), "fold": 2, "alert": True})
    assert alerted(rows).endswith("d (fold 2) and 2 more")
    assert alerted(rows.assign(alert=None)) == ""


def test_the_facts_name_the_largest_move(results: Results) -> None:
    fact = attribution_facts(with_alerts(results, True, True))["Drift of importance"]
    assert fact.startswith("2 of 2 moves between folds exceed chance; most from fold ")
    assert "Drift of importance" not in attribution_facts(with_alerts(results, False, None))
