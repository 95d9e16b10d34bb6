"""The price of a leak, for forecasters with known reported and honest rank ICs."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr
from scipy.stats import t as student

from foldproof.tasks.diagnose import forecaster as audits
from foldproof.tasks.diagnose.spec import AuditOptions
from foldproof.tasks.diagnose.statistical.leak_price import honest_scores, inflation, known_on
from foldproof.tasks.diagnose.trace.run import BoundForecaster, ReferenceRun
from foldproof.tasks.statistics.mean_test import frequencies
from tests.tasks.diagnose.small import DATES, FOLD, forecaster, keyed, leaks, quick, rows

DATA = rows()
TEST = FOLD.test_dates


def on_test(scores):
    return scores[scores.index.get_level_values(0).isin(TEST)]


def tomorrow(data):
    """The next day's x, which is what is forecast."""
    return keyed(data, data.groupby("symbol")["x"].shift(-1))


def oracle(data, fold, trace):
    """Today's x where tomorrow's is not there, else tomorrow's, the answer itself."""
    ahead = tomorrow(data)
    return on_test(ahead.fillna(keyed(data, data["x"])))


def honest(data, fold, trace):
    return on_test(keyed(data, data["x"]))


def test_inflation_by_hand():
    """Reported in the order of the target, honest in the other order, on every other date."""
    target = tomorrow(DATA).dropna()
    dates = TEST[:12]
    sign = pd.Series(np.where(np.arange(len(TEST)) % 2, 1.0, -1.0), pd.DatetimeIndex(TEST))
    order = target.index.get_level_values(0).map(sign)
    found = inflation(target, target * order.to_numpy(), target, dates, 1)
    assert (found.reported, found.honest) == (pytest.approx(1.0), pytest.approx(0.0))
    assert (found.dates, found.abstained) == (12, 0)
    assert found.value == pytest.approx(1.0)


def test_the_interval_by_hand():
    """Two cosine frequencies of twelve gaps, and Student's t."""
    draw = np.random.default_rng(0)
    target, noise = tomorrow(DATA).dropna(), draw.normal(size=len(DATA))
    other = keyed(DATA, pd.Series(noise, DATA.index)).reindex(target.index)
    found = inflation(target, other, target, TEST[:12], 1)
    gap = [
        1.0 - spearmanr(other[pd.Timestamp(date)], target[pd.Timestamp(date)]).statistic
        for date in TEST[:12]
    ]
    count = frequencies(12, 1)
    assert count == 2
    steps = np.arange(12) + 0.5
    waves = [np.sqrt(2 / 12) * np.cos(np.pi * j / 12 * steps) @ gap for j in (1, 2)]
    half = student.ppf(0.975, count) * np.sqrt(np.square(waves).mean() / 12)
    assert (found.low, found.high) == pytest.approx((np.mean(gap) - half, np.mean(gap) + half))


def test_a_date_without_an_honest_forecast_counts_as_zero():
    target = tomorrow(DATA).dropna()
    some = target[target.index.get_level_values(0).isin(TEST[:3])]
    found = inflation(target, some, target, TEST[:12], 1)
    assert found.honest == pytest.approx(3 / 12)
    assert found.abstained == 9
    assert "9 dates cannot be forecast honestly" in str(found)
    none = inflation(target, pd.Series(dtype=float), target, TEST[:12], 1)
    assert (none.honest, none.abstained) == (0.0, 12)


def test_two_dates_are_too_few_for_a_price():
    target = tomorrow(DATA).dropna()
    assert inflation(target, target, target, TEST[:2], 1) is None
    assert inflation(target, target, target, TEST[:3], 1) is not None


def test_only_rows_and_cells_known_on_a_date_are_kept():
    data = DATA.assign(known=DATA.groupby("symbol")["date"].shift(-2))
    kept = known_on(data, DATES[9].to_datetime64(), {"y": "known"})
    assert kept["date"].max() == DATES[9]
    assert kept["y"].notna().sum() == 8 * 6  # of the last two dates nothing is known yet
    assert kept["x"].notna().all()
    assert data["y"].notna().all()


@pytest.mark.parametrize("traced", [True, False])
def test_the_replay_of_an_oracle_has_no_look_ahead(traced):
    for forecast in (oracle, honest):
        scores = honest_scores(BoundForecaster(forecast, FOLD), DATA, TEST[:5], {}, traced)
        expected = honest(DATA, FOLD, None)
        pd.testing.assert_series_equal(
            scores, expected[expected.index.get_level_values(0).isin(TEST[:5])].sort_index()
        )


def test_traced_training_is_done_once_before_the_test_block():
    trained = []

    def fit(x, y):
        trained.append(len(x))
        return model(x, y)

    model = forecaster().args[0]
    subject = BoundForecaster(forecaster(fit, everything=True), FOLD)
    honest_scores(subject, DATA, TEST[:4], {}, traced=True)
    assert trained == [52 * 6]  # of all dates but the first, up to the first test date
    trained.clear()
    honest_scores(subject, DATA, TEST[:4], {}, traced=False)
    assert trained == [52 * 6, 53 * 6, 54 * 6, 55 * 6]


def test_a_forecaster_that_needs_later_rows_abstains():
    def needs(data, fold, trace):
        if len(data) < len(DATA):
            raise ValueError("too short")
        return honest(data, fold, trace)

    assert honest_scores(BoundForecaster(needs, FOLD), DATA, TEST[:5], {}, False).empty


@pytest.mark.parametrize(
    ("replays", "horizon", "spanned"),
    [(22, 5, 5), (22, 1, 1), (5, 5, 1), (5, 6, 2), (8, 5, 2), (1, 5, 1)],
)
def test_labels_of_dates_that_lie_apart_overlap_less(monkeypatch, replays, horizon, spanned):
    """22 test dates: every one, every fifth, every third."""
    asked = []
    monkeypatch.setattr(audits, "inflation", lambda *given: asked.append(given))
    options = AuditOptions(horizon=horizon)
    reference = ReferenceRun.of(BoundForecaster(honest, FOLD), DATA, options)
    audits.price_of(reference, tomorrow(DATA), False, replays)
    assert len(asked[0][3]) == replays
    assert asked[0][4] == spanned


def test_the_audit_prices_the_oracle():
    report = quick(oracle, target=tomorrow)
    found = leaks(report)
    assert found
    daily = [
        spearmanr(
            honest(DATA, FOLD, None)[pd.Timestamp(date)], tomorrow(DATA)[pd.Timestamp(date)]
        ).statistic
        for date in TEST
    ]
    dates = found[0].inflation.dates
    replayed = np.unique(np.linspace(0, 21, dates).round().astype(int))
    assert found[0].inflation.reported == pytest.approx(1.0)
    assert found[0].inflation.honest == pytest.approx(np.mean(np.array(daily)[replayed]))
    assert all(f.inflation == found[0].inflation for f in found)
    assert all(f.inflation is None for f in quick(honest, target=tomorrow).findings)
    assert all(f.inflation is None for f in quick(oracle).findings)  # no target, no price
