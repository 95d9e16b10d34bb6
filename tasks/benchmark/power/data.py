"""Dials of the exact tests on rows: purge, label ends, duplicates, late cells, early fills."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd

from foldproof.tasks.benchmark.honest.forecaster import honest_features, keyed, next_close
from foldproof.tasks.benchmark.leaks.rows import same_close
from foldproof.tasks.benchmark.power.dial import Dial, any_of
from foldproof.tasks.benchmark.power.pipeline import SHARES, SMALL, Small, plain, touched
from foldproof.tasks.diagnose.data.duplicates import duplicates
from foldproof.tasks.diagnose.data.execution import execution
from foldproof.tasks.diagnose.data.label_end import declared_against_measured, label_ends
from foldproof.tasks.diagnose.data.purge import purge_of_samples
from foldproof.tasks.diagnose.findings.catalogue import by_key
from foldproof.tasks.diagnose.findings.finding import Finding
from foldproof.tasks.diagnose.forecaster import audit_forecaster
from foldproof.tasks.diagnose.spec import LATE_CUTS, QUICK, TRACED_CUTS, TRACED_EXECUTION_DATES

MEASURED_DATES = 3
"""Number of dates on which an audit measures label ends."""
COUNTS = (300.0, 100.0, 30.0, 10.0, 3.0, 2.0, 1.0, 0.0)
DISTANCES = (0.0, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3)


def on_rows(values: pd.Series, rows: pd.DataFrame) -> pd.Series:
    """``values`` indexed (date, symbol) on long ``rows``."""
    index = pd.MultiIndex.from_frame(rows[["date", "symbol"]])
    return pd.Series(values.reindex(index).to_numpy(), index=rows.index)


def some(places: np.ndarray, count: float, seed: int) -> np.ndarray:
    """``count`` of ``places``, at random."""
    return np.random.default_rng([seed, 2]).permutation(places)[: int(count)]


def on(rows: pd.DataFrame, dates: np.ndarray) -> np.ndarray:
    """Positions of the rows on ``dates``."""
    return np.flatnonzero(rows.index.get_level_values(0).isin(dates))


def keys(rows: pd.DataFrame, places: np.ndarray) -> pd.DataFrame:
    """Date and symbol of the rows at ``places``."""
    return rows.index[places].to_frame(index=False)


def unpurged(count: float, seed: int) -> Finding:
    """``purge`` with ``count`` training samples whose label reaches into the test block."""
    rows, fold = keyed(SMALL.rows(seed)), SMALL.fold
    ends = next_close(rows)["label_end"]
    train, test = on(rows, fold.train_dates), keys(rows, on(rows, fold.test_dates))
    before = rows.index.get_level_values(0) < fold.test_dates[0]
    reaching = np.flatnonzero(before & (ends >= fold.test_dates[0]).to_numpy())
    more = keys(rows, np.concatenate([train, some(reaching, count, seed)]))
    return purge_of_samples(more, test, ends, calendar=SMALL.calendar)[0]


def misstated(days: float, share: float, seed: int) -> Finding:
    """``purge`` with five-day labels whose end is stated ``days`` early on a share of the dates."""
    data = SMALL.rows(seed)

    def target(rows: pd.DataFrame) -> pd.Series:
        return on_rows(next_close(keyed(rows), 5)["target"], rows)

    measured = label_ends(target, data, dates=MEASURED_DATES, seed=seed)
    index = pd.MultiIndex.from_frame(data[["date", "symbol"]])
    place = np.searchsorted(SMALL.calendar, data["date"].to_numpy().astype("datetime64[D]"))
    early = np.where(touched(index, share, seed), days, 0).astype(int)
    stated = SMALL.calendar[np.minimum(place + 6, SMALL.days - 1) - early]
    declared = pd.Series(pd.DatetimeIndex(stated), index=data.index)
    return declared_against_measured(declared, measured)


def repeated(count: float, distance: float, seed: int) -> Finding:
    """``duplicates`` with ``count`` test rows copied from training rows, ``distance`` sd apart."""
    x, fold = honest_features(keyed(SMALL.rows(seed))), SMALL.fold
    train, test = on(x, fold.train_dates), on(x, fold.test_dates)
    values, draw = x.to_numpy(copy=True), np.random.default_rng([seed, 3])
    into, source = some(test, count, seed), some(train, count, seed)
    apart = distance * draw.choice([-1.0, 1.0], (len(into), x.shape[1])) * values.std(axis=0)
    values[into] = values[source] + apart
    copied = pd.DataFrame(values, index=x.index, columns=x.columns)
    return duplicates(copied, keys(copied, train), keys(copied, test))[0]


def read_late(share: float, seed: int) -> Finding:
    """``point_in_time`` on a forecaster that reads cells known a day late on a share of dates."""
    data = SMALL.rows(seed)
    late = touched(pd.MultiIndex.from_frame(data[["date", "symbol"]]), share, seed)
    known = data["date"] + pd.to_timedelta(np.where(late, 1, 0), "D")
    report = audit_forecaster(
        Small(plain), data.assign(known=known), SMALL.fold,
        replace(QUICK, cuts=TRACED_CUTS, seed=seed, known_at={"signal": "known"}),
    )  # fmt: skip
    return next(f for f in report.findings if f.test == "point_in_time")


def filled_early(mix: Callable[[pd.DataFrame, pd.DataFrame], pd.Series], seed: int) -> Finding:
    """``execution`` on a mix of an honest target and one that begins at the feature's close."""

    def target(rows: pd.DataFrame) -> pd.Series:
        ordered = keyed(rows)
        return on_rows(mix(next_close(ordered), same_close(ordered)), rows)

    return execution(
        target, SMALL.rows(seed), ["open", "close"], dates=TRACED_EXECUTION_DATES, seed=seed
    )


