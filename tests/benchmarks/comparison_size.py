"""Error rates of the comparison on simulated panels: confidence set and joint intervals.

``python -m tests.benchmarks.comparison_size`` prints the table of ``tasks/compare/README.md``.

A panel has 20 stocks with independent daily returns, 14 forecasters without skill and labels over
``horizon`` days. Forecasts are persistent (first-order autoregressions of .95) and alike (pairwise
correlation .7), so the daily rank ICs of the 14 depend on each other and over time, and their means
are equal. Rates, all nominally 5 %:

- set: panels in which the confidence set rules out any of the equal forecasters, now and as arch
  computes it (Hansen, Lunde & Nason 2011, one variance for all draws);
- mean, gain: panels in which a joint interval of the 14 means, or of the 13 differences to the
  first, misses zero, now and with a Newey-West error;
- superior: panels in which the test of superior predictive ability finds any of 13 better than the
  first, now and as arch computes it (Hansen 2005, one variance for all draws).

``--seeds`` prints the second table instead: N networks of each forecaster, whose true means differ
by seed with a standard deviation of .03, about that of a mean over 504 dates. A statement is false
if it denies a mean of zero over all seeds that could be drawn. Rates are those of statements over
seeds and dates, then over dates only:

- set, mean, gain: as above;
- verdict: panels in which any forecaster is called better or worse than the first.

The seeds of the simulation are fixed. The Monte-Carlo error of a rate p of n panels is
sqrt(p (1 - p) / n).
"""

import argparse
import time

import numpy as np
from arch.bootstrap import MCS, SPA

from foldproof.tasks.compare.confidence_set import confidence_set
from foldproof.tasks.compare.intervals import simultaneous_intervals
from foldproof.tasks.compare.resampling import block_length, drawn_dates
from foldproof.tasks.compare.superior import superior
from foldproof.tasks.compare.verdicts import verdicts
from foldproof.tasks.statistics.mean_test import hac_error, lags_for
from foldproof.tasks.statistics.rank_ic import rank_correlation

CASES = [(1, 252), (5, 252), (20, 252), (1, 504), (5, 504), (20, 504), (1, 1008), (5, 1008),
         (20, 1008), (1, 4000), (5, 4000), (20, 4000)]  # fmt: skip
"""Horizon and dates."""
SEED_CASES = [(5, 504, 2), (5, 504, 3), (5, 504, 5), (5, 504, 10)]
"""Horizon, dates and seeds."""
SEED_SD, NETWORK_NOISE = 0.03, 0.1
"""Standard deviations of a network's true mean over seeds, and of its daily rank IC on a date."""
VARIANTS, STOCKS, PERSISTENCE, ALIKE, WARM_UP = 14, 20, 0.95, 0.7, 100
LEVEL, DRAWS = 0.95, 200


def panel(horizon: int, dates: int, rng: np.random.Generator) -> np.ndarray:
    """(D, V) daily rank ICs of forecasters without skill."""
    shape = (dates + WARM_UP, 1 + VARIANTS, STOCKS)
    shocks = rng.standard_normal(shape)
    shocks = np.sqrt(ALIKE) * shocks[:, :1] + np.sqrt(1 - ALIKE) * shocks[:, 1:]
    signal = shocks[0]
    ranked = []
    for day in range(1, len(shocks)):
        signal = PERSISTENCE * signal + np.sqrt(1 - PERSISTENCE**2) * shocks[day]
        ranked.append(signal)
    total = np.cumsum(rng.standard_normal((dates + horizon, STOCKS)), axis=0)
    target = total[horizon:] - total[:-horizon]
    forecasts = np.stack(ranked[-dates:], axis=1)
    return np.stack([rank_correlation(one, target) for one in forecasts], axis=1)


def newey_west_misses(daily: np.ndarray, horizon: int, seed: int) -> bool:
    """Whether a joint interval with a Newey-West error misses a true mean of zero."""
    varies = daily.std(axis=0) > 0
    daily, lags = daily[:, varies], lags_for(len(daily), horizon)
    mean, error = daily.mean(axis=0), hac_error(daily, lags)
    largest = [
        np.max(np.abs(daily[dates].mean(axis=0) - mean) / hac_error(daily[dates], lags))
        for dates in drawn_dates(daily, horizon, draws=DRAWS, seed=seed)
    ]
    return bool(np.max(np.abs(mean) / error) > np.quantile(largest, LEVEL))


