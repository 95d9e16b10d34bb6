"""Samples that are trained on and tested on: the same values under another date or symbol."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from foldproof.tasks.diagnose.data.equal_rows import Scaled, by_chance, neighbours, scaled, twins_of
from foldproof.tasks.diagnose.findings.catalogue import DIAGNOSTICS
from foldproof.tasks.diagnose.findings.finding import Finding, Verdict, Witness
from foldproof.tasks.diagnose.perturb.compare import day, numbers
from foldproof.tasks.diagnose.perturb.keys import require_unique, samples_of

TEST = DIAGNOSTICS["duplicates"]
NATURAL = 3.0
"""Repeats up to this many times as frequent as among the training rows themselves are natural."""
LEAST = 20
"""Common dates that two symbols need to be called twins."""
ALIKE = 0.99
"""Share of common dates on which twins are equal."""


@dataclass(frozen=True, eq=False)
class Samples:
    """Rows of features with their keys.

    Attributes:
        keys: (n,) date and symbol.
        rows: Their values.
        train: (a,) places of the training samples.
        test: (b,) places of the test samples.
        usable: (n,) bool; False for rows without any value and rows of one value throughout.
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
    """Test samples whose values stand among the training samples too.

    Not counted are rows without values, rows of one value throughout, rows that merely did not
    change since a training date of their own symbol, and rows of such common values that equal
    rows are no surprise: by chance (one feature alone, ranks of few stocks), or because training
    rows of such values repeat among themselves as well. A window of several days is one sample with
    its days laid out as columns.

    Args:
        features: (n, F) indexed by date and symbol (or with such columns), each once.
        train: Date and symbol of the training samples.
        test: Likewise.
        tolerance: Values closer than this many sd of their feature are equal.

    Returns:
        A finding on samples, whose witness names the training twin, and one on twin symbols: equal
        on nearly all common dates, such as two listings of one issuer. That one informs only,
        unless no symbol is in both sets: then one listing is trained on and the other tested.

    Raises:
        ValueError: No sample or feature, a sample without features, or a tolerance that is below 0
            or so wide that nearly all rows are equal.
    """
    samples = laid_out(features, train, test, tolerance)
    return [repeated(samples), twin_symbols(samples)]


def laid_out(
    features: pd.DataFrame,
    train: pd.MultiIndex | pd.DataFrame,
    test: pd.MultiIndex | pd.DataFrame,
    tolerance: float,
) -> Samples:
    """Check keys and lay the values out as numbers."""
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


def repeated(samples: Samples) -> Finding:
    """The finding on test samples with a twin among the training samples."""
    shared = np.isin(samples.test, samples.train)
    usable = samples.usable[samples.test]
    runs = runs_of(samples)
    stale = usable & np.isin(runs, runs[samples.train])[samples.test] & ~shared
    looked = samples.test[usable & ~stale]
    twin = np.full(len(samples.test), -1)
    train = samples.train[samples.usable[samples.train]]
    if len(looked) and len(train):
        twin[usable & ~stale] = twins_of(samples.rows, looked, train)
    found = np.flatnonzero(twin >= 0)
    common = np.zeros(len(samples.test), bool)
    common[found] = no_surprise(samples, runs, twin[found], len(looked))
    wrong = ((twin >= 0) & ~common) | shared
    count, by_chance = int(wrong.sum()), int((common & ~shared).sum())
    unknown = ""
    if not count and (not len(looked) or by_chance == len(looked)):
        unknown = "no test row has values that would tell it from others"
    passed = (
        f"passed over: {int((~usable).sum())} rows of no or one value, {int(stale.sum())} that did "
        f"not change since training, {by_chance} of common values"
    )
    detail = f"{count} of {len(samples.test)} test samples stand among the training samples too"
    if shared.any():
        detail += f", {int(shared.sum())} of them under the same date and symbol"
    verdict = Verdict.LEAK if count else Verdict.UNKNOWN if unknown else Verdict.CLEAN
    return Finding(
        test=TEST.key,
        stage="folds",
        verdict=verdict,
        evidence=unknown or "exact",
        statistic=TEST.statistic,
        value=float("nan") if unknown else float(count),
        threshold=TEST.threshold,
        tested=f"{len(samples.test)} test rows against {len(samples.train)} training rows, "
        f"{samples.rows.values.shape[1]} features",
        witness=pair_at(samples, int(wrong.argmax()), twin) if count else None,
        detail=f"{unknown or detail}; {passed}",
    )