def on_some_dates(share: float, seed: int, honest: pd.DataFrame, early: pd.DataFrame) -> pd.Series:
    """The early target on a share of the dates."""
    return honest["target"].mask(touched(honest.index, share, seed), early["target"])


def in_part(size: float, honest: pd.DataFrame, early: pd.DataFrame) -> pd.Series:
    """The honest target plus ``size`` times the early one."""
    return honest["target"] + size * early["target"]


DATA_DIALS = by_key(
    Dial("T8 rows", "purge", "training samples whose label reaches into the test block [samples]",
         (16.0, 10.0, 3.0, 2.0, 1.0, 0.0), unpurged),
    Dial("T8 days", "purge", "label end stated too early [trading days]",
         (5.0, 3.0, 2.0, 1.0, 0.0), lambda days, seed: misstated(days, 1.0, seed),
         at=f"measured on {MEASURED_DATES} dates"),
    Dial("T8 share", "purge", "share of dates whose label end is stated a day too early", SHARES,
         partial(misstated, 1.0), any_of(MEASURED_DATES),
         at=f"measured on {MEASURED_DATES} dates"),
    Dial("T10 rows", "duplicates", "test rows that repeat a training row [rows]", COUNTS,
         lambda count, seed: repeated(count, 0.0, seed)),
    Dial("T10 distance", "duplicates",
         "distance of ten copies from their originals [sd of each feature]", DISTANCES,
         lambda distance, seed: repeated(10.0, distance, seed), honest=None),
    Dial("T11 share", "point_in_time",
         "share of dates whose cells a forecaster reads a day before they are known", SHARES,
         read_late, any_of(LATE_CUTS), at=f"{LATE_CUTS} cuts"),
    Dial("T12 share", "execution",
         "share of dates whose return begins at the close that the features read", SHARES,
         lambda p, seed: filled_early(partial(on_some_dates, p, seed), seed),
         any_of(TRACED_EXECUTION_DATES), at=f"{TRACED_EXECUTION_DATES} dates tried"),
    Dial("T12 size", "execution",
         "return from the close that is read, in the target [share of its sd]",
         (1.0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 0.0),
         lambda s, seed: filled_early(partial(in_part, s), seed),
         at=f"{TRACED_EXECUTION_DATES} dates tried"),
)  # fmt: skip
"""Purge, duplicates, point in time, execution order."""
