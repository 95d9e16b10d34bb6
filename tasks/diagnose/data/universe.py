"""Does later information decide which stocks and rows are kept?"""

from collections.abc import Callable, Collection, Mapping
from functools import partial
from types import MappingProxyType

import numpy as np
import pandas as pd

from foldproof.tasks.diagnose.findings.catalogue import DIAGNOSTICS
from foldproof.tasks.diagnose.findings.finding import Finding, Verdict, Witness
from foldproof.tasks.diagnose.perturb.attempt import Attempt, attempt, checked_data
from foldproof.tasks.diagnose.perturb.compare import day
from foldproof.tasks.diagnose.perturb.cuts import choose_cuts
from foldproof.tasks.diagnose.perturb.rows import change_rows, checked_names, late_cells, schedule

Select = Callable[[pd.DataFrame], pd.DataFrame | pd.Series | Collection[str]]
"""Raw rows -> the rows that are kept (a part of the table, or true and false on its index), or the
symbols that are kept."""
TEST = DIAGNOSTICS["serve_invariance"]


def universe(
    select: Select,
    data: pd.DataFrame,
    *,
    cuts: int = 20,
    seed: int = 0,
    perturbations: tuple[str, ...] = ("truncate", "missing", "noise", "flip"),
    known_at: Mapping[str, str] = MappingProxyType({}),
) -> Finding:
    """Change what is dated after a cut and see whether rows dated up to it are kept or dropped.

    This catches survivors chosen by the end of the sample, stocks dropped for gaps that come later
    and samples dropped for extreme labels. It is blind to a universe that came with the data.

    Args:
        select: See :data:`Select`; it gets copies.
        data: Long rows with ``date``, ``symbol`` and raw columns; its index is unique.
        cuts: Dates to cut at: inside gaps, before gaps, Wednesdays, month ends, any.
        seed: Of the cuts and of the noise.
        perturbations: Keys of PERTURBATIONS: the first at every cut, the others in turn.
        known_at: Raw columns that are known later than their date, such as labels -> the column
            that says when.

    Returns:
        LEAK with the number of different past rows that were kept at one time and dropped at
        another; UNKNOWN where ``select`` cannot do without later rows, or gives other rows when it
        is run twice.

    Raises:
        ValueError: Unusable data, or ``select`` keeps rows that it was not given.
    """
    checked_names(perturbations)
    checked_data(data, cuts, known_at)
    before = kept(select, data)
    same = bool((kept(select, data) == before).all())
    at = choose_cuts(data, cuts, seed)
    tried = Attempt(at)
    touched = np.zeros(len(data), bool)
    days = np.unique(data["date"].to_numpy())
    ahead, first = 0, None
    for place, name in schedule(len(at), perturbations) if same else ():
        past = (data["date"] <= at[place]).to_numpy()
        generator = np.random.default_rng([seed, place])
        late = late_cells(data, known_at, at[place])
        changed = change_rows(data, ~past, name, generator, late)
        after, reason = attempt(partial(kept, select, changed))
        if after is None:
            tried.failed.setdefault(name, reason)
            continue
        tried.worked[name] += 1
        moves = past & (pd.Series(after, changed.index).reindex(data.index) != before).to_numpy()
        if moves.any():
            oldest = int(np.flatnonzero(moves)[data["date"].to_numpy()[moves].argmin()])
            first = first or witness_of(data, oldest, bool(before[oldest]), at[place])
            dates = np.searchsorted(days, [data["date"].to_numpy()[oldest], at[place]])
            ahead = max(ahead, int(dates[1] + 1 - dates[0]))
        touched |= moves
    unknown = tried.unknown() if same else "two runs on the same data keep different rows"
    return finding_of(before, touched, tried, "" if touched.any() else unknown, first, ahead)


def kept(select: Select, data: pd.DataFrame) -> np.ndarray:
    """(n,) bool: the rows of ``data`` that ``select`` keeps.

    Raises:
        ValueError: It keeps rows that it was not given, or answers with something else.
    """
    out = select(data.copy())
    if isinstance(out, pd.DataFrame):
        strange = ~out.index.isin(data.index)
        if strange.any():
            raise ValueError(
                f"select must keep rows (by their index) that it was given; {int(strange.sum())} "
                f"of {len(out)} are strange"
            )
        return np.asarray(data.index.isin(out.index))
    if isinstance(out, pd.Series):
        if not pd.api.types.is_bool_dtype(out) or not out.index.equals(data.index):
            raise ValueError(
                "select must return true or false for every row it was given, on the same index; "
                f"it returned {len(out)} values of {out.dtype} for {len(data)} rows"
            )
        return out.to_numpy(dtype=bool, na_value=False)
    if isinstance(out, str) or not isinstance(out, Collection | np.ndarray):
        raise ValueError(f"select must return rows or symbols; it returned {type(out).__name__}")
    return data["symbol"].isin(list(out)).to_numpy()


def witness_of(data: pd.DataFrame, row: int, was_kept: bool, cut: np.datetime64) -> Witness:
    """The row that is kept or not by what comes after ``cut``; 1 is kept, 0 is dropped."""
    return Witness(
        cut=day(cut),
        date=day(data["date"].iloc[row]),
        symbol=str(data["symbol"].iloc[row]),
        column="kept",
        before=float(was_kept),
        after=float(not was_kept),
    )


def finding_of(
    before: np.ndarray,
    touched: np.ndarray,
    tried: Attempt,
    unknown: str,
    witness: Witness | None,
    ahead: int,
) -> Finding:
    """The verdict on the rows whose fate later rows decide."""
    count = int(touched.sum())
    verdict = Verdict.LEAK if count else Verdict.UNKNOWN if unknown else Verdict.CLEAN
    return Finding(
        test=TEST.key,
        stage="universe",
        verdict=verdict,
        evidence=unknown or "exact",
        statistic="past rows that are kept or dropped by what comes later [rows]",
        value=float("nan") if verdict is Verdict.UNKNOWN else float(count),
        threshold=0.0,
        tested=f"{int(before.sum())} of {len(before)} rows kept; {tried}",
        witness=witness,
        detail=unknown
        or (f"the fate of {count} rows is decided up to {ahead} trading days later or more"
            if count else "what is kept of the past does not depend on later rows"),
        ahead=ahead or None,
    )  # fmt: skip