def runs_of(samples: Samples) -> np.ndarray:
    """(n,) a number for each stretch of equal rows of one symbol: values that did not change."""
    order = np.lexsort((samples.day, samples.symbol))
    same = samples.rows.equal(order[1:], order[:-1])
    same &= samples.symbol[order[1:]] == samples.symbol[order[:-1]]
    run = np.zeros(len(order), int)
    run[order] = np.concatenate([[0], np.cumsum(~same)])
    return run


def no_surprise(samples: Samples, runs: np.ndarray, rows: np.ndarray, looked: int) -> np.ndarray:
    """(k,) bool: training ``rows`` that a test row may equal without being a copy.

    Independence of features, by which chance is told, does not hold for a value beside its square:
    so training rows are asked as well how often they repeat among themselves.
    """
    chance = by_chance(samples.rows, samples.train, rows, looked)
    if chance.all():
        return chance
    return chance | (len(rows) <= NATURAL * repeating(samples, runs) * looked)


def repeating(samples: Samples, runs: np.ndarray) -> float:
    """Share of the later half of the training dates' rows that equal a row of the earlier half."""
    train = samples.train[samples.usable[samples.train]]
    late = samples.day[train] >= np.median(samples.day[train])
    early, later = train[~late], train[late]
    later = later[~np.isin(runs[later], runs[early])]
    if not len(early) or not len(later):
        return 0.0
    return float((twins_of(samples.rows, later, early) >= 0).mean())


def pair_at(samples: Samples, place: int, twin: np.ndarray) -> Witness:
    """A test sample and its twin."""
    date, symbol = samples.keys[samples.test[place]]
    other = samples.keys[twin[place] if twin[place] >= 0 else samples.test[place]]
    return Witness(
        date=day(date), symbol=str(symbol), column=f"as {other[1]} on {day(other[0])} in training"
    )


def twin_symbols(samples: Samples) -> Finding:
    """The finding on symbols that are equal on nearly all common dates."""
    pairs = alike(samples)
    names = samples.keys.levels[1]
    sides = [set(samples.symbol[part].tolist()) for part in (samples.train, samples.test)]
    split = not sides[0] & sides[1]
    across = [(a, b) for a, b in pairs if (a in sides[0]) != (b in sides[0])] if split else []
    shown = [f"{names[a]} and {names[b]}" for a, b in (across or pairs)]
    listed = ", ".join(shown[:5]) + (f" and {len(shown) - 5} pairs more" if shown[5:] else "")
    return Finding(
        test=TEST.key,
        stage="folds",
        verdict=Verdict.LEAK if across else Verdict.CLEAN,
        evidence="exact",
        statistic="twin symbols of which one is trained on and the other tested [pairs]",
        value=float(len(across)),
        threshold=TEST.threshold,
        tested=f"{len(names)} symbols",
        witness=Witness(symbol=shown[0]) if across else None,
        detail=f"twins: {listed}" if pairs else "no two symbols are twins",
        counts=bool(across),
    )


def alike(samples: Samples) -> list[tuple[int, int]]:
    """Pairs of symbols (by number) that are equal on nearly all of 20 common dates or more."""
    left, right = neighbours(samples.rows, samples.day, np.flatnonzero(samples.usable))
    symbol = samples.symbol
    pairs = np.sort(np.column_stack([symbol[left], symbol[right]]), axis=1)
    kinds, counts = np.unique(pairs, axis=0, return_counts=True)
    found = []
    for (one, other), count in zip(kinds.tolist(), counts.tolist(), strict=True):
        if count < LEAST:
            continue
        dates = [samples.day[(symbol == name) & samples.usable] for name in (one, other)]
        if count >= ALIKE * len(np.intersect1d(*dates)):
            found.append((one, other))
    return found
