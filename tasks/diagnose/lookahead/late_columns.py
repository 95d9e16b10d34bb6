"""Columns that end early, as labels do, without a stated date on which they become known."""

from functools import partial

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from foldproof.tasks.diagnose.findings.finding import Finding
from foldproof.tasks.diagnose.findings.verdicts import unknown_finding
from foldproof.tasks.diagnose.perturb.attempt import attempt
from foldproof.tasks.diagnose.perturb.compare import NOISE_MARGIN, day
from foldproof.tasks.diagnose.perturb.rows import KEYS, change_rows
from foldproof.tasks.diagnose.spec import UNDECLARED_CUTS
from foldproof.tasks.diagnose.trace.run import ReferenceRun


def undeclared_findings(
    reference: ReferenceRun, first: np.datetime64, others: list[np.datetime64], rerun: float
) -> list[Finding]:
    """UNKNOWN if forecasts read a column before it can be known, and ``known_at`` lacks it.

    Without ``known_at`` a cell counts as known on its date. A forecaster that reads labels as
    features, or trains on labels up to the test block, would then be called clean. A label of the
    next k dates is missing on the newest k dates of all symbols, and is recognised by that. So is a
    column whose delivery ended early: this is not proof of a leak.

    Args:
        reference: The run on the unchanged data.
        first: The first test date, where training is repeated.
        others: Later cuts.
        rerun: Largest move between two runs on the same data.
    """
    limit = max(reference.rounding, NOISE_MARGIN * rerun)
    cuts = (first, *others[:: max(1, len(others) // UNDECLARED_CUTS)][:UNDECLARED_CUTS])
    for name, lag in lags_of(reference).items():
        if name in reference.options.known_at:
            continue
        for cut in cuts:
            if _move(reference, name, lag, cut, retrain=cut == first) > limit:
                reason = (
                    f"forecasts up to {day(cut)} depend on {name!r} on the {lag} dates up to that "
                    f"day. The column is missing on the newest {lag} dates of all symbols, like a "
                    f"label that becomes known {lag} dates later; reading it earlier is a leak. "
                    f"Set known_at.{name}=COLUMN, a column of the dates on which it becomes known"
                )
                tested = f"the cells of {name!r}"
                return [unknown_finding("point_in_time", "raw data", reason, tested)]
    return []


def lags_of(reference: ReferenceRun) -> dict[str, int]:
    """Numeric columns that are missing on the newest dates -> on how many of them.

    Empty unless another column has numbers up to the last date; columns without numbers are left
    out.
    """
    return trailing_lags(reference.data, reference.dates)


def trailing_lags(data: pd.DataFrame, dates: np.ndarray) -> dict[str, int]:
    """:func:`lags_of` the columns of long ``data`` on its ascending ``dates`` (D,)."""
    numeric = [name for name in data if name not in KEYS and is_numeric_dtype(data[name])]
    last = {str(n): data.loc[data[n].notna(), "date"].max() for n in numeric}
    known = {n: np.datetime64(to).astype(dates.dtype) for n, to in last.items() if to == to}
    lags = {n: len(dates) - 1 - np.searchsorted(dates, to) for n, to in known.items()}
    return {n: int(lag) for n, lag in lags.items() if lag > 0 and min(lags.values()) == 0}


def _move(reference: ReferenceRun, name: str, lag: int, cut: np.datetime64, retrain: bool) -> float:
    """Largest move of forecasts up to ``cut`` when ``name`` changes on its newest ``lag`` dates."""
    place = np.searchsorted(reference.dates, reference.data["date"].to_numpy())
    end = int(np.searchsorted(reference.dates, cut))
    late = {name: (place > end - lag) & (place <= end)}
    none, generator = (
        np.zeros(len(place), dtype=bool),
        np.random.default_rng(reference.options.seed),
    )
    changed = change_rows(reference.data, none, "noise", generator, late)
    models = None if retrain else reference.base.trace.reusable
    run, _ = attempt(partial(reference.bound.run, changed, models))
    return 0.0 if run is None else reference.moves(run, cut).value
