"""A small panel with known styles, and forecasts made of them."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from foldproof.tasks.compare.aligned import Aligned, align
from foldproof.tasks.data import Panel
from foldproof.tasks.decompose.prices import Closes
from foldproof.tasks.split.fold import Fold

DAYS, SYMBOLS, HORIZON = 260, 9, 3
FEATURES = ("size", "value", "noise")


@dataclass(frozen=True)
class Case:
    """A panel, a plan and aligned forecasts on its test dates."""

    panel: Panel
    closes: Closes
    folds: tuple[Fold, ...]
    forecasts: pd.DataFrame

    @property
    def aligned(self) -> Aligned:
        return align(self.forecasts)


@pytest.fixture(scope="session")
def case() -> Case:
    """Returns follow ``size``; the symbols of the forecasts are not in the panel's order."""
    rng = np.random.default_rng(5)
    calendar = np.busday_offset("2020-01-01", np.arange(DAYS), roll="forward")
    values = rng.standard_normal((DAYS, SYMBOLS, len(FEATURES))).astype(np.float32)
    values[..., 1] = np.where(rng.random((DAYS, SYMBOLS)) < 0.1, np.nan, values[..., 1])
    returns = 0.02 * rng.standard_normal((DAYS, SYMBOLS))
    returns[2:] += 0.004 * values[:-2, :, 0]
    price = 50 * np.exp(np.cumsum(returns, axis=0))
    price[200:, 4] = np.nan  # delisted
    target = np.full(price.shape, np.nan)
    target[: -1 - HORIZON] = price[1 + HORIZON :] / price[1:-HORIZON] - 1
    symbols = np.array([f"S{i}" for i in range(SYMBOLS)])
    ends = np.full(DAYS, np.datetime64("NaT"), "datetime64[D]")
    ends[: -1 - HORIZON] = calendar[1 + HORIZON :]
    panel = Panel(
        calendar, symbols, FEATURES, values, target.astype(np.float32), ends,
        np.isfinite(price), "print",
    )  # fmt: skip
    folds = tuple(
        Fold(n, range(0, 100 + 60 * n), range(100 + 60 * n, 110 + 60 * n),
             range(120 + 60 * n, 180 + 60 * n), calendar)
        for n in range(2)
    )  # fmt: skip
    volatility = np.abs(rng.standard_normal(DAYS))
    made = {
        "mine": values[..., 0] + rng.standard_normal((DAYS, SYMBOLS)),
        "size": np.exp(values[..., 0].astype(float)),
        "noise": rng.standard_normal((DAYS, SYMBOLS)),
        "ref:zero": np.zeros((DAYS, SYMBOLS)),
    }
    parts = []
    for name, forecast in made.items():
        for fold in folds:
            rows = np.array(fold.test)
            d, s = np.meshgrid(rows, np.arange(SYMBOLS)[::-1], indexing="ij")
            frame = pd.DataFrame({"date": calendar[d.ravel()], "symbol": symbols[s.ravel()]})
            frame = frame.assign(fold=fold.number, variant=name, seed=0)
            frame["forecast"] = forecast[d, s].ravel()
            frame["target"] = target[d, s].ravel()
            parts.append(frame[np.isfinite(price[d, s].ravel())])
    closes = Closes(price, price, volatility)
    return Case(panel, closes, folds, pd.concat(parts, ignore_index=True))
