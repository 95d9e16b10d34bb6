"""Can the return that is forecast be had? It must begin after the last row the forecast reads."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from foldproof.tasks.diagnose.data.label_end import chosen_days
from foldproof.tasks.diagnose.data.labels import Target, TargetTransform, amounts, target_of
from foldproof.tasks.diagnose.findings.catalogue import DIAGNOSTICS
from foldproof.tasks.diagnose.findings.finding import Finding, Verdict, Witness
from foldproof.tasks.diagnose.perturb.compare import day, moved
from foldproof.tasks.diagnose.perturb.rows import PERTURBATIONS, changed_column

TEST = DIAGNOSTICS["execution"]
LEVELS = 10
"""Later prices are held at 1, then at a power of two up to this one, which keeps ratios exact."""
REMEDY = "name the price columns in columns, or audit the return before anything is taken off it"


@dataclass
class Reads:
    """How the targets of the tried dates react.

    Attributes:
        target: What is audited.
        columns: Raw columns that are changed.
        dates: Dates tried.
        cells: Targets tried.
        past: Rows (of the data) of targets that move with rows dated up to their own date.
        level: Rows of targets that move with the level of a flat later price.
        later: Whether any target moves with later rows.
        added: Whether, with no later return, any target still moves with earlier rows.
        with_own: Sum over targets of (change of the row's own return) x (change of the target).
        failed: Why the target could not be made from changed rows, or nothing.
        witness: The first target that moves with rows dated up to its own.
    """

    target: Target
    columns: list[str]
    dates: int = 0
    cells: int = 0
    past: list[int] = field(default_factory=list)
    level: list[int] = field(default_factory=list)
    later: bool = False
    added: bool = False
    with_own: float = 0.0
    failed: str = ""
    witness: Witness | None = None


def execution(
    target_transform: TargetTransform,
    data: pd.DataFrame,
    columns: Iterable[str] | None = None,
    *,
    dates: int = 6,
    seed: int = 0,
) -> Finding:
    """Whether a target's return begins on or before its own date, whose close the features read.

    Rows dated up to a date are changed by noise. A forward return from the next close does not
    move: CLEAN. If the target of the date moves, three more changes tell why:

    - All later prices are held at one level, then at another. No return that begins later can
      move; one that spans the border, such as close[d + h] / close[d], must: LEAK.
    - All later rows are changed. A target that never moves is known at its date: LEAK.
    - Where the data hold returns (columns with a sign), the own date's are shifted while all later
      ones are 0. A target that moves with them contains them: LEAK.

    Otherwise the past is a scale, weight, beta or barrier of an honest return if the target is
    still without any later return: CLEAN. What is left is UNKNOWN: something is taken off, such as
    a rate or a trailing mean, or returns within earlier days are added.

    Args:
        target_transform: Long raw rows -> the target on the same rows (same index).
        data: Long rows with ``date``, ``symbol`` and raw columns.
        columns: Raw columns to change, such as the prices; by default every column of numbers but
            codes that never change within a symbol.
        dates: How many dates' targets to try.
        seed: Of the dates and of the noise.

    Raises:
        ValueError: Unusable data or columns, or a target that is not one column.
    """
    if dates < 1:
        raise ValueError(f"at least 1 date is needed; it is {dates}")
    target = target_of(target_transform, data)
    reads = Reads(target, amounts(data, columns))
    there = np.isfinite(target.values)
    for place in chosen_days(target, there & (target.row > 0), dates, seed):
        cells = there & (target.row == place)
        reads.dates, reads.cells = reads.dates + 1, reads.cells + int(cells.sum())
        watch(reads, place, cells, np.random.default_rng([seed, place]))
    return finding_of(reads)


def watch(reads: Reads, place: int, cells: np.ndarray, generator: np.random.Generator) -> None:
    """Change what is dated up to day ``place`` and, where that moves its targets, see why."""
    target, early = reads.target, reads.target.row <= place
    noised = noise(target.data, early, reads.columns, generator)
    moves = cells & changed(reads, target.data, noised)
    if not moves.any():
        return
    rows = np.flatnonzero(moves)
    reads.past += rows.tolist()
    flat = held(target.data, ~early, reads.columns)
    other = held(target.data, ~early, reads.columns, levels_of(target.data, generator))
    reads.level += np.flatnonzero(cells & changed(reads, flat, other)).tolist()
    blurred = noise(target.data, ~early, reads.columns, generator)
    reads.later |= bool((cells & changed(reads, target.data, blurred)).any())
    still = held(noised, ~early, reads.columns)
    reads.added |= bool((cells & changed(reads, flat, still)).any())
    reads.with_own += with_own(reads, flat, cells, generator)
    if reads.witness is None:
        row, now = rows[0], made(reads, noised)
        reads.witness = Witness(
            date=day(target.days[place]),
            symbol=str(target.data["symbol"].iloc[row]),
            column="target",
            before=float(target.values[row]),
            after=float(now[row]),
        )


def with_own(
    reads: Reads, flat: pd.DataFrame, cells: np.ndarray, generator: np.random.Generator
) -> float:
    """How targets without any later return follow a shift of their own date's returns."""
    shift = generator.choice([-1.0, 1.0], len(cells)) * cells
    before, after = made(reads, flat), made(reads, shifted(flat, shift, reads.columns))
    sizes = moved(before, after)
    moves = cells & np.isfinite(sizes) & (sizes > reads.target.limit * reads.target.scale)
    return float(((after[moves] - before[moves]) * shift[moves]).sum())


def made(reads: Reads, data: pd.DataFrame) -> np.ndarray:
    """(n,) the target made from other rows; all missing, and noted, where that fails."""
    values, reason = reads.target.again(data)
    reads.failed = reads.failed or reason
    return np.full(len(data), np.nan) if values is None else values


def changed(reads: Reads, one: pd.DataFrame, other: pd.DataFrame) -> np.ndarray:
    """(n,) bool: targets that differ between two versions of the rows by more than rounding."""
    before = reads.target.values if one is reads.target.data else made(reads, one)
    return moved(before, made(reads, other)) > reads.target.limit * reads.target.scale


def noise(
    data: pd.DataFrame, rows: np.ndarray, columns: list[str], generator: np.random.Generator
) -> pd.DataFrame:
    """``columns`` of ``rows`` blurred; as floats, for rounding could leave a whole number be."""
    way = PERTURBATIONS["noise"]
    return data.assign(
        **{
            name: changed_column(data[name].astype(np.float64), rows, way, generator)
            for name in columns
        }
    )


def positive(column: pd.Series) -> bool:
    """Whether all values are above 0: a price or an amount, not a return."""
    return bool((column.dropna() > 0).all())


def levels_of(data: pd.DataFrame, generator: np.random.Generator) -> np.ndarray:
    """(n,) a level for each symbol, so that ranks within a date move as well."""
    codes, symbols = pd.factorize(data["symbol"])
    return 2.0 ** generator.integers(1, LEVELS + 1, len(symbols))[codes]


def held(
    data: pd.DataFrame, rows: np.ndarray, columns: list[str], level: np.ndarray | float = 1.0
) -> pd.DataFrame:
    """No return on ``rows``: every price is at its ``level``, every column with a sign is 0."""
    out = {}
    for name in columns:
        values = data[name].to_numpy(np.float64, na_value=np.nan)
        flat = np.where(np.isnan(values), np.nan, level if positive(data[name]) else 0.0)
        out[name] = np.where(rows, flat, values)
    return data.assign(**out)


def shifted(data: pd.DataFrame, shift: np.ndarray, columns: list[str]) -> pd.DataFrame:
    """Columns with a sign shifted by ``shift`` (n,) times their standard deviation."""
    signed = [name for name in columns if not positive(data[name])]
    return data.assign(**{name: data[name] + shift * data[name].std() for name in signed})


def finding_of(reads: Reads) -> Finding:
    """The verdict, by the rules of :func:`execution`."""
    verdict, count, detail = judged(reads)
    return Finding(
        test=TEST.key,
        stage="target",
        verdict=verdict,
        evidence=detail if verdict is Verdict.UNKNOWN else "exact",
        statistic=TEST.statistic,
        value=float("nan") if verdict is Verdict.UNKNOWN else float(count),
        threshold=TEST.threshold,
        tested=f"{reads.cells} targets of {reads.dates} dates; changed {', '.join(reads.columns)}",
        witness=reads.witness if verdict is Verdict.LEAK else None,
        detail=detail,
    )


def judged(reads: Reads) -> tuple[Verdict, int, str]:
    """Verdict, number of targets and the reason."""
    count = len(reads.past)
    if reads.failed or not reads.cells:
        return Verdict.UNKNOWN, 0, reads.failed or "no date has a target"
    if not count:
        return Verdict.CLEAN, 0, "no target reads a row dated up to its own date"
    if reads.level:
        return (
            Verdict.LEAK,
            len(set(reads.level)),
            (
                "the return begins at a price of its own date or before, which features read: "
                "let it begin at the next one"
            ),
        )
    if not reads.later:
        return Verdict.LEAK, count, "the target is known at its own date: no later row moves it"
    if reads.with_own > 0:
        return Verdict.LEAK, count, "the target contains the return of its own date"
    if not reads.added:
        return (
            Verdict.CLEAN,
            0,
            (
                f"{count} targets are scaled by what is known at their date; the return itself "
                "begins later"
            ),
        )
    return (
        Verdict.UNKNOWN,
        count,
        (
            f"{count} targets move with earlier rows though no return spans their date: something "
            f"known is taken off, or earlier returns are added; {REMEDY}"
        ),
    )
