"""A forecaster under test: run on any data, its stages noted, its model kept."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from foldproof.tasks.diagnose.perturb.rows import KEYS
from foldproof.tasks.diagnose.trace.tables import Table, dated, keys_of_index
from foldproof.tasks.diagnose.trace.trace import Note, Recorder, Trace
from foldproof.tasks.split import Fold

Forecast = (
    Callable[[pd.DataFrame, Fold], pd.Series] | Callable[[pd.DataFrame, Fold, Trace], pd.Series]
)
"""(data, fold) or (data, fold, trace) -> scores indexed (date, symbol) on the test dates."""


@dataclass(frozen=True, eq=False)
class Run:
    """One run: scores on the fold's test dates, sorted, and what was noted on the way."""

    scores: pd.Series
    trace: Recorder

    @cached_property
    def table(self) -> Table:
        """The scores as a dated value."""
        found = dated(self.scores.to_frame("forecast"), self.trace.data)
        assert found is not None  # the index was checked
        return found

    @property
    def notes(self) -> list[Note]:
        """What the stages made, the scores at last."""
        return [*self.trace.notes, Note("scoring", "forecast", self.table)]


@dataclass(frozen=True, eq=False)
class BoundForecaster:
    """A forecaster on a fold."""

    forecast: Forecast
    fold: Fold

    def run(self, data: pd.DataFrame, models: list[Any] | None = None) -> Run:
        """Scores from a copy of ``data``; ``models`` stand in for training where it is traced.

        Raises:
            ValueError: Not scores by date and symbol, each once; or none on the test dates.
        """
        trace = Recorder(data, models)
        return Run(self.scores(data, trace), trace)

    def scores(self, data: pd.DataFrame, trace: Trace) -> pd.Series:
        """Scores from a copy of ``data``, the stages marked on ``trace``.

        Raises:
            ValueError: Not scores by date and symbol, each once; or none on the test dates.
        """
        rows = data.copy()
        given = (rows, self.fold, trace) if takes_trace(self.forecast) else (rows, self.fold)
        return on_test(self.forecast(*given), self.fold)


def takes_trace(forecast: Callable[..., object]) -> bool:
    """Whether a third argument is wanted; what has no signature is not given one."""
    try:
        parameters = list(inspect.signature(forecast).parameters.values())
    except (TypeError, ValueError):
        return False
    places = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return len(places) > 2 and (places[2].default is places[2].empty or places[2].name == "trace")


def on_test(scores: object, fold: Fold) -> pd.Series:
    """``scores`` on the fold's test dates, sorted.

    Raises:
        ValueError: Not scores by date and symbol, each once; or none on the test dates; or all
            missing.
    """
    keys = keys_of_index(scores.index) if isinstance(scores, pd.Series) else None
    if not isinstance(scores, pd.Series) or keys is None:
        index = getattr(scores, "index", None)
        own = f" indexed {[*index.names]}, such as {[*index[:1]]}" if index is not None else ""
        raise ValueError(
            "forecast must return a Series indexed (date, symbol); it returned "
            f"{type(scores).__name__}{own}"
        )
    try:
        numbers = pd.to_numeric(scores)
    except (ValueError, TypeError) as error:
        raise ValueError(f"forecast must return numbers: {error}") from error
    scores = numbers.set_axis(pd.MultiIndex.from_arrays(keys, names=list(KEYS)))
    if not scores.index.is_unique:
        raise ValueError("forecast must return one score for each date and symbol; some are twice")
    there = scores.index.get_level_values(0).isin(fold.test_dates)
    if not there.any():
        raise ValueError(
            f"forecast returned {len(scores)} scores, none on the fold's test dates "
            f"{fold.test_dates[0]} to {fold.test_dates[-1]}"
        )
    if not scores[there].notna().any():
        raise ValueError(f"forecast returned {int(there.sum())} scores, all of them missing")
    return scores[there].sort_index()
