"""The number of times that an audit runs a forecaster, for a progress bar."""

from collections.abc import Callable
from functools import update_wrapper
from typing import Any

import pandas as pd

from foldproof.tasks.diagnose.perturb.rows import schedule
from foldproof.tasks.diagnose.spec import LATE_CUTS, AuditOptions
from foldproof.tasks.split import Fold

Advance = Callable[[str, int], None]
"""Called after each run: what has finished, and how many runs are expected in all."""


class CountedForecaster:
    """A forecaster that reports each of its runs.

    Args:
        forecast: The user's function; its signature stays that of this object.
        options: How much is tested.
        advance: Receives the number of expected runs.
    """

    def __init__(self, forecast: Callable[..., Any], options: AuditOptions, advance: Advance):
        self.forecast, self.options, self.advance = forecast, options, advance
        self.done, self.expected = 0, 0
        update_wrapper(self, forecast)

    def __call__(self, data: pd.DataFrame, fold: Fold, *trace: Any) -> Any:
        """The scores of the forecaster."""
        scores = self.forecast(data, fold, *trace)
        if not self.done:
            traced = any(getattr(one, "reusable", None) is not None for one in trace)
            self.expected = expected_runs(self.options, traced)
        self.done += 1
        self.expected = max(self.expected, self.done)
        self.advance("last run of the forecaster", self.expected)
        return scores


def expected_runs(options: AuditOptions, traced: bool) -> int:
    """How often an audit runs a forecaster in which it finds no leak; a leak costs further runs.

    Args:
        options: How much is tested.
        traced: Whether the forecaster traces its training.
    """
    cuts = options.cuts_for(traced) - 1
    serving = len(schedule(cuts, options.perturbations, options.each))
    late = 2 * min(LATE_CUTS, cuts) if options.known_at else 0
    training = len(options.train_changes(traced)) + options.placebo + options.permutations
    own = 2  # does it read its rows, and does it keep state between runs
    return 1 + training + serving + late + own
