"""Can the target return be traded? It must begin after the last row that the forecast reads."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from foldproof.tasks.diagnose.data.label_end import chosen_days
from foldproof.tasks.diagnose.data.labels import Target, TargetTransform, amounts, target_of
from foldproof.tasks.diagnose.findings.finding import Finding, Witness
from foldproof.tasks.diagnose.findings.verdicts import exact_finding
from foldproof.tasks.diagnose.perturb.cells import changed_column
from foldproof.tasks.diagnose.perturb.compare import day, in_spreads, moved
from foldproof.tasks.diagnose.perturb.perturbations import PERTURBATIONS

LEVELS = 10
"""Later prices are held at 1, then at powers of two up to 2**10, which keep ratios exact."""
REMEDY = "name the price columns in columns, or audit the return before any deduction"


@dataclass
class Reactions:
    """Which targets of the tried dates change with which rows.

    Attributes:
        target: The audited target.
        columns: Raw columns that are changed.
        dates: Dates tried.
        cells: Targets tried.
        past: Rows (of the data) of targets that change with rows dated up to their own date.
        level: Rows of targets that change with the level of a flat later price.
        later: Whether any target changes with later rows.
        added: Whether any target changes with earlier rows when later returns are zero.
        with_own: Sum over targets of (change of the row's own return) x (change of the target).
        failed: Why the target failed on changed rows, or empty.
        witness: The first target that changes with rows dated up to its own date.
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

    def on(self, data: pd.DataFrame) -> np.ndarray:
        """(n,) the target of other rows; all NaN, with the reason kept, if it fails."""
        values, reason = self.target.again(data)
        self.failed = self.failed or reason
        return np.full(len(data), np.nan) if values is None else values

    def differs(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """(n,) bool: targets that differ by more than rounding."""
        target = self.target
        return in_spreads(before, after, target.scale, target.top) > target.limit


def execution(
    target_transform: TargetTransform,
    data: pd.DataFrame,
    columns: Iterable[str] | None = None,
    *,
    dates: int = 6,
    seed: int = 0,
) -> Finding:
    """Test whether a target's return begins on or before its own date, whose close features read.

    Noise is added to the rows dated up to a date. A forward return from the next close does not
    change: CLEAN. If the target of the date changes, three further changes explain why:

    - All later prices are held at one level, then at another. A return that begins later cannot
      change; one that spans the border, such as close[d + h] / close[d], must: LEAK.
    - All later rows are changed. A target that never changes is known at its date: LEAK.
    - If the data hold returns (columns with a sign), those of the date are shifted while all later
      ones are 0. A target that changes with them contains them: LEAK.

    Otherwise, if the target does not change while later returns are zero, the past is a scale,
    weight, beta or barrier of an honest return: CLEAN. The rest is UNKNOWN: there is a deduction,
    such as a rate or a trailing mean, or returns of earlier days are added.

    Args:
        target_transform: Long raw rows -> the target on the same rows (same index).
        data: Long rows with ``date``, ``symbol`` and raw columns.
        columns: Raw columns to change, such as the prices; by default every numeric column except
            codes that are constant within a symbol.
        dates: Number of dates whose targets are tried.
        seed: Of the choice of dates and of the noise.

    Raises:
        ValueError: Unusable data or columns, or a target that is not one column.
    """
    if dates < 1:
        raise ValueError(f"at least 1 date is needed; it is {dates}")
    target = target_of(target_transform, data)
    found = Reactions(target, amounts(data, columns))
    labelled = np.isfinite(target.values)
    for place in chosen_days(target, labelled & (target.row > 0), dates, seed):
        cells = labelled & (target.row == place)
        found.dates, found.cells = found.dates + 1, found.cells + int(cells.sum())
        try_date(found, place, cells, np.random.default_rng([seed, place]))
    return _finding(found)


def try_date(
    found: Reactions, place: int, cells: np.ndarray, generator: np.random.Generator
) -> None:
    """Change the rows up to day ``place`` and, if its targets change, find out why."""
    target, early = found.target, found.target.row <= place
    noised = noise(target.data, early, found.columns, generator)
    after = found.on(noised)
    moves = cells & found.differs(target.values, after)
    if not moves.any():
        return
    rows = np.flatnonzero(moves)
    found.past += rows.tolist()
    flat = held(target.data, ~early, found.columns)
    other = held(target.data, ~early, found.columns, levels_of(target.data, generator))
    flat_target = found.on(flat)
    found.level += np.flatnonzero(cells & found.differs(flat_target, found.on(other))).tolist()
    later = found.on(noise(target.data, ~early, found.columns, generator))
    found.later |= bool((cells & found.differs(target.values, later)).any())
    still = found.on(held(noised, ~early, found.columns))
    found.added |= bool((cells & found.differs(flat_target, still)).any())
    shift = generator.choice([-1.0, 1.0], len(cells)) * cells
    own = found.on(shifted(flat, shift, found.columns))
    both = cells & np.isfinite(moved(flat_target, own)) & found.differs(flat_target, own)
    found.with_own += float(((own[both] - flat_target[both]) * shift[both]).sum())
    if found.witness is None:
        found.witness = Witness(
            date=day(target.days[place]),
            symbol=str(target.data["symbol"].iloc[rows[0]]),
            column="target",
            before=float(target.values[rows[0]]),
            after=float(after[rows[0]]),
        )


def noise(
    data: pd.DataFrame, rows: np.ndarray, columns: list[str], generator: np.random.Generator
) -> pd.DataFrame:
    """Noise on ``columns`` of ``rows``, as floats, because an integer could round back."""
    way = PERTURBATIONS["noise"]
    return data.assign(
        **{
            name: changed_column(data[name].astype(np.float64), rows, way, generator)
            for name in columns
        }
    )


def positive(column: pd.Series) -> bool:
    """Whether all values are above 0, as for a price or an amount but not a return."""
    return bool((column.dropna() > 0).all())


def levels_of(data: pd.DataFrame, generator: np.random.Generator) -> np.ndarray:
    """(n,) a level for each symbol, so that ranks within a date change too."""
    codes, symbols = pd.factorize(data["symbol"])
    return 2.0 ** generator.integers(1, LEVELS + 1, len(symbols))[codes]


def held(
    data: pd.DataFrame, rows: np.ndarray, columns: list[str], level: np.ndarray | float = 1.0
) -> pd.DataFrame:
    """``rows`` without returns: every price at its ``level``, every column with a sign at 0."""
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


def _finding(found: Reactions) -> Finding:
    """The finding, by the rules of :func:`execution`."""
    count = len(found.past)
    leak, reason, clean = "", "", "no target reads a row dated up to its own date"
    if found.failed or not found.cells:
        reason = found.failed or "no date has a target"
    elif found.level:
        count = len(set(found.level))
        leak = (
            "the return begins at a price of its own date or before, which features read: "
            "start it at the next price"
        )
    elif count and not found.later:
        leak = "the target is known at its own date: later rows do not change it"
    elif found.with_own > 0:
        leak = "the target contains the return of its own date"
    elif found.added:
        reason = (
            f"{count} targets change with earlier rows though no return spans their date: there "
            f"is a deduction, or earlier returns are added; {REMEDY}"
        )
    elif count:
        clean = (
            f"{count} targets are scaled by values known at their date; the return itself begins "
            "later"
        )
    return exact_finding(
        "execution",
        "target",
        float("nan") if reason else float(count if leak else 0),
        f"{found.cells} targets of {found.dates} dates; changed {', '.join(found.columns)}",
        leak=leak,
        clean=clean,
        witness=found.witness,
        reason=reason,
    )
