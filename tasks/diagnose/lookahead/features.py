"""Do features of a past date move when later rows change? For any transform of a long table."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType

import numpy as np
import pandas as pd

from foldproof.tasks.diagnose.findings.finding import Finding, LeakReport, Witness
from foldproof.tasks.diagnose.findings.verdicts import exact_finding
from foldproof.tasks.diagnose.perturb.attempt import (
    Attempt,
    Transform,
    after_cuts,
    attempt,
    changes_of,
    checked_data,
    run,
)
from foldproof.tasks.diagnose.perturb.compare import (
    NOISE_MARGIN,
    day,
    in_spreads,
    numbers,
    ordinary,
    resolution_of,
    size_of,
    tolerance_of,
)
from foldproof.tasks.diagnose.perturb.cuts import choose_cuts
from foldproof.tasks.diagnose.perturb.perturbations import checked_names
from foldproof.tasks.diagnose.perturb.rows import KEYS, change_after

STAGE = "features"
STATISTIC = "largest move of a past value [sd of the feature]"


@dataclass
class FeatureMoves:
    """The moves of one feature over all runs on changed data.

    Attributes:
        name: Name of the feature.
        before: (n,) values on the unchanged data.
        scale: Spread of the feature.
        top: Its largest ordinary value; a larger cell is allowed more rounding.
        limit: LEAK above it: rounding, or ten times the difference between two identical runs.
        unit: Rounding of a value relative to its size.
        repeats: Whether two runs on the same data agree up to rounding.
        tested: Number of past values compared.
        value: Largest finite move, in sd of the feature.
        vanished: Whether a value appeared or vanished.
        witness: The place of the largest move.
        ahead: Largest number of trading days from a moved value to the first changed row.
        cuts: Cuts at which it moved beyond the limit.
        certain: Whether a move is larger than what rounding could spill over from its largest cell.
        doubt: Of moves that are not: the largest share of the largest cell, and its cut.
        rounding: Why such moves prove nothing; empty if they do or there is none.
    """

    name: str
    before: np.ndarray
    scale: float
    top: float
    limit: float
    unit: float
    repeats: bool
    tested: int = 0
    value: float = 0.0
    vanished: bool = False
    witness: Witness | None = None
    ahead: int = 0
    cuts: set[np.datetime64] = field(default_factory=set)
    certain: bool = False
    doubt: tuple[float, np.datetime64] = (0.0, np.datetime64("NaT"))
    rounding: str = ""

    @classmethod
    def of(cls, first: pd.Series, second: pd.Series, tolerance: float | None) -> "FeatureMoves":
        """A feature from two runs on the same data."""
        values = numbers(first)
        usual = ordinary(values)
        scale, top = size_of(usual), float(np.abs(usual).max(initial=0.0))
        moves = in_spreads(values, numbers(second), scale, top)
        rerun = float(np.max(moves, initial=0.0))
        rounding = tolerance_of(first, usual=usual) if tolerance is None else tolerance
        limit = max(rounding, NOISE_MARGIN * rerun)
        unit = resolution_of(first)
        return cls(str(first.name), values, scale, top, limit, unit, rerun <= rounding)

    @property
    def leaks(self) -> bool:
        """Whether it moved when later rows changed."""
        return bool(self.cuts)

    @property
    def unknown(self) -> str:
        """Why a feature that did not move is not clean, or an empty text."""
        if not self.tested:
            return "no value to compare"
        if self.rounding:
            return self.rounding
        return "" if self.repeats else "two runs on the same data differ, and no move is larger"

    def compare(self, after: np.ndarray, past: pd.DataFrame, cut: np.datetime64) -> None:
        """Compare the values dated up to ``cut`` with those of a run on changed data.

        Args:
            after: (n,) values of the run on changed data.
            past: Date, symbol and trading day (from 0) of the rows up to the cut, by position.
            cut: The date of the cut.
        """
        rows, days = past.index.to_numpy(), past["day"].to_numpy()
        most, sizes = self.largest_cell(after), self.sizes(after, past)
        before, after = self.before[rows], after[rows]
        finite = np.where(np.isinf(sizes), -1.0, sizes)
        self.tested += int(np.isfinite(before).sum())
        self.vanished |= bool(np.isinf(sizes).any())
        moves = sizes > self.limit
        if moves.any():
            self.cuts.add(cut)
            self.ahead = max(self.ahead, int(days.max() + 1 - days[moves].min()))
            largest_move = float(sizes.max())
            self.certain |= largest_move > self.unit * most / self.scale
            self.doubt = max(self.doubt, (largest_move / most, cut), key=lambda one: one[0])
        top = int(finite.argmax() if finite.max(initial=-1.0) > self.limit else sizes.argmax())
        if moves.any() and (self.witness is None or finite[top] > self.value):
            row, cells = past.iloc[top], (float(before[top]), float(after[top]))
            place = day(row["date"]), str(row["symbol"]), self.name
            self.witness = Witness(day(cut), *place, *cells)
        self.value = max(self.value, float(finite.max(initial=0.0)))

    def sizes(self, after: np.ndarray, past: pd.DataFrame) -> np.ndarray:
        """Moves of the values of the rows ``past``, see :meth:`compare`."""
        rows = past.index.to_numpy()
        return in_spreads(self.before[rows], after[rows], self.scale, self.top)

    def largest_cell(self, after: np.ndarray) -> float:
        """The largest size of a cell before or after, whatever its date; 1 without any."""
        both = np.concatenate([self.before, after])
        return float(np.abs(both[np.isfinite(both)]).max(initial=0.0)) or 1.0

    def dose(self, past: pd.DataFrame) -> str:
        """The change that tells a leak from rounding after the doubtful cut.

        Far larger noise if the largest cell lies before the cut: rounding then stays as it is. Else
        far smaller changes, since larger noise would raise the largest cell, and with it rounding.
        """
        sizes = np.where(np.isfinite(self.before), np.abs(self.before), -1.0)
        return "surge" if int(sizes.argmax()) in past.index else "tremor"

    def settle(self, after: np.ndarray | None, past: pd.DataFrame) -> None:
        """Withdraw a doubtful leak unless its moves grow and shrink with the change of later rows.

        A filter by Fourier transform, for instance, spreads the rounding of one cell of 1e14 over
        the whole series: all values then move, but by as much after any change.

        Args:
            after: (n,) values of a run on rows changed by :meth:`dose`; None if it failed.
            past: The rows up to the doubtful cut, see :meth:`compare`.
        """
        grows, share = self.dose(past) == "surge", 0.0
        if after is not None:
            share = float(self.sizes(after, past).max()) / self.largest_cell(after)
        proportional = share >= NOISE_MARGIN * self.doubt[0]
        if not grows:
            proportional = after is not None and NOISE_MARGIN * share <= self.doubt[0]
        if not proportional:
            self.cuts.clear()
            self.limit = max(self.limit, self.value)
            top = self.largest_cell(self.before)
            self.rounding = (
                f"its past values move by up to {self.value:.2g} sd, whatever the size of later "
                f"changes: the rounding of its largest value, {top:.2g}, "
                "can explain that, and hide a leak; repair that value and audit again"
            )


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
    """Change all rows after a cut, and test whether features dated up to it move.

    Args:
        transform: Long rows -> features on the same rows (same index; columns date and symbol are
            ignored). It gets copies.
        data: Long rows with ``date`` (datetime), ``symbol`` and raw columns; its index is unique.
        cuts: Number of dates to cut at: inside gaps, before gaps, Wednesdays, month ends, any.
        seed: Seed of the cuts and of the noise.
        perturbations: Keys of PERTURBATIONS: the first at every cut, the others in turn.
        each: Perturbations at each cut: 2, or 1 to take all in turn.
        tolerance: Moves up to this many sd of the feature are rounding; by default 1e-9, and
            1e-5 for features in float32.
        known_at: Column that is known later than its row's date, such as a label -> the column of
            the date on which it becomes known. These cells change too if that is after the cut.

    Returns:
        One LEAK finding per feature that moved, with witness and look-ahead; one CLEAN finding for
        all that did not; one UNKNOWN finding for those that could not be tested.

    Raises:
        ValueError: Unusable data or output, or an unknown perturbation.
    """
    checked_names(perturbations)
    checked_data(data, cuts, known_at)
    first, second = run(transform, data), run(transform, data)
    keys = data[list(KEYS)].reset_index(drop=True)
    keys["day"] = pd.factorize(data["date"], sort=True)[0]
    features = [FeatureMoves.of(first[name], second[name], tolerance) for name in first]
    dates = choose_cuts(data, cuts, seed)
    attempts = Attempt(dates)
    changes = changes_of(list(dates), perturbations, each, seed)
    change = partial(change_after, data, known_at)
    for cut, after in after_cuts(partial(run, transform), change, changes, attempts):
        past = keys[keys["date"] <= cut]
        for feature in features:
            feature.compare(values_of(after, feature.name, data.index), past, cut)
    for feature in (one for one in features if one.leaks and not one.certain):
        cut = feature.doubt[1]
        assert cut is not None  # a doubt has a cut
        past = keys[keys["date"] <= cut]
        dosed = change(cut, feature.dose(past), np.random.default_rng(seed))
        made, _ = attempt(partial(run, transform, dosed))
        values = None if made is None else values_of(made, feature.name, data.index)
        feature.settle(values, past)
    return LeakReport("features", tuple(_findings(features, attempts)))


def values_of(table: pd.DataFrame, name: str, index: pd.Index) -> np.ndarray:
    """(n,) the column ``name`` on ``index``; missing if the table has no such column."""
    if name not in table:
        return np.full(len(index), np.nan)
    return numbers(table[name].reindex(index))


def _findings(features: list[FeatureMoves], attempts: Attempt) -> Iterator[Finding]:
    """One finding per leaking feature, then one for all clean ones and one for the rest."""
    rest = [feature for feature in features if not feature.leaks]
    reasons = {feature.name: feature.unknown or attempts.unknown() for feature in rest}
    clean = [feature for feature in rest if not reasons[feature.name]]
    unknown = [feature for feature in rest if reasons[feature.name]]
    for feature in features:
        if feature.leaks:
            yield _leak(feature, attempts)
    if clean:
        yield _summary(clean, attempts, "")
    if unknown or not features:
        texts = [f"{feature.name}: {reasons[feature.name]}" for feature in unknown]
        yield _summary(unknown, attempts, "; ".join(texts) or "no feature")


def _leak(feature: FeatureMoves, attempts: Attempt) -> Finding:
    """The finding on a feature that moved."""
    detail = (
        f"{feature.name} looks at least {feature.ahead} trading day"
        f"{'s' * (feature.ahead > 1)} ahead, at {len(feature.cuts)} of {len(attempts.cuts)} cuts"
    )
    if feature.vanished:
        detail += "; values appear or vanish"
    return exact_finding(
        "serve_invariance", STAGE,
        feature.value if feature.value > feature.limit else float("inf"), str(attempts),
        leak=detail, clean="", witness=feature.witness, threshold=feature.limit,
        statistic=STATISTIC,
    )  # fmt: skip


def _summary(features: list[FeatureMoves], attempts: Attempt, reason: str) -> Finding:
    """One finding on features that did not move: CLEAN, or UNKNOWN for a ``reason``."""
    rounded = ", ".join(feature.name for feature in features if feature.value > 0)
    names = ", ".join(feature.name for feature in features)
    return exact_finding(
        "serve_invariance", STAGE,
        max((feature.value for feature in features), default=float("nan")),
        f"{len(features)} features; {attempts}", leak="", reason=reason,
        clean=f"{names}; rounding only: {rounded}" if rounded else names,
        threshold=max((feature.limit for feature in features), default=None),
        statistic=STATISTIC,
    )  # fmt: skip
