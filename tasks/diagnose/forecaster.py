"""Do forecasts move when later rows change? End to end, for any library's model."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

import numpy as np
import pandas as pd

from tasks.diagnose.cuts import choose_rows
from tasks.diagnose.features import Tried, checked_data
from tasks.diagnose.finding import Finding, LeakReport, Verdict, Witness
from tasks.diagnose.measure import NOISE_MARGIN, attempt, day, tolerance_of
from tasks.diagnose.perturb import change_rows, checked_names, late_cells, schedule
from tasks.diagnose.pipeline import diagnose_plan
from tasks.diagnose.scores import apart, forecast_scale
from tasks.split import Fold

Forecast = Callable[[pd.DataFrame, Fold], pd.Series]


@dataclass
class Seen:
    """What the cuts of one test showed.

    Attributes:
        tried: Cuts and changes.
        limit: Moves above it are no rounding and no noise of running twice.
        value: Largest move, in cross-sectional sd.
        compared: Forecasts compared.
        witness: Where it moved most.
    """

    tried: Tried
    limit: float
    value: float = 0.0
    compared: int = 0
    witness: Witness | None = None

    def add(
        self,
        name: str,
        cut: np.datetime64,
        before: pd.Series,
        after: pd.Series | None,
        reason: str,
        scale: float,
    ) -> None:
        """Take note of a run: scores ``after`` the change ``name``, or the reason for none."""
        if after is None:
            self.tried.failed.setdefault(name, reason)
            return
        self.tried.worked[name] += 1
        here = apart(up_to(before, cut), up_to(after, cut), scale)
        self.compared += here.count
        if here.value > self.value:
            self.value, self.witness = here.value, here.witness(day(cut))


def audit_forecaster(
    forecast: Forecast,
    data: pd.DataFrame,
    fold: Fold,
    *,
    cuts: int = 4,
    seed: int = 0,
    perturbations: tuple[str, ...] = ("noise", "missing", "truncate", "flip"),
    tolerance: float | None = None,
    known_at: Mapping[str, str] = MappingProxyType({}),
    embargo: int = 0,
) -> LeakReport:
    """Change what is dated after a cut, train and forecast anew, and see whether forecasts move.

    The first cut is the first test date: all that comes after training and validation changes
    there, so that its forecasts show whether training saw it. The other cuts lie in the test
    block. At each cut ``forecast`` runs twice or so: audit a small model, or few symbols.

    Args:
        forecast: Trains on the fold's training and validation dates and returns scores, indexed
            (date, symbol), on its test dates. It gets copies. Seed it: it must repeat.
        data: Long rows with ``date``, ``symbol`` and whatever the model reads, labels too.
        fold: Its calendar is that of ``data``.
        cuts: Dates to cut at, the first test date included.
        seed: Of cuts and changes.
        perturbations: Keys of PERTURBATIONS: the first at every cut, the others in turn. One that
            the model cannot stand, such as missing values, is reported and does not count.
        tolerance: Moves up to this many cross-sectional sd of the forecasts are rounding; by
            default 1e-9, and 1e-5 for forecasts in float32.
        known_at: Columns that are known later than their row's date, such as labels -> the column
            of the date on which they are known. They are changed too where that is after the cut,
            and decide whether the fold is purged.
        embargo: Trading days that must lie between the last label and the block after it.

    Returns:
        Findings on train invariance, serve invariance, purge and fold order.

    Raises:
        ValueError: Unusable data or scores, or nothing comes after the first test date.
    """
    checked_names(perturbations)
    checked_data(data, cuts, known_at)
    before = run(forecast, data, fold)
    again = run(forecast, data, fold)
    scale = forecast_scale(before)
    rerun = apart(before, again, scale).value
    rounding = tolerance_of(before) if tolerance is None else tolerance
    unsteady = f"two runs on the same data differ by {rerun:.2g} sd: seed the model"
    noise = unsteady if NOISE_MARGIN * rerun > rounding else ""
    first, *others = dates_to_cut(data, before, cuts, seed)
    found: list[Finding] = []
    for test, dates, plan in (
        ("train_invariance", [first], [(0, name) for name in perturbations]),
        ("serve_invariance", others, schedule(len(others), perturbations)),
    ):
        seen = Seen(Tried(np.array(dates)), max(rounding, NOISE_MARGIN * rerun))
        for place, name in plan:
            cut, generator = dates[place], np.random.default_rng([seed, place, len(found)])
            later = (data["date"] > cut).to_numpy()
            changed = change_rows(data, later, name, generator, late_cells(data, known_at, cut))
            after, reason = attempt(partial(run, forecast, changed, fold))
            seen.add(name, cut, before, after, reason, scale)
        found += [answer(test, seen, noise)] if plan else []
    return LeakReport("forecaster", (*found, *plan_findings(data, fold, known_at, embargo)))


def run(forecast: Forecast, data: pd.DataFrame, fold: Fold) -> pd.Series:
    """Scores on the fold's test dates from a copy of ``data``, sorted.

    Raises:
        ValueError: Not scores by date and symbol, each once; or none on the test dates.
    """
    scores = forecast(data.copy(), fold)
    if not isinstance(scores, pd.Series) or scores.index.nlevels != 2:
        raise ValueError(
            f"forecast must return a Series indexed (date, symbol); it returned "
            f"{type(scores).__name__}"
        )
    if not scores.index.is_unique:
        raise ValueError("forecast must return one score for each date and symbol; some are twice")
    on_test = scores.index.get_level_values(0).isin(fold.test_dates)
    if not on_test.any():
        raise ValueError(
            f"forecast returned {len(scores)} scores, none on the fold's test dates "
            f"{fold.test_dates[0]} to {fold.test_dates[-1]}"
        )
    return scores[on_test].sort_index()


def up_to(scores: pd.Series, cut: np.datetime64) -> pd.Series:
    """Scores dated up to ``cut``."""
    return scores[scores.index.get_level_values(0) <= cut]


def dates_to_cut(
    data: pd.DataFrame, scores: pd.Series, count: int, seed: int
) -> list[np.datetime64]:
    """The first scored date, then up to ``count`` - 1 later ones that have rows after them.

    Raises:
        ValueError: Nothing comes after the first scored date.
    """
    dates = np.unique(data["date"].to_numpy())
    first, last = np.searchsorted(dates, scores.index.get_level_values(0)[[0, -1]])
    if first >= len(dates) - 1:
        raise ValueError(
            f"data end on {day(dates[-1])}, the first test date: nothing comes after it that could "
            "be changed; take a fold with a longer test block"
        )
    rows = choose_rows(dates, range(first + 1, last + 1), count - 1, seed)
    return list(dates[[first, *rows]])


def answer(test: str, seen: Seen, noise: str) -> Finding:
    """The finding on one kind of cut; ``noise`` says that the model does not repeat."""
    leaks = seen.value > seen.limit
    reason = seen.tried.unknown(without_truncation=True) or noise
    verdict = Verdict.LEAK if leaks else Verdict.UNKNOWN if reason else Verdict.CLEAN
    training = test == "train_invariance"
    return Finding(
        test=test,
        stage="training" if training else "scoring",
        verdict=verdict,
        evidence=reason if verdict is Verdict.UNKNOWN else "exact",
        statistic="largest move of a past forecast when later rows change [cross-sectional sd]",
        value=seen.value,
        threshold=seen.limit,
        tested=f"{seen.compared} forecasts; {seen.tried}",
        witness=seen.witness if leaks else None,
        detail=detail_of(seen.value, leaks, training) if verdict is not Verdict.UNKNOWN else reason,
    )


def detail_of(value: float, leaks: bool, training: bool) -> str:
    """One sentence."""
    if leaks and training:
        return (
            "forecasts of the first test date depend on what comes later: training, or what is "
            "fitted with it, sees past the training dates, or features look ahead"
        )
    if leaks:
        return "forecasts depend on rows dated later"
    return "rounding only" if value > 0 else "identical to the last bit"


def plan_findings(
    data: pd.DataFrame, fold: Fold, known_at: Mapping[str, str], embargo: int
) -> list[Finding]:
    """Purge and order of the fold; purging is known only if it is known when labels end."""
    ends = label_ends(data, fold.calendar, known_at) if known_at else None
    return diagnose_plan([fold], ends, embargo)


def label_ends(data: pd.DataFrame, calendar: np.ndarray, known_at: Mapping[str, str]) -> np.ndarray:
    """(D,) datetime64[D], when the last label of each date is known; NaT if one never is."""
    ends = calendar.astype("datetime64[D]")
    for column, known in known_at.items():
        rows = data[data[column].notna() & data["date"].isin(calendar)]
        place = np.searchsorted(calendar, rows["date"].to_numpy().astype("datetime64[D]"))
        dates = rows[known].to_numpy().astype("datetime64[D]")
        np.maximum.at(ends, place, dates)  # NaT, never known, prevails
    return ends
