"""One cell that explodes neither hides a leak nor makes rounding one."""

import numpy as np
import pandas as pd
import pytest

from foldproof.tasks.diagnose import AuditOptions, Verdict, audit_features, audit_forecaster
from foldproof.tasks.diagnose.perturb.compare import in_spreads, largest_ordinary, ordinary, spread
from foldproof.tasks.split import Fold

DATES = pd.bdate_range("2021-01-04", periods=90)
FOLD = Fold(0, range(0, 40), range(42, 48), range(50, 80), DATES.to_numpy("datetime64[D]"))
EXPLOSIONS = [("float64", 1e12), ("float64", 1e14), ("float64", 1e16), ("float32", 1e8)]
PLACES = {"early": 5 * 4, "in the test block": 60 * 4 + 1, "late": 86 * 4 + 2}


def table(dtype, size, place):
    """Four stocks; one cell of ``x`` explodes."""
    rows = pd.MultiIndex.from_product([DATES, list("ABCD")], names=["date", "symbol"])
    x = np.random.default_rng(0).normal(size=len(rows)).astype(dtype)
    x[place] = size
    return rows.to_frame(index=False).assign(x=x)


def by_stock(data, function):
    return data.groupby("symbol")["x"].transform(function)


def trailing(one):
    return one.rolling(3, min_periods=1).mean()


def centred(one):
    return one.rolling(3, min_periods=1, center=True).mean()


def fourier(one):
    """The mean of three days by Fourier transform: each value rounds with the whole series."""
    n = len(one)
    waves = np.fft.rfft(one.fillna(0.0).to_numpy(dtype=np.float64), 4 * n)
    kernel = np.fft.rfft(np.ones(3) / 3, 4 * n)
    return pd.Series(np.fft.irfft(waves * kernel, 4 * n)[:n].astype(one.dtype), one.index)


def fourier_ahead(one):
    return (fourier(one) + one.shift(-1).fillna(0.0)).astype(one.dtype)


@pytest.mark.parametrize(("dtype", "size"), EXPLOSIONS)
@pytest.mark.parametrize("place", list(PLACES.values()), ids=list(PLACES))
@pytest.mark.parametrize(
    ("function", "verdict"),
    [(trailing, "CLEAN"), (centred, "LEAK"), (fourier, "UNKNOWN"), (fourier_ahead, "LEAK")],
)
def test_a_feature_beside_an_exploded_cell(dtype, size, place, function, verdict):
    def transform(data):
        return pd.DataFrame({"f": by_stock(data, function)})

    report = audit_features(transform, table(dtype, size, place), cuts=8)
    exact = function is fourier and dtype == "float32"  # computed in float64, then rounded away
    assert report.verdict == ("CLEAN" if exact else verdict)
    if report.verdict is Verdict.UNKNOWN:
        assert "the rounding of its largest value" in report.findings[0].detail


@pytest.mark.parametrize("place", list(PLACES.values()), ids=list(PLACES))
@pytest.mark.parametrize(("function", "verdict"), [(trailing, "CLEAN"), (centred, "LEAK")])
def test_a_ratio_that_explodes_on_a_day_without_volume(place, function, verdict):
    """Both columns are positive: the ratio would stay if both were multiplied alike."""
    data = table("float64", 1.0, place)
    volume = np.exp(11 + 0.5 * data["x"])
    volume[place] = 0.0
    price = np.exp(np.random.default_rng(1).normal(3, 0.1, len(data)))
    data = data.assign(price=price, volume=volume)

    def transform(rows):
        ratio = rows["price"] / (rows["volume"] + 1e-12) * 1e4
        return pd.DataFrame({"f": by_stock(rows.assign(x=ratio), function)})

    assert audit_features(transform, data, cuts=8).verdict == verdict


def forecast(function, data, fold, trace):
    made = trace("features", pd.DataFrame({"f": by_stock(data, function)}))
    test = data["date"].isin(fold.test_dates)
    keys = pd.MultiIndex.from_frame(data.loc[test, ["date", "symbol"]])
    return pd.Series(made.loc[test, "f"].to_numpy(dtype=np.float64), keys)


@pytest.mark.parametrize(("dtype", "size"), EXPLOSIONS)
@pytest.mark.parametrize("place", list(PLACES.values()), ids=list(PLACES))
@pytest.mark.parametrize(("function", "verdict"), [(trailing, "CLEAN"), (centred, "LEAK")])
def test_forecasts_beside_an_exploded_cell_and_the_stage_of_the_leak(
    dtype, size, place, function, verdict
):
    data = table(dtype, size, place)
    report = audit_forecaster(
        lambda data, fold, trace: forecast(function, data, fold, trace),
        data, FOLD, AuditOptions(cuts=4, quick=True),
    )  # fmt: skip
    assert report.verdict == verdict
    leaks = {f.stage for f in report.findings if f.verdict is Verdict.LEAK}
    assert leaks == ({"features"} if verdict == "LEAK" else set())


def test_the_spread_of_ordinary_values_by_hand():
    values = np.array([1.0, 2, 3, 4, 5, 1e16, np.nan])
    # the median is 3.5 and the median deviation 1.5: values count up to 153.5
    usual = [1, 2, 3, 4, 5, 153.5]
    assert ordinary(values).tolist() == usual
    assert spread(values) == np.std(usual)
    assert largest_ordinary(values) == 153.5
    # more than half are equal: the median of the other deviations, 2, counts
    assert ordinary(np.array([0.0, 0, 0, 0, 1, 2, 1e9])).tolist() == [0, 0, 0, 0, 1, 2, 200]
    heavy = np.random.default_rng(0).standard_t(3, 1000)
    assert ordinary(heavy).tolist() == heavy.tolist()


def test_the_unit_of_a_cell_grows_with_the_cell():
    before, after = np.array([1.0, 1e10, np.nan, 0.0]), np.array([1.5, 1e10 + 1, 1.0, 0.0])
    sizes = in_spreads(before, after, 2.0, 10.0)
    assert sizes.tolist() == [0.25, 1 / (2.0 * 1e9), np.inf, 0.0]
