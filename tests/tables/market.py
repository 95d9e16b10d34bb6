"""The market that every table of :mod:`tests.tables.exports` holds, and the panel it must give."""

import numpy as np
import pandas as pd

SYMBOLS = ("AAA", "BBB", "CCC", "DDD")
DAYS = pd.bdate_range("2020-01-02", periods=30)


def market() -> pd.DataFrame:
    """Long rows: date, symbol, open, high, low, close, volume; prices with two decimals."""
    rng = np.random.default_rng(5)
    steps = np.exp(np.cumsum(0.02 * rng.standard_normal((len(DAYS), 4)), axis=0))
    close = (np.array([12.0, 48.0, 130.0, 1500.0]) * steps).round(2)
    frame = pd.DataFrame({
        "date": np.repeat(DAYS, 4), "symbol": [*SYMBOLS] * len(DAYS), "close": close.ravel(),
    })  # fmt: skip
    wide = frame["close"]
    return frame.assign(
        open=(wide * 1.001).round(2), high=(wide * 1.02).round(2), low=(wide * 0.98).round(2),
        volume=rng.integers(100_000, 9_000_000, len(frame)),
    )  # fmt: skip


MARKET = market()


def closes(rows: pd.DataFrame) -> pd.DataFrame:
    """A feature function: the close itself, and the volume where there is one."""
    names = [name for name in ("price", "volume") if name in rows]
    return pd.DataFrame({f"feature_{name}": rows[name] for name in names}, index=rows.index)


def expected(symbols: dict[str, str] | None = None) -> dict[str, np.ndarray]:
    """Dates, symbols, closes, volumes and next day's returns as dense arrays.

    Args:
        symbols: Symbol -> its name in the table; the same by default.
    """
    frame = MARKET.assign(symbol=MARKET["symbol"].map(symbols or {name: name for name in SYMBOLS}))
    close = frame.pivot(index="date", columns="symbol", values="close")
    volume = frame.pivot(index="date", columns="symbol", values="volume")
    later = close.shift(-2) / close.shift(-1) - 1
    return {
        "dates": close.index.to_numpy().astype("datetime64[D]"),
        "symbols": close.columns.to_numpy(str),
        "price": close.to_numpy(np.float32),
        "volume": volume.to_numpy(np.float32),
        "target": later.to_numpy(np.float32),
    }
