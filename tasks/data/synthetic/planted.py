"""Rows whose truth is known: pure noise, or a planted signal of stated strength."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from foldproof.tasks.data.rows import Rows
from foldproof.tasks.data.spec import DataSpec, SyntheticSpec

Truth = Mapping[str, Mapping[int, float]]
FIRST_DAY = "2000-01-03"
RETURN_UNIT = 0.02
"""Standard deviation of a planted target, similar to a stock's return over a few days."""
LINEAR: Truth = {"f0": {0: 3.0}, "f1": {0: -2.0}, "f2": {0: 1.0}}
LAGGED: Truth = {"f0": {0: 2.0}, "f1": {2: -2.0}, "f2": {5: 1.5, 10: 1.5}}


def noise(spec: DataSpec) -> Rows:
    """Prices and volume without a signal: simple returns are a martingale difference.

    A common factor and each idiosyncratic return have GARCH(1, 1) variance (0.05, 0.9; Bollerslev
    1986), so volatility can be forecast and the mean cannot.
    """
    size = spec.synthetic
    generator = np.random.default_rng(size.seed)
    factor = garch(generator.standard_normal((size.days, 1)), 0.007)
    own = garch(generator.standard_normal((size.days, size.symbols)), 0.012)
    returns = np.clip(factor + own, -0.5, 0.5)  # symmetric: the mean stays zero
    spread = np.exp(0.3 * generator.standard_normal(returns.shape))
    columns = {
        "price": 100 * np.cumprod(1 + returns, axis=0),
        "volume": np.round(1e6 * spread * (1 + 20 * np.abs(returns))),
    }
    about = {"truth": {}, "information_coefficient": 0.0}
    return Rows(long_frame(columns, size), "the synthetic source noise", about=about)


def garch(draws: np.ndarray, scale: float) -> np.ndarray:
    """(D, S) standard normal draws -> draws whose variance follows GARCH(1, 1) around scale**2."""
    out = np.empty_like(draws)
    variance = np.ones(draws.shape[1])
    for day, draw in enumerate(draws):
        out[day] = np.sqrt(variance) * draw
        variance = 0.05 + 0.05 * out[day] ** 2 + 0.9 * variance
    return scale * out


def planted(spec: DataSpec, shape: Truth, flips: bool = False) -> Rows:
    """Draw features and a target whose correlation with the best forecast is ``signal``.

    y[d] = unit (signal g(x[d], x[d-1], ...) + sqrt(1 - signal^2) e[d]), g linear with variance 1.
    ``flips``: the signal changes sign in the middle of the sample.
    """
    size = spec.synthetic
    generator = np.random.default_rng(size.seed)
    oldest = max(lag for lags in shape.values() for lag in lags)
    features = draw_features(generator, size, size.days + oldest)
    weights = scaled(shape, size)
    signal = sum(
        weight * features[oldest - lag : len(features) - lag, :, int(feature[1:])]
        for feature, lags in weights.items()
        for lag, weight in lags.items()
    )
    sign = np.where(flips & (np.arange(size.days) >= size.days // 2), -1.0, 1.0)[:, None]
    about: dict[str, object] = {"truth": weights, "information_coefficient": size.signal}
    if flips:
        about["sign_turns"] = business_days(size.days)[size.days // 2].date().isoformat()
    frame = labelled(generator, size, features[oldest:], sign * signal)
    return Rows(frame, f"the synthetic source {spec.source}", about=about)


def labelled(
    generator: np.random.Generator, size: SyntheticSpec, features: np.ndarray, signal: np.ndarray
) -> pd.DataFrame:
    """Features (D, S, F) and the signal (D, S) as long rows; the target is the signal and noise.

    The noise raises the target's standard deviation to ``RETURN_UNIT``. The label of a day becomes
    known on the next day; the last day has no label.
    """
    error = np.sqrt(1 - size.signal**2) * generator.standard_normal((size.days, size.symbols))
    target = signal + RETURN_UNIT * error
    target[-1] = np.nan
    columns = {f"f{k}": features[:, :, k] for k in range(size.n_features)}
    return with_next_day(long_frame(columns | {"target": target}, size), size)


def with_next_day(frame: pd.DataFrame, size: SyntheticSpec) -> pd.DataFrame:
    """``frame`` with the next day as ``label_end``; missing on the last day."""
    days = business_days(size.days)
    return frame.assign(label_end=frame["date"].map(pd.Series([*days[1:], pd.NaT], index=days)))


def draw_features(generator: np.random.Generator, size: SyntheticSpec, days: int) -> np.ndarray:
    """(days, S, F) standard normal features, AR(1) from day to day with unit variance."""
    out = generator.standard_normal((days, size.symbols, size.n_features))
    fresh = np.sqrt(1 - size.persistence**2)
    for day in range(1, days):
        out[day] = size.persistence * out[day - 1] + fresh * out[day]
    return out


def scaled(shape: Truth, size: SyntheticSpec) -> dict[str, dict[int, float]]:
    """Weights in target units per feature unit; the information coefficient is ``signal``.

    Features are independent of each other; the lags of a feature correlate through persistence.
    """
    variance = sum(
        a * b * size.persistence ** abs(i - j)
        for lags in shape.values()
        for i, a in lags.items()
        for j, b in lags.items()
    )
    unit = RETURN_UNIT * size.signal / variance**0.5
    return {
        feature: {lag: unit * weight for lag, weight in lags.items()}
        for feature, lags in shape.items()
    }


def business_days(number: int) -> pd.DatetimeIndex:
    """The first ``number`` weekdays since 2000-01-03."""
    days = np.busday_offset(np.datetime64(FIRST_DAY), np.arange(number))
    return pd.DatetimeIndex(days).as_unit("us")


def long_frame(columns: Mapping[str, np.ndarray], size: SyntheticSpec) -> pd.DataFrame:
    """(D, S) arrays by name -> one row per date and symbol."""
    names = [f"S{k:03d}" for k in range(size.symbols)]
    index = pd.MultiIndex.from_product([business_days(size.days), names], names=["date", "symbol"])
    return pd.DataFrame({k: v.ravel() for k, v in columns.items()}, index=index).reset_index()
