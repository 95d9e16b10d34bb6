"""Duplicates: test samples whose values also occur in the training block."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from foldproof.tasks.diagnose.data.equal_rows import (
    Scaled,
    by_chance,
    equal_row_of,
    equal_within_dates,
    scaled,
)
from foldproof.tasks.diagnose.findings.finding import Finding, Witness
from foldproof.tasks.diagnose.findings.verdicts import exact_finding
from foldproof.tasks.diagnose.perturb.compare import day, numbers
from foldproof.tasks.diagnose.perturb.keys import require_unique, samples_of

NATURAL = 3.0
"""Repeats are natural up to this many times their frequency within the training rows."""
LEAST_DATES = 20
"""Common dates required to call two symbols duplicates."""
EQUAL_SHARE = 0.99
"""Share of common dates on which duplicate symbols are equal."""


@dataclass(frozen=True, eq=False)
class Samples:
    """Rows of features with their keys.

    Attributes:
        keys: (n,) date and symbol.
        rows: Their values.
        train: (a,) places of the training samples.
        test: (b,) places of the test samples.
        usable: (n,) bool; False for rows without values and rows with one value throughout.
    """

    keys: pd.MultiIndex
    rows: Scaled
    train: np.ndarray
    test: np.ndarray
    usable: np.ndarray

    @property
    def symbol(self) -> np.ndarray:
        """(n,) a number for each symbol."""
        return np.asarray(self.keys.codes[1])

    @property
    def day(self) -> np.ndarray:
        """(n,) a number for each date, in order."""
        return np.asarray(self.keys.levels[0].argsort().argsort()[self.keys.codes[0]])


def duplicates(
    features: pd.DataFrame,
    train: pd.MultiIndex | pd.DataFrame,
    test: pd.MultiIndex | pd.DataFrame,
    tolerance: float = 1e-6,
) -> list[Finding]:
    """Find test samples whose values also occur among the training samples.

    Not counted are rows without values, rows with one value throughout, rows unchanged since a
    training date of their own symbol, and rows with such common values that equality is no
    evidence: equal by chance (a single feature, ranks of few stocks), or as frequent among the
    training rows themselves. A window of several days is one sample with its days as columns.

    Args:
        features: (n, F) indexed by date and symbol (or with such columns), each once.
        train: Date and symbol of the training samples.
        test: Date and symbol of the test samples.
        tolerance: Values closer than this many sd of their feature are equal.

    Returns:
        A finding on samples, whose witness names the equal training sample, and one on duplicate
        symbols: equal on nearly all common dates, such as two listings of one issuer. The second
        informs only, unless no symbol is in both sets: then one listing is in training and the
        other in the test.

    Raises:
        ValueError: No sample or feature, a sample without features, or a tolerance that is below 0
            or so wide that nearly all rows are equal.
    """
    samples = samples_from(features, train, test, tolerance)
    return [duplicate_rows(samples), duplicate_symbols(samples)]


def samples_from(
    features: pd.DataFrame,
    train: pd.MultiIndex | pd.DataFrame,
    test: pd.MultiIndex | pd.DataFrame,
    tolerance: float,
) -> Samples:
    """Check the keys and turn the values into scaled numbers."""
    keys = samples_of(features, "features")
    require_unique(keys, "features")
    places = []
    for name, one in (("train", train), ("test", test)):
        wanted = samples_of(one, name)
        place = keys.get_indexer(wanted)
        if not len(wanted) or (place < 0).any():
            raise ValueError(
                f"{name} needs at least one sample, each with features; {len(wanted)} are given, "
                f"{int((place < 0).sum())} of them without"
            )
        chosen = np.zeros(len(keys), bool)
        chosen[place] = True
        places.append(np.flatnonzero(chosen))
    columns = [name for name in features if name not in ("date", "symbol")]
    if not columns or tolerance < 0:
        raise ValueError(
            f"at least one feature and a tolerance of 0 or more are needed; there are "
            f"{len(columns)} features, tolerance {tolerance}"
        )
    values = np.empty((len(keys), len(columns)), order="F")
    low, high = np.full(len(keys), np.inf), np.full(len(keys), -np.inf)
    for number, column in enumerate(columns):
        values[:, number] = numbers(features[column])
        low, high = np.fmin(low, values[:, number]), np.fmax(high, values[:, number])
    usable = (high > low) | ((len(columns) == 1) & (high == low))
    codes = pd.MultiIndex.from_arrays([keys.get_level_values(0), keys.get_level_values(1)])
    early, late = places
    return Samples(codes, scaled(values, early, tolerance), early, late, usable)


def duplicate_rows(samples: Samples) -> Finding:
    """The finding on test samples that equal a training sample."""
    shared = np.isin(samples.test, samples.train)
    usable = samples.usable[samples.test]
    runs = runs_of(samples)
    stale = usable & np.isin(runs, runs[samples.train])[samples.test] & ~shared
    searched = samples.test[usable & ~stale]
    match = np.full(len(samples.test), -1)
    train = samples.train[samples.usable[samples.train]]
    if len(searched) and len(train):
        match[usable & ~stale] = equal_row_of(samples.rows, searched, train)
    found = np.flatnonzero(match >= 0)
    common = np.zeros(len(samples.test), bool)
    common[found] = common_values(samples, runs, match[found], len(searched))
    wrong = ((match >= 0) & ~common) | shared
    count, chance = int(wrong.sum()), int((common & ~shared).sum())
    skipped = (
        f"rows skipped: {int((~usable).sum())} empty or constant, {int(stale.sum())} unchanged "
        f"since training, {chance} with common values"
    )
    no_power = not count and (not len(searched) or chance == len(searched))
    same_key = f", {int(shared.sum())} of them under the same date and symbol"
    detail = (
        f"{count} of {len(samples.test)} test samples also occur among the training samples"
        f"{same_key if shared.any() else ''}; {skipped}"
    )
    return exact_finding(
        "duplicates",
        "folds",
        float("nan") if no_power else float(count),
        f"{len(samples.test)} test rows against {len(samples.train)} training rows, "
        f"{samples.rows.values.shape[1]} features",
        leak=detail,
        clean=detail,
        witness=_witness(samples, int(wrong.argmax()), match) if count else None,
        reason=f"no test row has distinctive values; {skipped}" if no_power else "",
    )


def runs_of(samples: Samples) -> np.ndarray:
    """(n,) the number of each row's run: consecutive equal rows of one symbol form a run."""
    order = np.lexsort((samples.day, samples.symbol))
    same = samples.rows.equal(order[1:], order[:-1])
    same &= samples.symbol[order[1:]] == samples.symbol[order[:-1]]
    run = np.zeros(len(order), int)
    run[order] = np.concatenate([[0], np.cumsum(~same)])
    return run


