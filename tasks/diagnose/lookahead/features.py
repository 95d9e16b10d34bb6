"""Do features of a past date move when later rows change? For any transform of a long table."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType

import numpy as np
import pandas as pd

from foldproof.tasks.diagnose.findings.catalogue import DIAGNOSTICS
from foldproof.tasks.diagnose.findings.finding import Finding, LeakReport, Verdict, Witness
from foldproof.tasks.diagnose.perturb.attempt import Attempt, Transform, attempt, checked_data, run
from foldproof.tasks.diagnose.perturb.compare import (
    NOISE_MARGIN,
    day,
    moved,
    numbers,
    spread,
    tolerance_of,
)
from foldproof.tasks.diagnose.perturb.cuts import choose_cuts
from foldproof.tasks.diagnose.perturb.rows import (
    PERTURBATIONS,
    change_rows,
    checked_names,
    late_cells,
    schedule,
)

TEST = DIAGNOSTICS["serve_invariance"]


STAGE = "features"


@dataclass
class Column:
    """What was seen of one feature.

    Attributes:
        name: Of the feature.
        scale: Its standard deviation.
        tolerance: LEAK above it.
        rerun: How far it moves between two runs on the same data.
        tested: Past values compared.
        value: Largest finite move, in sd of the feature.
        vanished: A value appeared or vanished.
        witness: Where it moved most.
        ahead: Trading days from the moved value to the first changed row, at most.
        cuts: Cuts at which it moved by more than the tolerance.
    """

    name: str
    scale: float
    tolerance: float
    rerun: float
    tested: int = 0
    value: float = 0.0
    vanished: bool = False
    witness: Witness | None = None
    ahead: int = 0
    cuts: set[np.datetime64] = field(default_factory=set)

    @property
    def limit(self) -> float:
        """Moves above this are not explained by rounding or by running twice."""
        return max(self.tolerance, NOISE_MARGIN * self.rerun)

    @property
    def leaks(self) -> bool:
        """The future moved it."""
        return bool(self.cuts)

    @property
    def unknown(self) -> str:
        """Why nothing can be said of it, or nothing."""
        if self.leaks:
            return ""
        if not self.tested:
            return "no value to compare"
        if self.rerun > self.tolerance:
            return "two runs on the same data differ, and no move stands out"
        return ""


def audit_features(
    transform: Transform,
    data: pd.DataFrame,
    *,
    cuts: int = 20,
    seed: int = 0,
    perturbations: tuple[str, ...] = ("truncate", "missing", "noise", "flip"),
    each: int = 2,
    tolerance: float | None = None,
    known_at: Mapping[str, str] = MappingProxyType({}),
) -> LeakReport:
    """Change what is dated after a cut and see whether features dated up to it move.

    Args:
        transform: Long rows -> features on the same rows (same index; columns date and symbol are
            not looked at). It gets copies.
        data: Long rows with ``date`` (datetime), ``symbol`` and raw columns; its index is unique.
        cuts: Dates to cut at: inside gaps, before gaps, Wednesdays, month ends, any.
        seed: Of the cuts and of the noise.
        perturbations: Keys of PERTURBATIONS: the first at every cut, the others in turn.
        each: Changes tried at each cut, 1 (all in turn) or 2.
        tolerance: Moves up to this many sd of the feature are rounding; by default 1e-9, and
            1e-5 for features in float32.
        known_at: Columns that are known later than their row's date, such as labels -> the column
            of the date on which they are known. They are changed too where that is after the cut.

    Returns:
        One LEAK finding a column that moved, with witness and look-ahead; one CLEAN finding for
        the columns that did not; UNKNOWN for those about which nothing can be said.

    Raises:
        ValueError: Unusable data or output, or an unknown perturbation.
    """
    checked_names(perturbations)
    checked_data(data, cuts, known_at)
    before = run(transform, data)
    again = run(transform, data)
    dates = np.unique(data["date"].to_numpy())
    at = choose_cuts(data, cuts, seed)
    columns = [watched(before[name], again[name], tolerance) for name in before]
    frames = {name: numbers(before[name]) for name in before}
    tried = Attempt(at)
    for place, name in schedule(len(at), perturbations, each):
        later = (data["date"] > at[place]).to_numpy()
        generator = np.random.default_rng([seed, place, list(PERTURBATIONS).index(name)])
        late = late_cells(data, known_at, at[place])
        changed = change_rows(data, later, name, generator, late)
        after, reason = attempt(partial(run, transform, changed))
        if after is None:
            tried.failed.setdefault(name, reason)
            continue
        tried.worked[name] += 1
        for column in columns:
            now = after[column.name].reindex(data.index) if column.name in after else None
            values = np.full(len(data), np.nan) if now is None else numbers(now)
            watch(column, frames[column.name], values, data, ~later, at[place], dates)
    return LeakReport("features", tuple(findings_of(columns, tried)))


def watched(before: pd.Series, again: pd.Series, tolerance: float | None) -> Column:
    """A feature with its tolerance and its noise between two runs."""
    values = numbers(before)
    scale = spread(values)
    rerun = float(np.max(moved(values, numbers(again)), initial=0.0)) / scale
    limit = tolerance_of(before) if tolerance is None else tolerance
    return Column(str(before.name), scale, limit, rerun)


def watch(
    column: Column,
    before: np.ndarray,
    after: np.ndarray,
    data: pd.DataFrame,
    past: np.ndarray,
    cut: np.datetime64,
    dates: np.ndarray,
) -> None:
    """Compare (n,) ``before`` and ``after`` on the ``past`` rows; keep the worst in ``column``."""
    sizes = moved(before[past], after[past]) / column.scale
    column.tested += int(np.isfinite(before[past]).sum())
    finite = np.where(np.isinf(sizes), -1.0, sizes)
    column.vanished |= bool(np.isinf(sizes).any())
    moves = sizes > column.limit
    if moves.any():
        column.cuts.add(cut)
        place = np.searchsorted(dates, data["date"].to_numpy()[past][moves].min())
        column.ahead = max(column.ahead, int(np.searchsorted(dates, cut) + 1 - place))
    top = int(finite.argmax() if finite.max(initial=-1.0) > column.limit else sizes.argmax())
    if moves.any() and (column.witness is None or finite[top] > column.value):
        row = np.flatnonzero(past)[top]
        column.witness = Witness(
            cut=day(cut),
            date=day(data["date"].iloc[row]),
            symbol=str(data["symbol"].iloc[row]),
            column=column.name,
            before=float(before[row]),
            after=float(after[row]),
        )
    column.value = max(column.value, float(finite.max(initial=0.0)))


def findings_of(columns: list[Column], tried: Attempt) -> Iterator[Finding]:
    """One finding a leaking column, then one for those that are clean and one for the rest."""
    for column in columns:
        if column.leaks:
            yield leak(column, tried)
    rest = [column for column in columns if not column.leaks]
    reasons = {column.name: column.unknown or tried.unknown() for column in rest}
    clean = [column for column in rest if not reasons[column.name]]
    if clean:
        yield finding(Verdict.CLEAN, clean, tried, "exact", rounding_note(clean))
    unknown = [column for column in rest if reasons[column.name]]
    if unknown or not columns:
        why = "; ".join(f"{column.name}: {reasons[column.name]}" for column in unknown)
        yield finding(Verdict.UNKNOWN, unknown, tried, why or "no feature", why or "no feature")


def leak(column: Column, tried: Attempt) -> Finding:
    """The finding of a column that the future moved."""
    value = column.value if column.value > column.limit else float("inf")
    detail = (
        f"{column.name} looks at least {column.ahead} trading day"
        f"{'s' * (column.ahead > 1)} ahead, seen at {len(column.cuts)} of {len(tried.cuts)} cuts"
    )
    if column.vanished:
        detail += "; values appear or vanish"
    return Finding(
        TEST.key, STAGE, Verdict.LEAK, "exact", "largest move of a past value [sd of the feature]",
        value, column.limit, str(tried), column.witness, detail,
    )  # fmt: skip


def finding(
    verdict: Verdict, columns: list[Column], tried: Attempt, evidence: str, detail: str
) -> Finding:
    """One finding for columns of the same answer."""
    return Finding(
        test=TEST.key,
        stage=STAGE,
        verdict=verdict,
        evidence=evidence,
        statistic="largest move of a past value [sd of the feature]",
        value=max((column.value for column in columns), default=float("nan")),
        threshold=max((column.limit for column in columns), default=TEST.threshold),
        tested=f"{len(columns)} features; {tried}",
        detail=detail,
    )


def rounding_note(columns: list[Column]) -> str:
    """What did not move, and what moved in the last bits only."""
    rounded = [column.name for column in columns if column.value > 0]
    names = ", ".join(column.name for column in columns)
    return f"{names}{'; rounding only: ' + ', '.join(rounded) if rounded else ''}"
