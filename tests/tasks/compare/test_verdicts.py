"""Verdicts against the reference: by an oracle, on planted gains, and their error rate."""

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.multitest import multipletests

from foldproof.tasks.compare.verdicts import Against, detectable, verdicts
from foldproof.tasks.statistics.holm import holm
from foldproof.tasks.statistics.mean_test import mean_test
from tests.tasks.compare.series import overlapping


def test_holm_is_that_of_statsmodels() -> None:
    p = np.random.default_rng(0).uniform(0, 0.2, 12)
    np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1], rtol=1e-12)
    assert np.isnan(holm(np.array([0.01, np.nan]))).tolist() == [False, True]
    assert holm(np.array([0.01, np.nan]))[0] == pytest.approx(0.02)


def planted(dates: int = 2000, seed: int = 1) -> pd.DataFrame:
    noise = overlapping(dates, 4, 5, np.random.default_rng(seed)) / 100
    noise -= noise.mean(axis=0)
    noise[:, 3] *= 8
    noise += np.array([0.05, -0.05, 0.0005, 0.0])
    return pd.DataFrame(noise, columns=["up", "down", "same", "wild"])


def judged(gains: pd.DataFrame, horizon: int, **settings: float) -> pd.DataFrame:
    return verdicts({str(k): one.to_numpy() for k, one in gains.items()}, horizon, **settings)


def test_each_verdict_is_given_where_it_is_planted() -> None:
    table = judged(planted(), 5, margin=0.01, level=0.95)
    expected = [Against.BETTER, Against.WORSE, Against.EQUIVALENT, Against.UNDECIDED]
    assert table["against"].tolist() == [str(one) for one in expected]


def test_a_significant_difference_within_the_margin_is_equivalent() -> None:
    table = judged(planted()[["up"]], 5, margin=0.2, level=0.95)
    assert table.at["up", "p"] < 0.05
    assert table.at["up", "against"] == "equivalent"


def test_a_copy_of_the_reference_is_equivalent() -> None:
    still = pd.DataFrame({"copy": np.zeros(300), "near": 1e-9 * planted(300)["up"]})
    table = judged(still, 5, margin=0.005, level=0.95)
    assert table["against"].tolist() == ["equivalent", "equivalent"]
    assert (table.at["copy", "p"], table.at["copy", "p_equivalent"]) == (1.0, 0.0)


def test_too_few_dates_are_undecided() -> None:
    table = judged(planted().head(12), 5, margin=0.01, level=0.95)
    assert set(table["against"]) == {"undecided"}
    assert table["detectable"].isna().all()


def test_the_detectable_gain_is_found_in_four_of_five_panels() -> None:
    rng, found, runs = np.random.default_rng(3), 0, 400
    error = 1 / np.sqrt(300)
    gain = np.median([detectable(mean_test(rng.standard_normal(300), 1), 0.05) for _ in range(200)])
    assert gain == pytest.approx(2.9 * error, rel=0.1)
    for _ in range(runs):
        found += mean_test(rng.standard_normal(300) + gain, 1).p < 0.05
    assert found / runs == pytest.approx(0.8, abs=0.06)


@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_any_false_statement_is_rare(shift: float) -> None:
    """True gains of zero, or at the edge of the margin: one false verdict in 5 % of panels."""
    rng, panels, false = np.random.default_rng(4), 300, 0
    for _ in range(panels):
        gains = pd.DataFrame(overlapping(400, 6, 5, rng) + shift)
        said = set(judged(gains, 5, margin=0.5, level=0.95)["against"])
        false += bool(said & {"better", "worse"} if shift == 0 else "equivalent" in said)
    assert false / panels <= 0.05 + 2.5 * np.sqrt(0.05 * 0.95 / panels)
