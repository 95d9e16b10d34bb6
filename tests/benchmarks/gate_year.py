"""A year of weekly retrainings: how often the gate promotes by luck, and how soon it finds a gain.

``python -m tests.benchmarks.gate_year [--years 1000] [--stocks 20 300] [--only size]`` prints two
tables, with the standard error of the simulation in brackets:

- false promotions: the share of years in which at least one of three challengers, exactly as good
  as the champion, is promoted; with the gate as it is, and with its former rule, a new test of the
  newest 58, 63 or 121 dates every week;
- power: the share of years in which the one better challenger of three is found, by the number of
  dates tested.

The forecasts are simulated: scores that persist over dates, three quarters of their variance common
to all models (so that a difference in rank IC over 63 dates has the standard error of the bundled
panel, 0.045 with 20 stocks), with labels over one and five days. All models have a mean rank IC of
0.02, and the better one more by the gain. A challenger's forecasts do not change from week to week;
new networks every week would make the former rule worse and leave the present one alone.
"""

import argparse
from collections.abc import Sequence

import numpy as np
from scipy.signal import lfilter
from scipy.special import stdtr

from foldproof.tasks.statistics.mean_test import (
    dates_needed,
    frequencies,
    mean_and_error,
    ratio,
)
from foldproof.tasks.statistics.sequential_test import YEAR, block_slices, exceeds, spent_level

LEVEL, CHALLENGERS = 0.05, 3
EVERY, ASKS = 5, 50
STRETCHES = (58, 63, 121)
"""Dates that the former rule tested: one or two test blocks of 63 dates, some without labels."""
HORIZONS, STOCKS = (1, 5), (20, 300)
GAINS = (0.02, 0.056, 0.1)
TESTED = (63, 126, 252)
"""Dates tested: a quarter, half a year, a year."""
SKILL, PERSISTENCE, COMMON = 0.02, 0.9, 0.75


def differences(
    stocks: int, horizon: int, dates: int, gains: Sequence[float], rng: np.random.Generator
) -> np.ndarray:
    """(D, C) daily rank IC of each challenger less the champion's."""
    total = np.cumsum(rng.standard_normal((dates + horizon, stocks)), axis=0)
    label = (total[horizon:] - total[:-horizon]) / np.sqrt(horizon)
    common, ranked = persistent((dates, stocks), rng), ranks(label)
    ics = []
    for skill in (SKILL, *(SKILL + gain for gain in gains)):
        own = persistent((dates, stocks), rng)
        noise = np.sqrt(COMMON) * common + np.sqrt(1 - COMMON) * own
        pearson = 2 * np.sin(np.pi * skill / 6)
        scores = pearson * label + np.sqrt(1 - pearson**2) * noise
        ics.append((ranks(scores) * ranked).sum(axis=1) / (ranked**2).sum(axis=1))
    return np.array(ics[1:]).T - np.array(ics[:1]).T


def persistent(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """(D, S) autoregressions of first order over dates, of variance one."""
    shocks = rng.standard_normal(shape)
    shocks[1:] *= np.sqrt(1 - PERSISTENCE**2)
    return lfilter([1.0], [1.0, -PERSISTENCE], shocks, axis=0)


def ranks(values: np.ndarray) -> np.ndarray:
    """(D, S) ranks of the symbols of each date, centred; continuous values have no ties."""
    return values.argsort(axis=1).argsort(axis=1) - (values.shape[1] - 1) / 2


def promoted(daily: np.ndarray, horizon: int, level: float = LEVEL) -> np.ndarray:
    """(C,) whether the gate promotes each challenger on any night of these dates (D, C)."""
    days = np.datetime64("2024-01-01") + np.arange(len(daily) + 1 + horizon)
    parts = block_slices(days[: len(daily)], days[1 + horizon :])
    spent = spent_level(np.full(len(daily), level / daily.shape[1]), parts)
    blocks = np.array([daily[part].mean(axis=0) for part in parts])
    return np.array([exceeds(column, spent) for column in blocks.T])


def formerly_promoted(
    daily: np.ndarray, horizon: int, stretch: int, level: float = LEVEL
) -> np.ndarray:
    """(C,) whether a test of the newest ``stretch`` dates, every week, promotes each challenger."""
    freedom, found = frequencies(stretch, horizon), np.zeros(daily.shape[1], bool)
    for last in range(stretch, len(daily) + 1, EVERY):
        t = ratio(*mean_and_error(daily[last - stretch : last], horizon))
        found |= stdtr(freedom, -t) < level / daily.shape[1]
    return found


def false_promotions(stocks: int, horizon: int, years: int, seed: int = 0) -> np.ndarray:
    """(4,) shares of years with a false promotion: now, and formerly on each stretch."""
    rng, longest = np.random.default_rng([stocks, horizon, seed]), max(STRETCHES)
    rows = []
    for _ in range(years):
        daily = differences(stocks, horizon, longest + EVERY * (ASKS - 1), [0.0] * CHALLENGERS, rng)
        before = [
            formerly_promoted(daily[longest - stretch :], horizon, stretch).any()
            if stretch >= dates_needed(horizon)
            else np.nan  # no test of so few dates
            for stretch in STRETCHES
        ]
        rows.append([promoted(daily[-YEAR:], horizon).any(), *before])
    return np.mean(rows, axis=0)


def power(stocks: int, horizon: int, gain: float, years: int, seed: int = 1) -> np.ndarray:
    """(4,) shares of years that find the better challenger: by dates tested; formerly at once."""
    rng, rows = np.random.default_rng([stocks, horizon, round(1000 * gain), seed]), []
    gains = [gain] + [0.0] * (CHALLENGERS - 1)
    for _ in range(years):
        daily = differences(stocks, horizon, YEAR, gains, rng)
        once = formerly_promoted(daily[: TESTED[0]], horizon, TESTED[0])[0]
        rows.append([*(promoted(daily[:count], horizon)[0] for count in TESTED), once])
    return np.mean(rows, axis=0)


def share(value: float, count: int) -> str:
    """A share with its standard error; a dash where nothing could be tested."""
    return "-" if np.isnan(value) else f"{value:.3f} ({np.sqrt(value * (1 - value) / count):.3f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--years", type=int, default=1000, help="simulated years a case")
    parser.add_argument("--stocks", type=int, nargs="+", default=STOCKS)
    parser.add_argument("--horizons", type=int, nargs="+", default=HORIZONS)
    parser.add_argument("--only", choices=("size", "power"), help="only one of the tables")
    options = parser.parse_args()
    years, cases = options.years, [(n, h) for n in options.stocks for h in options.horizons]
    if options.only != "power":
        print(f"years with a false promotion, level {LEVEL}, {CHALLENGERS} equal challengers")
        print("| stocks | horizon | now |" + "".join(f" formerly, {n} dates |" for n in STRETCHES))
        for stocks, horizon in cases:
            cells = [share(one, years) for one in false_promotions(stocks, horizon, years)]
            print(f"| {stocks} | {horizon} | " + " | ".join(cells) + " |", flush=True)
    if options.only == "size":
        return
    print(f"years that find the one better of {CHALLENGERS} challengers, by dates tested")
    print("| stocks | horizon | gain |" + "".join(f" {n} |" for n in TESTED) + " formerly, 63 |")
    for stocks, horizon in cases:
        for gain in GAINS:
            cells = [share(one, years) for one in power(stocks, horizon, gain, years)]
            print(f"| {stocks} | {horizon} | {gain} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
