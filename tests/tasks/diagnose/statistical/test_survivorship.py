import numpy as np
import pandas as pd
import pytest
from scipy.stats import poisson

from foldproof.tasks.diagnose import Verdict
from foldproof.tasks.diagnose.statistical.survivorship import endings, survivorship


def universe(lives: list[int], months: int = 60) -> pd.DataFrame:
    """Month ends; each symbol has the first so many months."""
    dates = pd.date_range("2010-01-31", periods=months, freq="ME")
    rows = [(dates[m], f"S{s}") for s, life in enumerate(lives) for m in range(life)]
    return pd.DataFrame(rows, columns=["date", "symbol"])


def test_endings_and_years_by_hand():
    """Grace leaves 50 of 60 months: two symbols that continue, one that ends after the 13th."""
    data = universe([60, 60, 13])
    ended, years = endings(data)
    dates = data["date"].unique()
    assert ended == 1
    days = 2 * (dates[49] - dates[0]).days + (dates[12] - dates[0]).days
    assert years == pytest.approx(days / 365.2425, rel=1e-12)


def test_a_late_gap_is_not_an_ending_and_a_late_start_shortens_the_risk():
    data = universe([60, 55])
    assert endings(data)[0] == 0
    late = data[(data["symbol"] == "S0") | (data["date"] > data["date"].unique()[49])]
    assert endings(late)[1] == pytest.approx(endings(universe([60]))[1])


def test_survivors_only_are_a_leak_if_the_hazard_is_known():
    found = survivorship(universe([60] * 80), hazard=0.05)
    years = endings(universe([60] * 80))[1]
    assert found.verdict is Verdict.LEAK
    assert found.p_value == pytest.approx(poisson.cdf(0, 0.05 * years))
    assert found.value == 0
    assert found.counts
    assert "at a delisting rate of 0.05 a year, 16.3 expected" in found.detail


def test_a_universe_that_lost_symbols_is_clean():
    lives = np.random.default_rng(0).exponential(12 / 0.05, 150).clip(1, 60).astype(int)
    found = survivorship(universe(list(lives)), hazard=0.05)
    assert found.verdict is Verdict.CLEAN
    assert found.p_value > 0.05
    assert found.value == pytest.approx(0.05, abs=0.02)


def test_without_a_hazard_the_result_is_unknown():
    found = survivorship(universe([60] * 80), hazard=None)
    assert found.verdict is Verdict.UNKNOWN
    assert not found.counts
    assert "0 of 80 symbols end" in found.evidence


def test_too_few_symbols_are_unknown():
    found = survivorship(universe([60] * 20), hazard=0.05)
    assert found.verdict is Verdict.UNKNOWN
    assert found.counts
    assert "even zero would not be significant" in found.evidence


@pytest.mark.parametrize("hazard", [0.0, -0.1, float("nan")])
def test_a_hazard_is_positive(hazard):
    with pytest.raises(ValueError, match="hazard, the share of symbols"):
        survivorship(universe([60]), hazard)
