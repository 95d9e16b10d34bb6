"""A forecaster under test, run on any data, and the run that an audit compares others with."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import pandas as pd

from foldproof.tasks.diagnose.perturb.attempt import attempt
from foldproof.tasks.diagnose.perturb.compare import (
    Difference,
    difference,
    forecast_scale,
    largest_ordinary,
    tolerance_of,
)
from foldproof.tasks.diagnose.perturb.rows import KEYS
from foldproof.tasks.diagnose.spec import FULL, AuditOptions
from foldproof.tasks.diagnose.trace.stages import with_noise
from foldproof.tasks.diagnose.trace.tables import as_table, keys_of_index
from foldproof.tasks.diagnose.trace.trace import Note, Recorder, Trace
from foldproof.tasks.split import Fold

Forecast = (
    Callable[[pd.DataFrame, Fold], pd.Series] | Callable[[pd.DataFrame, Fold, Trace], pd.Series]
)
"""(data, fold) or (data, fold, trace) -> scores indexed (date, symbol) on the test dates."""


@dataclass(frozen=True, eq=False)
class Run:
    """One run: scores on the test dates of the fold, sorted, and the recorded stages."""

    scores: pd.Series
    trace: Recorder

    @cached_property
    def notes(self) -> list[Note]:
        """The output of every traced stage, then the scores."""
        table = as_table(self.scores.to_frame("forecast"), self.trace.data)
        return [*self.trace.notes, Note("scoring", "forecast", table)]


@dataclass(frozen=True, eq=False)
class BoundForecaster:
    """A forecaster on a fold."""

    forecast: Forecast
    fold: Fold

    def run(self, data: pd.DataFrame, models: list[Any] | None = None) -> Run:
        """Scores from a copy of ``data``; given ``models`` replace traced training.

        Raises:
            ValueError: The scores are unusable, see :func:`on_test`.
        """
        trace = Recorder(data, models)
        return Run(self.scores(data, trace), trace)

    def scores(self, data: pd.DataFrame, trace: Trace) -> pd.Series:
        """Scores from a copy of ``data``; the forecaster calls ``trace`` with its stages.

        Raises:
            ValueError: The scores are unusable, see :func:`on_test`.
        """
        rows = data.copy()
        given = (rows, self.fold, trace) if takes_trace(self.forecast) else (rows, self.fold)
        return on_test(self.forecast(*given), self.fold)


def takes_trace(forecast: Callable[..., object]) -> bool:
    """Whether ``forecast`` takes a third argument; no if it has no readable signature."""
    try:
        parameters = list(inspect.signature(forecast).parameters.values())
    except (TypeError, ValueError):
        return False
    places = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return len(places) > 2 and (places[2].default is places[2].empty or places[2].name == "trace")


def on_test(scores: object, fold: Fold) -> pd.Series:
    """``scores`` on the fold's test dates, sorted.

    Raises:
        ValueError: They are not numbers indexed (date, symbol), repeat an entry, have none on the
            test dates, or are all missing there.
    """
    keys = keys_of_index(scores.index) if isinstance(scores, pd.Series) else None
    if not isinstance(scores, pd.Series) or keys is None:
        index = getattr(scores, "index", None)
        shape = f" indexed {[*index.names]}, such as {[*index[:1]]}" if index is not None else ""
        raise ValueError(
            "forecast must return a Series indexed (date, symbol); it returned "
            f"{type(scores).__name__}{shape}"
        )
    try:
        numbers = pd.to_numeric(scores)
    except (ValueError, TypeError) as error:
        raise ValueError(f"forecast must return numbers: {error}") from error
    scores = numbers.set_axis(pd.MultiIndex.from_arrays(keys, names=list(KEYS)))
    if not scores.index.is_unique:
        raise ValueError("forecast must return one score per date and symbol; there are duplicates")
    tested = scores.index.get_level_values(0).isin(fold.test_dates)
    if not tested.any():
        raise ValueError(
            f"forecast returned {len(scores)} scores, none on the fold's test dates "
            f"{fold.test_dates[0]} to {fold.test_dates[-1]}"
        )
    if not scores[tested].notna().any():
        raise ValueError(f"forecast returned {int(tested.sum())} scores, all of them missing")
    return scores[tested].sort_index()


@dataclass(frozen=True, eq=False)
class ReferenceRun:
    """A forecaster, its data, and its run on them.

    Attributes:
        bound: The forecaster on its fold.
        data: Long rows.
        options: Facts about the data, and how much to test.
        base: The run on the unchanged data.
        rounding: Moves of scores up to this many cross-sectional sd are rounding.
    """

    bound: BoundForecaster
    data: pd.DataFrame
    options: AuditOptions
    base: Run
    rounding: float

    @classmethod
    def of(
        cls, bound: BoundForecaster, data: pd.DataFrame, options: AuditOptions = FULL
    ) -> "ReferenceRun":
        """Run the forecaster on ``data``."""
        base, rounding = bound.run(data), options.tolerance
        if rounding is None:
            rounding = tolerance_of(base.scores, forecast_scale(base.scores))
        return cls(bound, data, options, base, rounding)

    @property
    def dates(self) -> np.ndarray:
        """(D,) the dates of the data, ascending."""
        return np.unique(self.data["date"].to_numpy())

    @cached_property
    def scale(self) -> float:
        """Cross-sectional sd of the forecasts."""
        return forecast_scale(self.base.scores)

    @cached_property
    def top(self) -> float:
        """Largest ordinary forecast."""
        return largest_ordinary(self.base.scores.to_numpy(dtype=np.float64))

    @property
    def traced(self) -> bool:
        """Whether training is traced, so that serving can be tested without training again."""
        return self.base.trace.reusable is not None

    @cached_property
    def labels(self) -> pd.Series | None:
        """What is forecast, indexed (date, symbol): from the options, else the traced target."""
        if self.options.labels is not None:
            return self.options.labels(self.data)
        table = self.base.trace.table("target")
        return table.column(table.columns[0]) if table is not None and table.columns else None

    @cached_property
    def rerun(self) -> tuple[Run | None, str]:
        """A second run on the same data, or None and why it fails."""
        return attempt(partial(self.bound.run, self.data))

    @cached_property
    def notes(self) -> list[Note]:
        """The notes of the base run, with the differences between it and the second run."""
        run, _ = self.rerun
        return with_noise(self.base.notes, run.notes if run is not None else [])

    def noise(self) -> float:
        """Largest move of a forecast between two identical runs; infinite if the second fails."""
        run, _ = self.rerun
        if run is None:
            return float("inf")
        return difference(self.base.scores, run.scores, self.scale, self.rounding, self.top).value

    def moves(self, run: Run, cut: np.datetime64) -> Difference:
        """The largest move of a forecast dated up to ``cut``, between this run and another."""
        before, after = (
            scores[scores.index.get_level_values(0) <= cut]
            for scores in (self.base.scores, run.scores)
        )
        return difference(before, after, self.scale, self.rounding, self.top)
