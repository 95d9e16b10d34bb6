"""Purge and order of two sets of samples, however they were split: no fold plan is needed."""

import numpy as np
import pandas as pd

from foldproof.tasks.diagnose.findings.catalogue import DIAGNOSTICS
from foldproof.tasks.diagnose.findings.finding import Finding, Verdict, Witness
from foldproof.tasks.diagnose.perturb.compare import day
from foldproof.tasks.diagnose.perturb.keys import (
    checked_calendar,
    checked_dates,
    checked_times,
    require_unique,
    samples_of,
)

Samples = pd.MultiIndex | pd.DataFrame


def purge_of_samples(
    train: Samples,
    test: Samples,
    label_end: pd.Series,
    embargo: int = 0,
    calendar: np.ndarray | pd.DatetimeIndex | None = None,
) -> list[Finding]:
    """Training samples whose [date, label end] meets that of a test sample.

    This is the purge of López de Prado (2018, ch. 7), for test dates in one block or in many, of
    all symbols or of some: a training date between two test blocks is fine if its label ends
    before the second one and it lies after the labels of the first. A label that is known on the
    very day of a test sample counts, as it does in a plan of folds.

    Args:
        train: (n,) date and symbol of each sample, as index or as columns.
        test: (m,) likewise.
        label_end: Indexed by date and symbol: when each label becomes known; NaT is never. It
            covers the training samples and, where any is dated after a test sample, those too.
        embargo: Trading days that must lie between a training sample's interval and a test
            sample's.
        calendar: (D,) trading days; by default those of ``label_end``, ``train`` and ``test``.
            Trap: without the purged days in it, the embargo is counted too short.

    Returns:
        One finding on the purge, and one on the embargo where there is one.

    Raises:
        ValueError: There is no sample, a label end is missing or before its date, or dates are
            unusable.
    """
    early, late = samples_of(train, "train"), samples_of(test, "test")
    if not len(early) or not len(late) or embargo < 0:
        raise ValueError(
            "train and test need at least one sample each and embargo must be >= 0; there are "
            f"{len(early)} and {len(late)}, embargo {embargo}"
        )
    ends = samples_of(label_end, "label_end")
    require_unique(ends, "label_end")
    known = pd.Series(checked_times(label_end, "the values of label_end"), index=ends)
    days = trading_days(calendar, ends, early, late)
    first, last = intervals(early, known, days, "train", True)
    shown = early.get_level_values(0).max() >= late.get_level_values(0).min()
    begins, stops = intervals(late, known, days, "test", shown)
    reach = covers(begins, stops, len(days), 0, first, last)
    near = covers(begins, stops, len(days), embargo, first, last) & ~reach
    tested = f"{len(early)} training and {len(late)} test samples, embargo {embargo}"
    found = [met(reach, early, (first, last), begins, days, tested)]
    return found + ([short(near, early, last, days, embargo, tested)] if embargo else [])


def trading_days(
    calendar: np.ndarray | pd.DatetimeIndex | None, *samples: pd.MultiIndex
) -> np.ndarray:
    """(D,) datetime64[ns]: the calendar, or the dates of the samples."""
    dates = np.unique(np.concatenate([one.get_level_values(0).unique() for one in samples[1:]]))
    if calendar is None:
        return np.union1d(dates, samples[0].get_level_values(0).to_numpy())
    days = checked_calendar(calendar, "calendar")
    strange = ~np.isin(dates, days)
    if strange.any():
        raise ValueError(
            f"calendar must hold every date of train and test; {day(dates[strange][0])} is not "
            f"among its {len(days)} days"
        )
    return days


def intervals(
    samples: pd.MultiIndex, known: pd.Series, days: np.ndarray, name: str, required: bool
) -> tuple[np.ndarray, np.ndarray]:
    """(n,) int each: place of every sample's date, and of the last trading day up to its label end.

    A label that is never known reaches to the end of the calendar.
    """
    there = known.index.get_indexer(samples)
    if required and (there < 0).any():
        date, symbol = samples[int((there < 0).argmax())]
        raise ValueError(
            f"label_end needs every sample of {name} (NaT where its label is never known); "
            f"{symbol} on {day(date)} is missing, {int((there < 0).sum())} in all"
        )
    dates = samples.get_level_values(0).to_numpy()
    ends = np.full(len(samples), np.datetime64("NaT", "ns"))
    ends[there >= 0] = known.to_numpy()[there[there >= 0]]
    if (ends < dates).any():
        row = int((ends < dates).argmax())
        raise ValueError(
            f"a label cannot be known before its own date; that of {samples[row][1]} on "
            f"{day(dates[row])} ends on {day(ends[row])}"
        )
    stops = np.searchsorted(days, ends, side="right") - 1
    never = len(days) - 1 if required else -1
    start = np.searchsorted(days, dates)
    return start, np.maximum(np.where(np.isnat(ends), never, stops), start)


