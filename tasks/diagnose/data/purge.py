"""Purge, embargo and order of any two sets of samples, without a plan of folds."""

import numpy as np
import pandas as pd

from foldproof.tasks.diagnose.findings.finding import Finding, Witness
from foldproof.tasks.diagnose.findings.verdicts import exact_finding
from foldproof.tasks.diagnose.perturb import keys
from foldproof.tasks.diagnose.perturb.compare import day

Samples = pd.MultiIndex | pd.DataFrame


def purge_of_samples(
    train: Samples,
    test: Samples,
    label_end: pd.Series,
    embargo: int = 0,
    calendar: np.ndarray | pd.DatetimeIndex | None = None,
) -> list[Finding]:
    """Find training samples whose interval [date, label end] overlaps that of a test sample.

    This is the purge of López de Prado (2018, ch. 7). Test dates may form one block or many, of
    all symbols or of some: a training date between two test blocks is fine if its label ends
    before the second block and it lies after the labels of the first. A label that becomes known
    on the day of a test sample overlaps, as in a plan of folds.

    Args:
        train: (n,) date and symbol of each training sample, as index or as columns.
        test: (m,) date and symbol of each test sample.
        label_end: Indexed by date and symbol: when each label becomes known; NaT is never. It
            covers the training samples, and the test samples if any training date is later.
        embargo: Trading days required between the intervals of training and test samples.
        calendar: (D,) trading days; by default those of ``label_end``, ``train`` and ``test``.
            Trap: if it lacks the purged days, the embargo is counted too short.

    Returns:
        A finding on the purge and, if there is an embargo, one on the embargo.

    Raises:
        ValueError: There is no sample, a label end is missing or before its date, or dates are
            unusable.
    """
    early, late = both_sides(train, test)
    ends = keys.samples_of(label_end, "label_end")
    keys.require_unique(ends, "label_end")
    known = pd.Series(keys.checked_times(label_end, "the values of label_end"), index=ends)
    days = trading_days(calendar, ends, early, late)
    first, last = intervals(early, known, days, "train", True)
    overlapping = early.get_level_values(0).max() >= late.get_level_values(0).min()
    begins, stops = intervals(late, known, days, "test", overlapping)
    reach = overlaps(begins, stops, len(days), 0, first, last)
    near = overlaps(begins, stops, len(days), embargo, first, last) & ~reach
    depth = depths(reach, first, last, begins)
    deepest = int(depth.max(initial=0))
    after = int((reach & (depth <= 0)).sum())
    tested = f"{len(early)} training and {len(late)} test samples, embargo {embargo}"

    def finding(
        hits: np.ndarray, worst: int, statistic: str, leak: str, clean: str, ahead: int | None
    ) -> Finding:
        witness = sample_at(early, worst, f"label until {day(days[last[worst]])}")
        return exact_finding(
            "purge", "folds", float(hits.sum()), tested, leak=leak, clean=clean, witness=witness,
            statistic=statistic, ahead=ahead,
        )  # fmt: skip

    found = [
        finding(
            reach,
            int(depth.argmax() if deepest else reach.argmax()),
            "training samples whose label interval overlaps a test sample's [samples]",
            f"{int(reach.sum()) - after} labels reach into test dates, up to {deepest} trading "
            f"days deep; {after} samples lie within the labels of earlier test dates",
            "every training label is known before the test dates after it, and every test label "
            "before the training dates after it",
            deepest or None,
        )
    ]
    if embargo:
        found.append(
            finding(
                near,
                int(near.argmax()),
                "training samples within the embargo around test samples [samples]",
                f"{int(near.sum())} samples are fewer than {embargo} trading days from a test "
                "sample",
                f"at least {embargo} trading days lie between",
                None,
            )
        )
    return found


def both_sides(train: Samples, test: Samples) -> tuple[pd.MultiIndex, pd.MultiIndex]:
    """Date and symbol of the training and of the test samples.

    Raises:
        ValueError: One side has no sample, or dates are unusable.
    """
    early, late = keys.samples_of(train, "train"), keys.samples_of(test, "test")
    if not len(early) or not len(late):
        raise ValueError(
            f"train and test need at least one sample each; there are {len(early)} and {len(late)}"
        )
    return early, late


