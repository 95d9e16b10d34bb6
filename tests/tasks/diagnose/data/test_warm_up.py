"""The memory of transforms with a known one; recursions that never forget."""

import numpy as np
import pandas as pd
import pytest

from foldproof.tasks.data.features.features import FEATURES, price_features
from foldproof.tasks.diagnose import Verdict
from foldproof.tasks.diagnose.data.warm_up import memory_of, start_sensitivity, warm_up
from foldproof.tasks.diagnose.findings.finding import overall


@pytest.fixture(scope="module")
def long() -> pd.DataFrame:
    """Prices of three stocks on 320 days, C listed late."""
    draw = np.random.default_rng(2)
    dates = pd.bdate_range("2020-01-01", periods=320)
    index = pd.MultiIndex.from_product([dates, list("ABC")], names=["date", "symbol"])
    out = index.to_frame(index=False)
    out["close"] = 50 * np.exp(draw.normal(0, 0.02, (320, 3)).cumsum(axis=0)).ravel()
    return out[(out["symbol"] != "C") | (out["date"] > dates[200])].reset_index(drop=True)


def of(function):
    return lambda f: f.groupby("symbol")["close"].transform(function).rename("it").to_frame()


WINDOWS = {
    "raw": (lambda s: s, 1),
    "return": (lambda s: s.pct_change(fill_method=None), 2),
    "mean_10": (lambda s: s.rolling(10).mean(), 10),
    "mean_10_or_fewer": (lambda s: s.rolling(10, min_periods=1).mean(), 10),
    "lag_of_mean": (lambda s: s.shift(7).rolling(5).mean(), 12),
}
ENDLESS = {
    "expanding": lambda s: s.expanding().mean(),
    "count": lambda s: pd.Series(np.arange(len(s), dtype=float), index=s.index),
    "since_first": lambda s: s / s.iloc[0],
}


@pytest.mark.parametrize("name", WINDOWS)
def test_the_memory_of_a_window_is_its_length(long, name):
    function, rows = WINDOWS[name]
    curve = start_sensitivity(of(function), long, [40, 100])["it"]
    assert memory_of(curve, 1e-9) == rows
    (enough,) = warm_up(of(function), long, rows)
    assert (enough.verdict, enough.counts) == (Verdict.CLEAN, False)
    assert enough.detail == f"memory in rows: it {rows}"
    if rows > 2:
        (short,) = warm_up(of(function), long, rows - 1)
        assert short.verdict is Verdict.UNKNOWN
        assert short.detail == f"it still moves with {rows - 1} rows: it needs {rows}"


def test_a_decaying_average_by_hand(long):
    """Weights w and 1 - w: what lies k rows back counts (1 - w)^k of the difference of states."""
    w, drop = 0.2, 100
    state = of(lambda s: s.ewm(alpha=w, adjust=False).mean())
    curve = start_sensitivity(state, long, [drop])["it"]
    whole = state(long)["it"]
    gaps = []
    for name in "AB":
        rows = long.index[long["symbol"] == name]
        gaps.append(abs(long.loc[rows[drop], "close"] - whole[rows[drop]]))
    expected = max(gaps) * (1 - w) ** np.arange(220) / whole.std(ddof=0)
    np.testing.assert_allclose(curve.to_numpy()[:80], expected[:80], rtol=1e-6)
    rows = int(np.flatnonzero(expected > 1e-3)[-1]) + 2
    (loose,) = warm_up(state, long, rows, drops=[drop], tolerance=1e-3)
    assert loose.verdict is Verdict.CLEAN
    (strict,) = warm_up(state, long, rows, drops=[drop])
    assert strict.verdict is Verdict.UNKNOWN
    assert strict.value == pytest.approx(expected[rows - 1], rel=1e-6)


@pytest.mark.parametrize("name", ENDLESS)
def test_a_recursion_without_end_is_told_but_is_no_leak(long, name):
    (finding,) = warm_up(of(ENDLESS[name]), long, 20)
    assert (finding.verdict, finding.counts) == (Verdict.UNKNOWN, False)
    assert "as long as there is history to drop" in finding.detail
    assert finding.value > finding.threshold
    assert overall([finding]) is Verdict.UNKNOWN


def test_foldproofs_price_features_remember_as_many_rows_as_they_declare(long):
    data = long.rename(columns={"close": "price"})
    data["volume"] = np.random.default_rng(0).uniform(1, 9, len(data))
    curves = start_sensitivity(price_features, data, [20, 50])
    # sums over a window may run from the start, so the last bits differ
    memory = {name: memory_of(curves[name], 1e-9) for name in curves}
    assert memory == {name: feature.lookback for name, feature in FEATURES.items()}


def test_several_features_are_answered_together(long):
    def both(f):
        return pd.concat(
            [of(WINDOWS["mean_10"][0])(f), of(ENDLESS["expanding"])(f)], axis=1
        ).set_axis(["mean", "all"], axis=1)

    unknown, clean = warm_up(both, long.sample(frac=1, random_state=0).sort_values("date"), 12)
    assert unknown.detail.startswith("all moves as long")
    assert clean.detail == "memory in rows: mean 10"


def test_what_cannot_be_told_is_unknown(long):
    verdicts = {
        "too few to drop any": warm_up(of(lambda s: s), long, 320),
        "it has no result with 5 rows": warm_up(of(lambda s: s * np.nan), long, 5),
        "differs between two runs": warm_up(
            of(lambda s: s + np.random.default_rng().normal(size=len(s))), long, 5
        ),
        "short": warm_up(refuses(long), long, 5),
        "0 dates are too few": warm_up(of(lambda s: s), long[:0], 5),
        "no feature": warm_up(lambda f: f[["date"]], long, 5),
    }
    for why, (finding,) in verdicts.items():
        assert (finding.verdict, finding.counts) == (Verdict.UNKNOWN, False)
        assert why in finding.detail


def refuses(long):
    def transform(f):
        if len(f) < len(long):
            raise RuntimeError("short")
        return f[["close"]]

    return transform


def test_odd_inputs_are_refused(long):
    with pytest.raises(ValueError, match="at least 1; it is 0"):
        warm_up(of(lambda s: s), long, 0)
    with pytest.raises(ValueError, match=r"from 1 to 319, one less.* they are 320"):
        warm_up(of(lambda s: s), long, 5, drops=[320])
    with pytest.raises(ValueError, match="they are none"):
        warm_up(of(lambda s: s), long, 5, drops=[])
