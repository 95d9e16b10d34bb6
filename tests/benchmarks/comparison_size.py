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
  first, now and as arch computes it (Hansen 2005, one variance for all draws);
- verdict: panels in which any of the 13 is called better or worse than the first;
- equivalent: panels in which any of the 13 is called equivalent although all are better than the
  first by exactly the margin, .1; behind it, as power, the share of equally good ones that are
  called equivalent;
- overfitting: panels whose overfitting probability lies below the 5 % quantile of what equal
  columns give, and its mean over panels (right: .5), now and without a purge between blocks.

``--checkout PATH`` takes the former procedures (set, intervals, overfitting) from another checkout
of the repository, such as 3e2b516, in place of their copies here.

``--seeds`` prints the second table instead: N networks of each forecaster, whose true means differ
by seed with a standard deviation of .03, about that of a mean over 504 dates. A statement is false
if it denies a mean of zero over all seeds that could be drawn. Rates are those of statements over
seeds and dates, then over dates only:

- set, mean, gain: as above;
- verdict: panels in which any forecaster is called better or worse than the first.

``--deflated`` prints the third table: 13 candidates as good as a reference, all with a mean rank IC
of .03, about that of momentum alone. Its figures are shares of panels in which the deflated Sharpe
ratio of the best candidate lies above 95 %:

- gain: that of the gain over the reference, as now;
- rank IC: that of the rank IC itself, as before, which tests whether any skill exists at all;
- power: as gain, if one candidate gains .1.

The seeds of the simulation are fixed. The Monte-Carlo error of a rate p of n panels is
sqrt(p (1 - p) / n).
"""

import argparse
import sys
import time
from collections.abc import Callable
from importlib import import_module
from itertools import combinations
from typing import NamedTuple

import numpy as np
from arch.bootstrap import MCS, SPA

from foldproof.tasks.compare.confidence_set import confidence_set
from foldproof.tasks.compare.intervals import simultaneous_intervals
from foldproof.tasks.compare.resampling import block_length, drawn_dates
from foldproof.tasks.compare.selection import (
    BLOCKS,
    deflated,
    overfitting,
    overfitting_by_chance,
)
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
SKILL, GAIN = 0.03, 0.1
"""In the table of the deflated ratio: mean rank IC of all, and the gain of the better candidate."""
VARIANTS, STOCKS, PERSISTENCE, ALIKE, WARM_UP = 14, 20, 0.95, 0.7, 100
LEVEL, DRAWS = 0.95, 200
MARGIN = 0.1
"""Margin of the equivalence test: at 252 dates and 20 stocks a smaller one is never established."""


class Former(NamedTuple):
    """The procedures before: whether a set rules out, an interval misses, and a share of halves."""

    rules_out: Callable[[np.ndarray, int, int], bool]
    misses: Callable[[np.ndarray, int, int], bool]
    overfitting: Callable[[np.ndarray], float]


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


def arch_rules_out(daily: np.ndarray, horizon: int, seed: int) -> bool:
    """Whether arch's confidence set rules out any of the equal columns."""
    block = block_length(daily, horizon)
    arch = MCS(-daily, size=1 - LEVEL, reps=DRAWS, block_size=block, method="R", seed=seed)
    arch.compute()
    return bool((arch.pvalues["Pvalue"] <= 1 - LEVEL).any())  # arch.included fails on some ties