def misses(daily: np.ndarray, horizon: int, seed: int) -> bool:
    """Whether a joint interval misses a true mean of zero."""
    family = (np.arange(daily.shape[-1]),)
    low, high = simultaneous_intervals(daily, family, horizon, level=LEVEL, draws=DRAWS, seed=seed)
    return bool(((low > 0) | (high < 0)).any())


def rates(horizon: int, dates: int, panels: int) -> np.ndarray:
    """(8,) the rates of one case: set now and arch, mean now and Newey-West, gain, superior."""
    rng, found = np.random.default_rng(1000 * horizon + dates), []
    for seed in range(panels):
        daily = panel(horizon, dates, rng)
        gains = daily - daily[:, :1]
        kept = confidence_set(daily, horizon, level=LEVEL, draws=DRAWS, seed=seed)
        block = block_length(daily, horizon)
        arch = MCS(-daily, size=1 - LEVEL, reps=DRAWS, block_size=block, method="R", seed=seed)
        arch.compute()
        spa = SPA(-daily[:, 0], -daily[:, 1:], block_size=block, reps=DRAWS, seed=seed)
        spa.compute()
        rivals = (np.arange(VARIANTS - 1),)
        best = superior(gains[:, 1:], rivals, horizon, level=LEVEL, draws=DRAWS, seed=seed)[0]
        found.append(
            [
                not kept.all(),
                len(arch.included) < VARIANTS,
                *(f(x, horizon, seed) for x in (daily, gains) for f in (misses, newey_west_misses)),
                best.p < 1 - LEVEL,
                spa.pvalues["consistent"] < 1 - LEVEL,
            ]
        )
    return np.mean(found, axis=0)


def networks(horizon: int, dates: int, seeds: int, rng: np.random.Generator) -> np.ndarray:
    """(N, D, V) daily rank ICs of N networks of each forecaster; their mean over all seeds is 0."""
    shared = panel(horizon, dates, rng)
    by_seed = SEED_SD * rng.standard_normal((seeds, 1, VARIANTS))
    return shared + by_seed + NETWORK_NOISE * rng.standard_normal((seeds, dates, VARIANTS))


def said(daily: np.ndarray, horizon: int, seed: int) -> list[bool]:
    """Whether set, means, gains and verdicts deny that all (N, D, V) or (D, V) are equally good."""
    gains = daily - daily[..., :1]
    kept = confidence_set(daily, horizon, level=LEVEL, draws=DRAWS, seed=seed)
    rivals = {str(one): gains[..., one] for one in range(1, VARIANTS)}
    against = verdicts(rivals, horizon, margin=1e-4, level=LEVEL)["against"]
    return [
        not kept.all(),
        misses(daily, horizon, seed),
        misses(gains, horizon, seed),
        bool(set(against) & {"better", "worse"}),
    ]


def rates_with_seeds(horizon: int, dates: int, seeds: int, panels: int) -> np.ndarray:
    """(4, 2) rates of one case: set, mean, gain, verdict; over seeds and dates, over dates only."""
    rng, found = np.random.default_rng(1000 * seeds + dates), []
    for number in range(panels):
        daily = networks(horizon, dates, seeds, rng)
        found.append([said(daily, horizon, number), said(daily.mean(axis=0), horizon, number)])
    return np.mean(found, axis=0).T


def print_seeds(panels: int) -> None:
    """The second table."""
    print(f"Rates over {panels} panels, nominal {1 - LEVEL:.2f}: seeds and dates / dates only")
    print("seeds |          set |        means |        gains |     verdicts | CPU s")
    for horizon, dates, seeds in SEED_CASES:
        start = time.process_time()
        cells = rates_with_seeds(horizon, dates, seeds, panels)
        text = " | ".join(f"{both:.3f} / {only:.3f}" for both, only in cells)
        print(f"{seeds:5} | {text} | {time.process_time() - start:.0f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--panels", type=int, default=200, help="panels a case")
    parser.add_argument("--most", type=int, default=4000, help="longest panel in dates")
    parser.add_argument("--seeds", action="store_true", help="panels of several networks each")
    given = parser.parse_args()
    if given.seeds:
        return print_seeds(given.panels)
    print(f"Rates over {given.panels} panels, nominal {1 - LEVEL:.2f}: now / before")
    print("horizon dates |          set |        means |        gains |     superior | CPU s")
    for horizon, dates in CASES:
        if dates > given.most:
            continue
        start = time.process_time()
        cells = rates(horizon, dates, given.panels).reshape(4, 2)
        text = " | ".join(f"{now:.3f} / {before:.3f}" for now, before in cells)
        print(f"{horizon:7} {dates:5} | {text} | {time.process_time() - start:.0f}", flush=True)


if __name__ == "__main__":
    main()