def common_values(
    samples: Samples, runs: np.ndarray, rows: np.ndarray, searched: int
) -> np.ndarray:
    """(k,) bool: training ``rows`` that a test row may equal without being a copy.

    The chance of equality assumes independent features, which fails for a value beside its square.
    Repeats among the training rows themselves therefore count as natural too.
    """
    chance = by_chance(samples.rows, samples.train, rows, searched)
    if chance.all():
        return chance
    return chance | (len(rows) <= NATURAL * repeat_share(samples, runs) * searched)


def repeat_share(samples: Samples, runs: np.ndarray) -> float:
    """Share of the rows in the later half of training that equal a row of the earlier half."""
    train = samples.train[samples.usable[samples.train]]
    late = samples.day[train] >= np.median(samples.day[train])
    early, later = train[~late], train[late]
    later = later[~np.isin(runs[later], runs[early])]
    if not len(early) or not len(later):
        return 0.0
    return float((equal_row_of(samples.rows, later, early) >= 0).mean())


def _witness(samples: Samples, place: int, match: np.ndarray) -> Witness:
    """A test sample and the training sample that equals it."""
    date, symbol = samples.keys[samples.test[place]]
    other = samples.keys[match[place] if match[place] >= 0 else samples.test[place]]
    return Witness(
        date=day(date), symbol=str(symbol), column=f"as {other[1]} on {day(other[0])} in training"
    )


def duplicate_symbols(samples: Samples) -> Finding:
    """The finding on symbols that are equal on nearly all common dates."""
    pairs = equal_symbols(samples)
    names = samples.keys.levels[1]
    sides = [set(samples.symbol[part].tolist()) for part in (samples.train, samples.test)]
    split = not sides[0] & sides[1]
    across = [(a, b) for a, b in pairs if (a in sides[0]) != (b in sides[0])] if split else []
    named = [f"{names[a]} and {names[b]}" for a, b in (across or pairs)]
    listed = ", ".join(named[:5]) + (f" and {len(named) - 5} more pairs" if named[5:] else "")
    return exact_finding(
        "duplicates",
        "folds",
        float(len(across)),
        f"{len(names)} symbols",
        leak=f"duplicates: {listed}",
        clean=f"duplicates: {listed}" if pairs else "no two symbols are duplicates",
        witness=Witness(symbol=named[0]) if across else None,
        statistic="duplicate symbols, one in training and the other in the test [pairs]",
        counts=bool(across),
    )


def equal_symbols(samples: Samples) -> list[tuple[int, int]]:
    """Pairs of symbols (by number) that are equal on nearly all of 20 or more common dates."""
    left, right = equal_within_dates(samples.rows, samples.day, np.flatnonzero(samples.usable))
    symbol = samples.symbol
    pairs = np.sort(np.column_stack([symbol[left], symbol[right]]), axis=1)
    kinds, counts = np.unique(pairs, axis=0, return_counts=True)
    found = []
    for (one, other), count in zip(kinds.tolist(), counts.tolist(), strict=True):
        if count < LEAST_DATES:
            continue
        dates = [samples.day[(symbol == name) & samples.usable] for name in (one, other)]
        if count >= EQUAL_SHARE * len(np.intersect1d(*dates)):
            found.append((one, other))
    return found
