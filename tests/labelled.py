"""Long rows with labels, in the form that users supply."""

import numpy as np
import pandas as pd


def labelled_rows(symbols: int, days: int) -> pd.DataFrame:
    """Prices of independent stocks, with the return over the five days from the next close."""
    dates = pd.bdate_range("2020-01-01", periods=days)
    steps = np.random.default_rng(0).normal(0, 0.02, (days, symbols))
    names = [f"S{number:02d}" for number in range(symbols)]
    prices = pd.DataFrame(100 * np.exp(steps.cumsum(0)), dates, names)
    rows = prices.stack().rename_axis(["date", "symbol"]).rename("close").reset_index()
    close, date = rows.groupby("symbol")["close"], rows.groupby("symbol")["date"]
    return rows.assign(label=close.shift(-6) / close.shift(-1) - 1, known=date.shift(-6))
