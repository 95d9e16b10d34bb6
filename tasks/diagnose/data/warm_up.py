"""How much history do results need before it no longer matters where the history began?"""

from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd

from foldproof.tasks.diagnose.findings.catalogue import DIAGNOSTICS
from foldproof.tasks.diagnose.findings.finding import Finding, Verdict
from foldproof.tasks.diagnose.lookahead.features import Column, watched
from foldproof.tasks.diagnose.perturb.attempt import attempt, run
from foldproof.tasks.diagnose.perturb.compare import moved, numbers, spread
from foldproof.tasks.diagnose.perturb.keys import checked_dates

Transform = Callable[[pd.DataFrame], pd.DataFrame]
TEST = DIAGNOSTICS["warm_up"]


def warm_up(
    transform: Transform,
    data: pd.DataFrame,
    declared: int,
    drops: Iterable[int] | None = None,
    tolerance: float | None = None,
) -> list[Finding]:
    """Let history begin later and compare results that have ``declared`` rows or more before them.

    A result that still moves then is not a leak: it is the distant past that moves it, not the
    future. But whoever runs the pipeline live, with less history than the backtest had, gets other
    numbers. So the answer is CLEAN or UNKNOWN, never LEAK, and informs only (freqtrade calls the
    test recursive-analysis). The measured memory is also the embargo that features need where
    training data follow test data.

    Args:
        transform: Long rows -> features on the same rows (same index). It gets copies.
        data: Long rows with ``date`` and ``symbol``.
        declared: Rows of a symbol, its own included, that are said to be enough.
        drops: Numbers of first dates to drop; by default a quarter, a half and three quarters of
            those that leave ``declared`` rows.
        tolerance: Moves up to this many sd of a feature are rounding; by default 1e-9, and 1e-5
            for features in float32. A decaying average needs about log(1 / tolerance) of its
            decay times to get there: allow what matters to you.

    Returns:
        One CLEAN finding for the features that are settled, with their memory in rows, and one
        UNKNOWN finding for each of the others.

    Raises:
        ValueError: Unusable data or output, ``declared`` below 1, or drops that leave nothing.
    """
    days = np.unique(checked_dates(data["date"], "data['date']").to_numpy())
    if declared < 1:
        raise ValueError(f"declared is a number of rows of at least 1; it is {declared}")
    dropped = usable_drops(len(days), declared, drops)
    if not dropped:
        why = f"{len(days)} dates are too few to drop any and leave {declared} rows"
        return [answer(Verdict.UNKNOWN, float("nan"), 0.0, "nothing", why)]
    before, again = run(transform, data), run(transform, data)
    seen = {name: watched(before[name], again[name], tolerance) for name in before}
    curves, reason = attempt(lambda: start_sensitivity(transform, data, dropped))
    if curves is None or not seen:
        return [answer(Verdict.UNKNOWN, float("nan"), 0.0, "nothing", reason or "no feature")]
    tested = f"first {', '.join(map(str, dropped))} of {len(days)} dates dropped"
    open_to = {name: unsettled(seen[name], curves[name], declared) for name in seen}
    sizes = {name: float(curves[name][curves.index >= declared].max()) for name in seen}
    found = [
        answer(Verdict.UNKNOWN, sizes[name], seen[name].limit, tested, f"{name} {why}")
        for name, why in open_to.items()
        if why
    ]
    settled = [name for name, why in open_to.items() if not why]
    if settled:
        listed = (f"{name} {memory_of(curves[name], seen[name].limit)}" for name in settled)
        top, limit = max(sizes[name] for name in settled), max(seen[name].limit for name in settled)
        detail = f"memory in rows: {', '.join(listed)}"
        found.append(answer(Verdict.CLEAN, top, limit, tested, detail))
    return found


def unsettled(column: Column, curve: pd.Series, declared: int) -> str:
    """Why a feature cannot be called settled with ``declared`` rows, or nothing."""
    late = curve[curve.index >= declared].dropna()
    if late.empty:
        return f"has no result with {declared} rows"
    if column.rerun > column.tolerance:
        return "differs between two runs on the same data"
    if (late <= column.limit).all():
        return ""
    rows = memory_of(curve, column.limit)
    if rows > late.index[-1]:
        return f"moves as long as there is history to drop: it needs {rows} rows or more"
    return f"still moves with {declared} rows: it needs {rows}"


def usable_drops(dates: int, declared: int, drops: Iterable[int] | None) -> list[int]:
    """Numbers of first dates to drop, ascending."""
    room = dates - declared
    if drops is None:
        return sorted({room // 4, room // 2, 3 * room // 4} - {0}) if room > 0 else []
    chosen = sorted(set(drops))
    if not chosen or chosen[0] < 1 or chosen[-1] >= dates:
        raise ValueError(
            f"drops must be one or more numbers from 1 to {dates - 1}, one less than there are "
            f"dates; they are {', '.join(map(str, chosen)) or 'none'}"
        )
    return chosen


def start_sensitivity(
    transform: Transform, data: pd.DataFrame, drops: Iterable[int]
) -> pd.DataFrame:
    """How far results move when the first dates are dropped, by the rows that remain.

    One run tells the whole curve: a symbol's k-th row after the new beginning has k rows of
    history.

    Args:
        transform: Long rows -> features on the same rows.
        data: Long rows with ``date`` and ``symbol``.
        drops: Numbers of first dates to drop.

    Returns:
        Index: rows of history, own one included; columns: features. The largest move over all
        drops and symbols in sd of the feature, infinite where a value appears or vanishes, NaN
        where nothing is compared.
    """
    before = run(transform, data)
    dates = checked_dates(data["date"], "data['date']").to_numpy()
    days = np.unique(dates)
    curves = []
    for drop in drops:
        rest = data[dates >= days[drop]]
        after = run(transform, rest)
        age = rest.sort_values("date", kind="stable").groupby("symbol").cumcount() + 1
        # a symbol that is listed after the new beginning loses nothing
        older = rest["symbol"].isin(data["symbol"][dates < days[drop]]).to_numpy()
        sizes = {name: differences(before[name], after[name]) for name in before}
        table = pd.DataFrame(sizes, index=rest.index)
        curves.append(table[older].groupby(age.reindex(rest.index)[older]).max())
    whole = pd.concat(curves)
    return whole.groupby(level=0).max().rename_axis("rows")


def differences(before: pd.Series, after: pd.Series) -> np.ndarray:
    """(n,) moves on the rows of ``after`` in sd of the feature; NaN where both are missing."""
    one, other = numbers(before.loc[after.index]), numbers(after)
    sizes = moved(one, other) / spread(numbers(before))
    return np.where(np.isnan(one) & np.isnan(other), np.nan, sizes)


def memory_of(curve: pd.Series, limit: float) -> int:
    """Rows, own one included, from which on a result no longer depends on what came before."""
    moving = curve.index[(curve > limit).to_numpy()]
    return int(moving[-1]) + 1 if len(moving) else 1


def answer(verdict: Verdict, value: float, limit: float, tested: str, detail: str) -> Finding:
    """A finding of this test, which informs only."""
    return Finding(
        test=TEST.key,
        stage="features",
        verdict=verdict,
        evidence=detail if verdict is Verdict.UNKNOWN else "exact",
        statistic=TEST.statistic,
        value=value,
        threshold=limit,
        tested=tested,
        detail=detail,
        counts=False,
    )
