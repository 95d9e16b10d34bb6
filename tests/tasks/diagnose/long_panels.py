"""Long panels whose truth is known, and cheap forecasters of them, for the statistical tests."""

import numpy as np
import pandas as pd

from foldproof.tasks.split import Fold

HORIZON = 5
PERSISTENCE = 0.9
SIGNAL = {0.06: 0.033, 0.15: 0.085}
"""Rank IC of f0 with the five-day return -> its weight in the next day's return [sd]."""


def persistent(draw: np.random.Generator, dates: int, symbols: int) -> np.ndarray:
    """(D, S) AR(1) of unit variance."""
    out = draw.standard_normal((dates, symbols))
    for t in range(1, dates):
        out[t] = PERSISTENCE * out[t - 1] + np.sqrt(1 - PERSISTENCE**2) * out[t]
    return out


def long_panel(
    seed: int, *, dates: int = 250, symbols: int = 30, rank_ic: float = 0.0, features: int = 4
) -> pd.DataFrame:
    """Long rows: close with a market factor and changing volatility, persistent f0, f1, ...

    f0 forecasts the next day's return if ``rank_ic`` is not 0; nothing else is forecastable.
    """
    draw = np.random.default_rng(seed)
    columns = {f"f{k}": persistent(draw, dates, symbols) for k in range(features)}
    own = draw.standard_t(5, (dates, symbols)) * np.sqrt(3 / 5)
    own[1:] += SIGNAL.get(rank_ic, 0.0) * columns["f0"][:-1]
    volatility = 0.012 * np.exp(0.4 * persistent(draw, dates, symbols))
    market = 0.008 * draw.standard_normal((dates, 1))
    columns["close"] = 50 * np.exp(np.cumsum(market + volatility * own, axis=0))
    days = pd.bdate_range("2015-01-01", periods=dates)
    index = pd.MultiIndex.from_product(
        [days, [f"S{k:02d}" for k in range(symbols)]], names=["date", "symbol"]
    )
    return pd.DataFrame({k: v.ravel() for k, v in columns.items()}, index=index).reset_index()


def close_of(data: pd.DataFrame) -> pd.DataFrame:
    """(D, S) log close."""
    return np.log(data.pivot(index="date", columns="symbol", values="close"))


def returns(data: pd.DataFrame, horizon: int) -> pd.Series:
    """Log return from the close of a date to that ``horizon`` dates later; back where negative."""
    close = close_of(data)
    change = close.shift(-horizon) - close if horizon > 0 else close - close.shift(-horizon)
    return change.stack()


def target_of(data: pd.DataFrame) -> pd.Series:
    """Return over the next five days."""
    return returns(data, HORIZON)


def features_of(data: pd.DataFrame) -> pd.DataFrame:
    """The ready features, two momenta and a volatility, indexed (date, symbol), ranked by date."""
    step = close_of(data).diff()
    made = {
        "reversal": step.rolling(5).sum(),
        "momentum": step.rolling(20).sum(),
        "volatility": step.rolling(20).std(),
    }
    frame = ready(data).join(pd.DataFrame({name: wide.stack() for name, wide in made.items()}))
    return frame.groupby(level=0).rank(pct=True) - 0.5


def ready(data: pd.DataFrame) -> pd.DataFrame:
    """The ready features, indexed (date, symbol)."""
    return data.set_index(["date", "symbol"]).filter(regex=r"^f\d")


def fold_of(data: pd.DataFrame, *, test: int = 100) -> Fold:
    """Train, a short validation block and a test block, purged by the horizon."""
    calendar = np.unique(data["date"].to_numpy()).astype("datetime64[D]")
    n = len(calendar)
    start = n - test
    middle = start - HORIZON - 20
    return Fold(0, range(middle - HORIZON), range(middle, middle + 20), range(start, n), calendar)


def ridge(frame: pd.DataFrame, label: pd.Series, fold: Fold, penalty: float = 10.0) -> pd.Series:
    """Scores on the test dates of a ridge regression on the training dates."""
    frame = frame.dropna()
    dates = frame.index.get_level_values(0)
    known = frame[dates.isin(fold.train_dates)].join(label.rename("label")).dropna()
    x, y = known.drop(columns="label").to_numpy(), known["label"].to_numpy()
    weights = np.linalg.solve(x.T @ x + penalty * np.eye(x.shape[1]), x.T @ y)
    asked = frame[dates.isin(fold.test_dates)]
    return pd.Series(asked.to_numpy() @ weights, index=asked.index)


def forecast(data: pd.DataFrame, fold: Fold) -> pd.Series:
    """Honest: ridge on features and labels computed from the rows."""
    return ridge(features_of(data), target_of(data), fold)


def forecast_label(data: pd.DataFrame, fold: Fold) -> pd.Series:
    """Honest: ridge on the ready features and the column ``label``."""
    return ridge(ready(data), data.set_index(["date", "symbol"])["label"], fold)


def with_label(data: pd.DataFrame) -> pd.DataFrame:
    """The same with the return over the next five days as the column ``label``."""
    keys = pd.MultiIndex.from_frame(data[["date", "symbol"]])
    return data.assign(label=target_of(data).reindex(keys).to_numpy())
