"""Was every value known when it was used?"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from foldproof.tasks.diagnose.findings.catalogue import DIAGNOSTICS
from foldproof.tasks.diagnose.findings.finding import Finding, Verdict, Witness
from foldproof.tasks.diagnose.perturb.compare import day
from foldproof.tasks.diagnose.perturb.keys import times_of
from foldproof.tasks.diagnose.perturb.rows import KEYS

TEST = DIAGNOSTICS["point_in_time"]
DAY = np.timedelta64(1, "D")


def point_in_time(
    data: pd.DataFrame, known: Mapping[str, str], decision: str = "date"
) -> list[Finding]:
    """Cells that became known after the decision that uses them.

    Args:
        data: Long rows with ``date``, ``symbol`` and raw columns.
        known: Column -> column of the time at which its cell became known (publication, not the end
            of the period that it is about).
        decision: Column of the time at which the row is used. Trap: if it holds dates without time
            of day, as ``date`` does, whatever became known on that day counts as known, be it
            after the close.

    Returns:
        One LEAK finding a column with late cells; one CLEAN for columns without; one UNKNOWN,
        which informs only, for columns without knowledge times, or with cells that lack one.

    Raises:
        ValueError: A column is missing or holds no times, or time zones do not match.
    """
    for name in (*KEYS, *known):
        if name not in data:
            raise ValueError(f"data needs the column {name}; it is missing")
    used = times_of(data, decision)
    if used.isna().any():
        raise ValueError(f"{decision} must not be missing; row {int(used.isna().argmax())} is")
    times = {*known.values(), decision, *KEYS}
    found, clean, unknown, cells = [], [], [], 0
    for name in (str(column) for column in data if column not in times):
        there = data[name].notna().to_numpy()
        if name not in known:
            unknown.append(f"{name} has no knowledge time")
            continue
        told = times_of(data, known[name])
        late = lag(used, told, known[name], decision)
        untold = there & told.isna()
        if (there & (late > 0)).any():
            found.append(late_column(data, name, there, late, used))
        elif untold.any():
            unknown.append(f"{name} has none in {int(untold.sum())} of {int(there.sum())} cells")
        else:
            clean.append(name)
            cells += int(there.sum())
    if clean:
        found.append(
            answer(Verdict.CLEAN, 0.0, f"{cells} cells", f"known in time: {', '.join(clean)}")
        )
    if unknown or not found:
        found.append(not_known("; ".join(unknown) or "no column to look at"))
    return found


def lag(used: pd.DatetimeIndex, told: pd.DatetimeIndex, name: str, decision: str) -> np.ndarray:
    """(n,) days from decision to knowledge, 0 or less where known in time or not said."""
    if (used.tz is None) != (told.tz is None) and told.notna().any():
        raise ValueError(
            f"{name} and {decision} must both have a time zone or both have none; they are in "
            f"{told.tz} and {used.tz}"
        )
    if used.tz is not None and told.tz is not None:
        told = told.tz_convert(used.tz)
    at, when = used.tz_localize(None), told.tz_localize(None)
    if len(at) and (at == at.normalize()).all():
        when = when.normalize()
    late = (when.to_numpy() - at.to_numpy()) / DAY
    return np.where(np.isnan(late), 0.0, late)


def late_column(
    data: pd.DataFrame, name: str, there: np.ndarray, late: np.ndarray, used: pd.DatetimeIndex
) -> Finding:
    """The finding on a column with cells that were not known in time."""
    wrong = there & (late > 0)
    worst = int(np.where(wrong, late, -np.inf).argmax())
    at = used.tz_localize(None).to_numpy()
    known = at[worst] + np.timedelta64(round(late[worst] * 86400), "s")
    between = (at > at[worst]) & (at < known)  # decisions that still came too early
    count, cells = int(wrong.sum()), int(there.sum())
    return answer(
        Verdict.LEAK,
        float(count),
        f"{cells} cells",
        f"{count} of {cells} cells of {name} ({count / cells:.1%}) became known after their use, "
        f"up to {late[worst]:.1f} days",
        Witness(
            date=day(data["date"].iloc[worst]), symbol=str(data["symbol"].iloc[worst]), column=name
        ),
        len(np.unique(at[between].astype("datetime64[D]"))) + 1,
    )


def answer(
    verdict: Verdict,
    value: float,
    tested: str,
    detail: str,
    witness: Witness | None = None,
    ahead: int | None = None,
    statistic: str = TEST.statistic,
    counts: bool = True,
) -> Finding:
    """A finding of this test on the raw data."""
    evidence = detail if verdict is Verdict.UNKNOWN else "exact"
    return Finding(
        TEST.key, "raw data", verdict, evidence, statistic, value, TEST.threshold, tested, witness,
        detail, counts, ahead,
    )  # fmt: skip


def not_known(why: str) -> Finding:
    """The answer on columns that do not say when they became known."""
    return answer(Verdict.UNKNOWN, float("nan"), "nothing", why, counts=False)
