"""Daily series with the dependence of overlapping labels."""

import numpy as np


def overlapping(n: int, columns: int, horizon: int, rng: np.random.Generator) -> np.ndarray:
    """Daily ICs of true mean 0: a persistent signal times returns over overlapping horizons."""
    common = rng.standard_normal((n + 100, 1))
    shocks = 0.7 * common + rng.standard_normal((n + 100, columns))
    signal = np.empty_like(shocks)
    signal[0] = shocks[0]
    for t in range(1, len(shocks)):
        signal[t] = 0.8 * signal[t - 1] + 0.6 * shocks[t]
    returns = np.cumsum(rng.standard_normal((n + 100 + horizon, columns)), axis=0)
    product = signal * (returns[horizon:] - returns[:-horizon])
    return product[100:]