def trading_days(
    calendar: np.ndarray | pd.DatetimeIndex | None, *samples: pd.MultiIndex
) -> np.ndarray:
    """(D,) datetime64[ns]: the calendar, or the dates of the samples."""
    dates = np.unique(np.concatenate([one.get_level_values(0).unique() for one in samples[1:]]))
    if calendar is None:
        return np.union1d(dates, samples[0].get_level_values(0).to_numpy())
    days = keys.checked_calendar(calendar, "calendar")
    unknown = ~np.isin(dates, days)
    if unknown.any():
        raise ValueError(
            f"calendar must hold every date of train and test; {day(dates[unknown][0])} is not "
            f"among its {len(days)} days"
        )
    return days


def intervals(
    samples: pd.MultiIndex, known: pd.Series, days: np.ndarray, name: str, required: bool
) -> tuple[np.ndarray, np.ndarray]:
    """(n,) int each: row in ``days`` of a sample's date, and of the last day up to its label end.

    A label that is never known reaches to the end of the calendar.
    """
    place = known.index.get_indexer(samples)
    if required and (place < 0).any():
        date, symbol = samples[int((place < 0).argmax())]
        raise ValueError(
            f"label_end needs every sample of {name} (NaT if its label is never known); "
            f"{symbol} on {day(date)} is missing, {int((place < 0).sum())} in all"
        )
    dates = samples.get_level_values(0).to_numpy()
    ends = np.full(len(samples), np.datetime64("NaT", "ns"))
    ends[place >= 0] = known.to_numpy()[place[place >= 0]]
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


def overlaps(
    begins: np.ndarray, stops: np.ndarray, size: int, margin: int, first: np.ndarray,
    last: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """(n,) bool: [first, last] overlaps an interval [begins, stops] widened by ``margin``.

    Days are marked once, so the cost grows with samples plus days, not with their product.
    """
    edges = np.zeros(size + 1, dtype=np.int64)
    np.add.at(edges, np.maximum(begins - margin, 0), 1)
    np.add.at(edges, np.minimum(stops + margin, size - 1) + 1, -1)
    before = np.concatenate([[0], np.cumsum(np.cumsum(edges[:-1]) > 0)])  # marked days so far
    return before[last + 1] > before[first]


def depths(
    reach: np.ndarray, first: np.ndarray, last: np.ndarray, test_days: np.ndarray
) -> np.ndarray:
    """(n,) trading days by which a label reaches beyond the next test date; 0 where none does."""
    places = np.unique(test_days)
    upcoming = np.searchsorted(places, first)  # the first test day on or after each sample
    next_day = np.where(upcoming < len(places), places[np.minimum(upcoming, len(places) - 1)], -1)
    return np.where(reach & (next_day >= 0), last - next_day + 1, 0)


def order_of_samples(train: Samples, test: Samples) -> Finding:
    """The finding on test dates before the last training date, as in shuffled or blocked K-fold.

    Raises:
        ValueError: There is no sample, or dates are unusable.
    """
    early, late = both_sides(train, test)
    trained = keys.checked_dates(early.get_level_values(0), "train").unique().sort_values()
    dates = keys.checked_dates(late.get_level_values(0), "test").unique().sort_values()
    wrong = dates[dates <= trained.max()]
    inside = int((wrong >= trained.min()).sum())
    row = int((late.get_level_values(0) == wrong[0]).argmax()) if len(wrong) else 0
    return exact_finding(
        "fold_order",
        "folds",
        float(len(wrong)),
        f"{len(dates)} test and {len(trained)} training dates",
        leak=f"{inside} test dates lie among the training dates, {len(wrong) - inside} before "
        "them: the model was trained on later data",
        clean=f"training ends on {day(trained.max())}, test begins on {day(dates[0])}",
        witness=sample_at(late, row, f"training until {day(trained.max())}"),
        statistic="test dates not after all training dates [dates]",
        ahead=int((trained > wrong[0]).sum()) or None if len(wrong) else None,
    )


def sample_at(samples: pd.MultiIndex, place: int, what: str) -> Witness:
    """One sample as a witness; ``what`` names the fault."""
    date, symbol = samples[place]
    return Witness(date=day(date), symbol=str(symbol), column=what)
