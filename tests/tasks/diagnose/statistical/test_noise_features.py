import numpy as np
import pandas as pd
import pytest

from foldproof.tasks.diagnose import Verdict
from foldproof.tasks.diagnose.statistical.noise_features import (
    noise_features,
    persistence,
    with_noise,
)
from tests.tasks.diagnose.long_panels import long_panel, ready, target_of


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    return long_panel(0, dates=400, symbols=20, rank_ic=0.15).drop(columns="close")


def test_injected_noise_persists_as_features_do_within_a_symbol(data):
    shuffled = data.sample(frac=1, random_state=0)
    wide, names = with_noise(shuffled, 3, np.random.default_rng(0))
    assert names == ("noise_0", "noise_1", "noise_2")
    pd.testing.assert_frame_equal(wide[shuffled.columns], shuffled)
    rows = wide.sort_values(["symbol", "date"])
    for name in names:
        before = rows.groupby("symbol")[name].shift()
        assert rows[name].corr(before) == pytest.approx(0.9, abs=0.03)
        assert rows[name].std() == pytest.approx(1, abs=0.1)
        first = rows.groupby("symbol")[name].first()
        last = rows.groupby("symbol")[name].last().shift()
        assert abs(first.corr(last)) < 0.7  # symbols do not go on from each other
    assert abs(wide["noise_0"].corr(wide["noise_1"])) < 0.1


def test_the_slope_is_the_median_of_the_features(data):
    rows = data.sort_values(["symbol", "date"]).reset_index(drop=True)
    frame = pd.DataFrame({"a": rows["f0"], "b": 1.0, "c": rows["f1"], "white": rows["f2"]})
    frame["white"] = np.random.default_rng(0).permutation(frame["white"])
    symbol = pd.factorize(rows["symbol"])[0]
    slopes = [
        np.corrcoef(x[1:][symbol[1:] == symbol[:-1]], x[:-1][symbol[1:] == symbol[:-1]])[0, 1]
        for x in (frame[name].to_numpy() for name in ("a", "c", "white"))
    ]
    assert persistence(frame, symbol) == pytest.approx(np.median(slopes), rel=1e-10)
    assert persistence(frame[["b"]], symbol) == 0


def test_indexed_and_long_tables_get_the_same_noise(data):
    long, _ = with_noise(data, 1, np.random.default_rng(0))
    indexed, _ = with_noise(ready(data), 1, np.random.default_rng(0))
    np.testing.assert_array_equal(long["noise_0"], indexed["noise_0"])


def test_a_real_signal_ranks_above_noise_and_dead_features_do_not(data):
    wide, names = with_noise(ready(data), 5, np.random.default_rng(1))
    target = target_of(long_panel(0, dates=400, symbols=20, rank_ic=0.15))
    known = wide.join(target.rename("y")).dropna()
    importance = known.drop(columns="y").corrwith(known["y"]).abs()
    found = noise_features(importance, names)
    assert "f0" not in found.detail
    assert found.value <= 3
    assert (found.test, found.counts) == ("noise_features", False)
    assert found.tested == "4 features against 5 of noise"


@pytest.mark.parametrize(
    ("real", "count", "verdict"),
    [
        ([0.3, 0.4], 0, Verdict.CLEAN),
        ([0.2, 0.4], 1, Verdict.UNKNOWN),
        ([0.1, np.nan], 2, "UNKNOWN"),
    ],
)
def test_counted_by_hand(real, count, verdict):
    importance = pd.Series([*real, 0.1, 0.2], ["a", "b", "noise_0", "noise_1"])
    found = noise_features(importance, ("noise_0", "noise_1"))
    assert found.value == count
    assert found.verdict == verdict
    assert not found.counts


def test_names_that_do_not_fit(data):
    with pytest.raises(ValueError, match="1 noise feature or more"):
        with_noise(data, 0, np.random.default_rng(0))
    with pytest.raises(ValueError, match="already there: noise_0"):
        with_noise(data.assign(noise_0=1.0), 1, np.random.default_rng(0))
    with pytest.raises(ValueError, match="without importance: noise_7"):
        noise_features(pd.Series({"a": 1.0}), ("noise_7",))
    with pytest.raises(ValueError, match="injected: none"):
        noise_features(pd.Series({"a": 1.0}), ())
