from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
import pytest

Table = Callable[..., pd.DataFrame]


@pytest.fixture
def table() -> Table:
    """A long table of forecasts from dense ones (D, S); NaN forecasts become missing rows."""

    def of(
        forecasts: Mapping[str, np.ndarray], target: np.ndarray, folds: int = 1, seed: int = 0
    ) -> pd.DataFrame:
        n, symbols = target.shape
        dates = np.datetime64("2020-01-01") + np.arange(n)
        parts = [
            pd.DataFrame(
                {
                    "date": np.repeat(dates, symbols),
                    "symbol": np.tile([f"S{s:02d}" for s in range(symbols)], n),
                    "fold": np.repeat(np.arange(n) * folds // n, symbols),
                    "variant": name,
                    "seed": seed,
                    "forecast": np.broadcast_to(forecast, target.shape).ravel().astype(float),
                    "target": target.ravel(),
                }
            )
            for name, forecast in forecasts.items()
        ]
        long = pd.concat(parts, ignore_index=True)
        return long[long["forecast"].notna()]

    return of