def unpurged_overfitting(daily: np.ndarray) -> float:
    """Probability of backtest overfitting of blocks that are not purged."""
    means = np.stack([part.mean(axis=0) for part in np.array_split(daily, BLOCKS)])
    halves = np.array([*combinations(range(BLOCKS), BLOCKS // 2)])
    inside = means[halves].sum(axis=1)
    outside = means.sum(axis=0) - inside
    evaluated = outside[np.arange(len(halves)), inside.argmax(axis=1)][:, None]
    rank = 1 + (outside < evaluated).sum(axis=1) + ((outside == evaluated).sum(axis=1) - 1) / 2
    return float((rank / (daily.shape[1] + 1) <= 0.5).mean())


def former_of(checkout: str) -> Former:
    """The former procedures as the code of another checkout computes them."""
    sys.path.insert(0, checkout)
    inference = import_module("tasks.compare.statistics")
    chosen = import_module("tasks.compare.selection")

    def rules_out(daily: np.ndarray, horizon: int, seed: int) -> bool:
        given = {"level": LEVEL, "draws": DRAWS, "seed": seed}
        try:
            return not inference.confidence_set(daily, horizon, **given).all()
        except ValueError:  # the older code fails where arch does
            return arch_rules_out(daily, horizon, seed)

    def interval_misses(daily: np.ndarray, horizon: int, seed: int) -> bool:
        family = (np.arange(daily.shape[-1]),)
        given = {"level": LEVEL, "draws": DRAWS, "seed": seed}
        low, high = inference.simultaneous_intervals(daily, family, horizon, **given)
        return bool(((low > 0) | (high < 0)).any())

    return Former(rules_out, interval_misses, chosen.overfitting)


def misses(daily: np.ndarray, horizon: int, seed: int) -> bool:
    """Whether a joint interval misses a true mean of zero."""
    family = (np.arange(daily.shape[-1]),)
    low, high = simultaneous_intervals(daily, family, horizon, level=LEVEL, draws=DRAWS, seed=seed)
    return bool(((low > 0) | (high < 0)).any())


def called(gains: np.ndarray, horizon: int, margin: float) -> np.ndarray:
    """(V,) the verdicts on columns of daily gains (D, V)."""
    by_name = {str(one): gains[:, one] for one in range(gains.shape[1])}
    return verdicts(by_name, horizon, margin=margin, level=LEVEL)["against"].to_numpy()


def rates(horizon: int, dates: int, panels: int, former: Former) -> np.ndarray:
    """(8, 2) the rates of one case: the columns of the table, now and before."""
    rng, found = np.random.default_rng(1000 * horizon + dates), []
    nan = float("nan")
    for seed in range(panels):
        daily = panel(horizon, dates, rng)
        gains = daily - daily[:, :1]
        kept = confidence_set(daily, horizon, level=LEVEL, draws=DRAWS, seed=seed)
        block = block_length(daily, horizon)
        spa = SPA(-daily[:, 0], -daily[:, 1:], block_size=block, reps=DRAWS, seed=seed)
        spa.compute()
        rivals = (np.arange(VARIANTS - 1),)
        best = superior(gains[:, 1:], rivals, horizon, level=LEVEL, draws=DRAWS, seed=seed)[0]
        said_of_equals = called(gains[:, 1:], horizon, MARGIN)
        by_margin = called(gains[:, 1:] + MARGIN, horizon, MARGIN)
        share = overfitting(daily, horizon)
        lowest = overfitting_by_chance(daily, horizon, draws=DRAWS, seed=seed)[0]
        found.append(
            [
                (not kept.all(), former.rules_out(daily, horizon, seed)),
                (misses(daily, horizon, seed), former.misses(daily, horizon, seed)),
                (misses(gains, horizon, seed), former.misses(gains, horizon, seed)),
                (best.p < 1 - LEVEL, spa.pvalues["consistent"] < 1 - LEVEL),
                (np.isin(called(gains[:, 1:], horizon, 1e-9), ["better", "worse"]).any(), nan),
                ((by_margin == "equivalent").any(), (said_of_equals == "equivalent").mean()),
                (share < lowest if np.isfinite(share) else nan, nan),
                (share, former.overfitting(daily)),
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


def print_deflated(panels: int, cases: list[tuple[int, int]]) -> None:
    """The third table."""
    print(f"Deflated ratio above {LEVEL:.2f}, share of {panels} panels")
    print("horizon dates |  gain | rank IC | power | CPU s")
    for horizon, dates in cases:
        start, rng = time.process_time(), np.random.default_rng(1000 * horizon + dates)
        found = []
        for _ in range(panels):
            daily = SKILL + panel(horizon, dates, rng)
            gains = daily[:, 1:] - daily[:, :1]
            better = gains + GAIN * (np.arange(VARIANTS - 1) == 0)
            found.append([deflated(one, horizon) for one in (gains, daily[:, 1:], better)])
        now, before, power = np.greater(found, LEVEL).mean(axis=0)
        spent = time.process_time() - start
        print(
            f"{horizon:7} {dates:5} | {now:.3f} |   {before:.3f} | {power:.3f} | {spent:.0f}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--panels", type=int, default=200, help="panels a case")
    parser.add_argument("--most", type=int, default=4000, help="longest panel in dates")
    parser.add_argument("--least", type=int, default=0, help="shortest panel in dates")
    parser.add_argument("--horizons", type=int, nargs="+", default=[1, 5, 20])
    parser.add_argument("--seeds", action="store_true", help="panels of several networks each")
    parser.add_argument("--deflated", action="store_true", help="the deflated Sharpe ratio")
    parser.add_argument(
        "--checkout", help="folder of an older checkout whose procedures are former"
    )
    given = parser.parse_args()
    if given.seeds:
        return print_seeds(given.panels)
    cases = [
        (horizon, dates)
        for horizon, dates in CASES
        if horizon in given.horizons and given.least <= dates <= given.most
    ]
    if given.deflated:
        return print_deflated(given.panels, cases)
    former = Former(arch_rules_out, newey_west_misses, unpurged_overfitting)
    if given.checkout:
        former = former_of(given.checkout)
    print(f"Rates over {given.panels} panels, nominal {1 - LEVEL:.2f}: now / before")
    names = [
        "set",
        "means",
        "gains",
        "superior",
        "verdict",
        "equivalent",
        "overfitting",
        "its mean",
    ]
    print("horizon dates | " + " | ".join(f"{name:>13}" for name in names) + " | CPU s")
    for horizon, dates in cases:
        start = time.process_time()
        cells = rates(horizon, dates, given.panels, former)
        text = " | ".join(f"{now:.3f} / {before:.3f}" for now, before in cells)
        print(f"{horizon:7} {dates:5} | {text} | {time.process_time() - start:.0f}", flush=True)


if __name__ == "__main__":
    main()
