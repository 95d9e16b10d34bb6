"""Size and power of the test of a mean against the tests that it replaced, on simulated series.

``python -m tests.benchmarks.mean_test_power`` prints three tables in about a minute of CPU:

- the monitor: ``mean_test`` against the same cosine estimate with at most n / (4h)
  frequencies and no correction for the overlap;
- the training-mode gap: against a Newey-West t whose null is drawn from moving sums;
- the composition contrast: against a permutation of the compositions within blocks of dates.

Size is the share of series of mean zero that are rejected, power that of series with a mean. Series
are moving sums of white noise (what overlapping labels make of it) and first-order autoregressions,
scaled to a standard deviation of one. The seeds are fixed.
"""

import argparse
from collections.abc import Callable

import numpy as np
from scipy.special import stdtr

from foldproof.tasks.diagnose.network.batch_contrast import contrast_p
from foldproof.tasks.statistics.mean_test import frequencies, hac_error, mean_and_error, ratio

Pvalues = Callable[[np.ndarray, int], np.ndarray]
"""(D, R) series and the horizon -> (R,) one-sided p-values; NaN where the test refuses."""

CASES = [(1, 40), (1, 63), (1, 126), (5, 40), (5, 63), (5, 126), (20, 126), (60, 40), (60, 252)]
"""Horizon and dates."""
MEANS = {1: 0.35, 5: 0.8, 20: 1.2, 60: 1.6}
"""Means to detect, by horizon, in standard deviations of a day."""
KINDS = ("overlap", "ar.5", "ar.8")
WHAT = ("size", "power")
DRAWS = 1999
"""Draws of the two former nulls."""


def series(kind: str, horizon: int, dates: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """(D, R) of mean zero and standard deviation one: ``overlap`` or ``ar.5``, ``ar.8``."""
    if kind == "overlap":
        total = np.cumsum(rng.standard_normal((dates + horizon, count)), axis=0)
        return (total[horizon:] - total[:-horizon]) / np.sqrt(horizon)
    rho = float(kind.removeprefix("ar"))
    out = rng.standard_normal((dates, count))
    for day in range(1, dates):
        out[day] = rho * out[day - 1] + np.sqrt(1 - rho**2) * out[day]
    return out


def cosines(daily: np.ndarray, horizon: int) -> np.ndarray:
    """p-values of ``mean_test``."""
    freedom = frequencies(len(daily), horizon)
    if not freedom:
        return np.full(daily.shape[1], np.nan)
    return stdtr(freedom, -ratio(*mean_and_error(daily, horizon)))


def wide_cosines(daily: np.ndarray, horizon: int) -> np.ndarray:
    """p-values of the former test of the monitor: periods of eight horizons and more."""
    dates = len(daily)
    count = max(1, min(int(0.4 * dates ** (2 / 3)), dates // (4 * horizon)))
    middle = (np.arange(dates) + 0.5) / dates
    waves = np.sqrt(2 / dates) * np.cos(np.pi * np.outer(np.arange(1, count + 1), middle))
    error = np.sqrt(((waves @ daily) ** 2).mean(axis=0) / dates)
    return stdtr(count, -daily.mean(axis=0) / error)


def drawn_newey_west(daily: np.ndarray, horizon: int) -> np.ndarray:
    """p-values of the former test of the training-mode gap."""
    lags = min(2 * horizon, len(daily) - 1)
    null = series("overlap", horizon, len(daily), DRAWS, np.random.default_rng(0))
    drawn, own = (one.mean(axis=0) / hac_error(one, lags) for one in (null, daily))
    reached = len(drawn) - np.searchsorted(np.sort(drawn), own)
    return (1 + reached) / (1 + len(drawn))


def permuted(table: np.ndarray, horizon: int, seed: int) -> float:
    """p-value of the former test of the composition contrast (D, C), the base first."""
    sums = np.add.reduceat(table, np.arange(0, len(table), max(5, 2 * horizon)), axis=0)
    places = np.random.default_rng(seed).random((DRAWS, *sums.shape)).argsort(axis=2)
    drawn = np.take_along_axis(sums[None], places, axis=2).sum(axis=1)
    largest = (drawn[:, 1:] - drawn[:, :1]).max(axis=1)
    observed = sums.sum(axis=0)
    return float((1 + (largest >= (observed[1:] - observed[0]).max() - 1e-12).sum()) / (1 + DRAWS))


def rejected(p: np.ndarray, level: float) -> str:
    """The share below ``level``, or that the test refuses so few dates."""
    return "refused" if np.isnan(p).all() else f"{np.mean(p < level):.3f}"


def compare_tests(
    title: str, tests: dict[str, Pvalues], cases: list[tuple[int, int]], level: float, count: int
) -> None:
    """Print size on three kinds of series, and power on the first, at ``level``."""
    print(f"\n{title}: share rejected at {level:.3g}, {count} series, {' / '.join(tests)}")
    print("horizon dates  " + "".join(f"{f'size {kind}':>18}" for kind in KINDS) + f"{'power':>18}")
    for horizon, dates in cases:
        rng = np.random.default_rng(1000 * horizon + dates)
        made = [series(kind, horizon, dates, count, rng) for kind in KINDS]
        made.append(made[0] + MEANS[horizon])
        shares = [[rejected(test(one, horizon), level) for test in tests.values()] for one in made]
        cells = (" / ".join(row) for row in shares)
        print(f"{horizon:7} {dates:5}  " + "".join(f"{cell:>18}" for cell in cells))


def contrasts(level: float, count: int) -> None:
    """Print size and power of both tests of the composition contrast."""
    print(f"\ncontrast of three compositions: share rejected at {level:g}, {count} tables")
    print("horizon dates  " + "".join(f"{f'{what} {kind}':>16}" for kind in KINDS for what in WHAT))
    for horizon, dates in ((1, 80), (5, 80), (5, 160)):
        rng, cells = np.random.default_rng(horizon + dates), []
        for kind in KINDS:
            for gain in (0.0, 0.7 * MEANS[horizon]):
                found = []
                for seed in range(count):
                    table = series(kind, horizon, dates, 4, rng)
                    table[:, 3] += gain
                    found.append((contrast_p(table, horizon), permuted(table, horizon, seed)))
                cells.append(
                    " / ".join(f"{rate:.3f}" for rate in np.less(found, level).mean(axis=0))
                )
        print(f"{horizon:7} {dates:5}  " + "".join(f"{cell:>16}" for cell in cells))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--series", type=int, default=4000, help="series a case")
    count = parser.parse_args().series
    monitor = {"new": cosines, "former": wide_cosines}
    compare_tests("monitor", monitor, CASES, 0.05, count)
    gap = {"new": cosines, "former": drawn_newey_west}
    for level in (0.05, 0.01):
        compare_tests("training-mode gap", gap, CASES, level, count)
    for level in (0.05, 0.01):
        contrasts(level, count // 10)


if __name__ == "__main__":
    main()