def covers(
    begins: np.ndarray, stops: np.ndarray, size: int, margin: int, first: np.ndarray,
    last: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """(n,) bool: [first, last] meets one of the intervals [begins, stops], widened by ``margin``.

    Days are marked once, so the cost grows with samples and days, not with their product.
    """
    edges = np.zeros(size + 1, dtype=np.int64)
    np.add.at(edges, np.maximum(begins - margin, 0), 1)
    np.add.at(edges, np.minimum(stops + margin, size - 1) + 1, -1)
    before = np.concatenate([[0], np.cumsum(np.cumsum(edges[:-1]) > 0)])  # marked days so far
    return before[last + 1] > before[first]


def met(
    reach: np.ndarray,
    train: pd.MultiIndex,
    interval: tuple[np.ndarray, np.ndarray],
    test_days: np.ndarray,
    days: np.ndarray,
    tested: str,
) -> Finding:
    """The finding on training samples that meet the test samples."""
    first, last = interval
    places = np.unique(test_days)
    upcoming = np.searchsorted(places, first)  # the first test day on or after each sample
    next_day = np.where(upcoming < len(places), places[np.minimum(upcoming, len(places) - 1)], -1)
    into = np.where(reach & (next_day >= 0), last - next_day + 1, 0)
    worst = int(into.argmax()) if (into > 0).any() else int(reach.argmax())
    after = int((reach & (into <= 0)).sum())
    return Finding(
        test="purge",
        stage="folds",
        verdict=Verdict.LEAK if reach.any() else Verdict.CLEAN,
        evidence="exact",
        statistic="training samples whose label interval meets a test sample's [samples]",
        value=float(reach.sum()),
        threshold=DIAGNOSTICS["purge"].threshold,
        tested=tested,
        witness=sample_at(train, worst, f"label until {day(days[last[worst]])}")
        if reach.any()
        else None,
        detail=f"{int(reach.sum()) - after} labels reach into test dates, up to {into.max()} "
        f"trading days deep; {after} samples lie within the labels of test dates before them"
        if reach.any()
        else "every training label is known before the test dates after it, and every test label "
        "before the training dates after it",
        ahead=int(into.max()) if (into > 0).any() else None,
    )


def short(
    near: np.ndarray,
    train: pd.MultiIndex,
    last: np.ndarray,
    days: np.ndarray,
    embargo: int,
    tested: str,
) -> Finding:
    """The finding on training samples that miss the test samples, but by less than the embargo."""
    worst = int(near.argmax())
    return Finding(
        test="purge",
        stage="folds",
        verdict=Verdict.LEAK if near.any() else Verdict.CLEAN,
        evidence="exact",
        statistic="training samples within the embargo around test samples [samples]",
        value=float(near.sum()),
        threshold=DIAGNOSTICS["purge"].threshold,
        tested=tested,
        witness=sample_at(train, worst, f"label until {day(days[last[worst]])}")
        if near.any()
        else None,
        detail=f"{int(near.sum())} samples have fewer than {embargo} trading days to a test sample"
        if near.any()
        else f"{embargo} trading days or more lie between",
    )


def order_of_samples(train: Samples, test: Samples) -> Finding:
    """Test dates that do not lie after all training dates, as in shuffled or blocked K-fold.

    Raises:
        ValueError: There is no sample, or dates are unusable.
    """
    early, late = samples_of(train, "train"), samples_of(test, "test")
    if not len(early) or not len(late):
        raise ValueError(
            f"train and test need at least one sample each; there are {len(early)} and {len(late)}"
        )
    trained = checked_dates(early.get_level_values(0), "train").unique().sort_values()
    dates = checked_dates(late.get_level_values(0), "test").unique().sort_values()
    wrong = dates[dates <= trained.max()]
    inside = int((wrong >= trained.min()).sum())
    row = int((late.get_level_values(0) == wrong[0]).argmax()) if len(wrong) else 0
    return Finding(
        test="fold_order",
        stage="folds",
        verdict=Verdict.LEAK if len(wrong) else Verdict.CLEAN,
        evidence="exact",
        statistic="test dates not after all training dates [dates]",
        value=float(len(wrong)),
        threshold=DIAGNOSTICS["fold_order"].threshold,
        tested=f"{len(dates)} test and {len(trained)} training dates",
        witness=sample_at(late, row, f"training until {day(trained.max())}")
        if len(wrong)
        else None,
        detail=f"{inside} test dates lie among the training dates, {len(wrong) - inside} before "
        "them: the model has seen what came after"
        if len(wrong)
        else f"training ends on {day(trained.max())}, test begins on {day(dates[0])}",
        ahead=int((trained > wrong[0]).sum()) or None if len(wrong) else None,
    )


def sample_at(samples: pd.MultiIndex, place: int, what: str) -> Witness:
    """One sample as a witness; ``what`` says what is wrong with it."""
    date, symbol = samples[place]
    return Witness(date=day(date), symbol=str(symbol), column=what)
