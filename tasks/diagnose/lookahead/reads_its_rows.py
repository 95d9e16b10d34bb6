"""Whether a forecaster reads the rows it is given and keeps no state between runs."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from foldproof.models.imported import imported
from foldproof.tasks.diagnose.findings.finding import Finding, Verdict
from foldproof.tasks.diagnose.findings.verdicts import unknown_finding
from foldproof.tasks.diagnose.perturb.attempt import attempt
from foldproof.tasks.diagnose.perturb.compare import (
    difference,
    forecast_scale,
    largest_ordinary,
    tolerance_of,
)
from foldproof.tasks.diagnose.perturb.rows import change_after, change_rows
from foldproof.tasks.diagnose.spec import AuditOptions
from foldproof.tasks.diagnose.trace.run import BoundForecaster, Forecast, ReferenceRun
from foldproof.tasks.split import Fold

IGNORES_ROWS = (
    "forecasts stay the same when every value of the rows changes: they come from another source "
    "(a file, a cache, precomputed features), which an audit cannot change; compute everything "
    "from the rows that are passed in"
)
KEEPS_STATE = (
    "on changed rows its forecasts differ between a fresh import of its module and the module that "
    "ran before: it keeps something between runs (a trained model or features in a global, a "
    "cache), so changed rows had no effect; compute everything from the rows in every run"
)


def require_reading(found: list[Finding], reference: ReferenceRun) -> list[Finding]:
    """``found``, with clean results replaced by UNKNOWN if forecasts ignore the rows.

    A clean result means nothing if the forecaster ignores the rows it is given. This is tested only
    if no forecast moved in the last bit: first with the trained model, which costs no training, and
    then with a new one, since the mean of the training labels is an honest forecast that reads no
    later row.
    """
    identical = all(f.verdict is Verdict.CLEAN and f.value == 0 for f in found)
    if not identical or any(_reads_rows(reference, anew) for anew in (not reference.traced, True)):
        return found
    return [unknown_finding(f.test, f.stage, IGNORES_ROWS, f.tested) for f in found]


def _reads_rows(reference: ReferenceRun, retrain: bool) -> bool:
    """Whether forecasts change, or fail, when every value of every row becomes noise."""
    everywhere = np.ones(len(reference.data), dtype=bool)
    generator = np.random.default_rng(reference.options.seed)
    changed = change_rows(reference.data, everywhere, "noise", generator, dated=True)
    models = None if retrain else reference.base.trace.trained
    run, _ = attempt(partial(reference.bound.run, changed, models))
    return run is None or not run.scores.equals(reference.base.scores)


def state_between_runs(
    name: str, forecast: Forecast, data: pd.DataFrame, fold: Fold, options: AuditOptions
) -> list[Finding]:
    """UNKNOWN if ``forecast``, which ran before, and a fresh import differ on changed rows.

    A model that was trained on all rows in the first run and kept would be called clean, because
    changes of later rows never reach it. Only the module in ``name`` is imported again.

    Args:
        name: package.module:function.
        forecast: That function, with all state it keeps.
        data: Long rows.
        fold: Its calendar is that of ``data``.
        options: Facts about the data; the seed of the noise.
    """
    generator = np.random.default_rng(options.seed)
    changed = change_after(data, options.known_at, fold.test_dates[0], "noise", generator)
    before, _ = attempt(partial(BoundForecaster(forecast, fold).run, changed))
    if getattr(sys.modules[name.partition(":")[0]], "__file__", None) is None:
        return []  # defined by hand, for example in a notebook: it cannot be imported again
    with fresh_import(name) as new:
        after, _ = attempt(partial(BoundForecaster(new, fold).run, changed))
    if before is None or after is None:
        return []
    scale = forecast_scale(before.scores)
    rounding = tolerance_of(before.scores, scale)
    top = largest_ordinary(before.scores.to_numpy(dtype=np.float64))
    size = difference(before.scores, after.scores, scale, rounding, top).value
    if size <= rounding:
        return []
    return [
        unknown_finding("train_invariance", "training", KEEPS_STATE, "a fresh import", value=size)
    ]


@contextmanager
def fresh_import(name: str) -> Iterator[Callable[..., Any]]:
    """The function ``name`` of a module that is executed again, in ``sys.modules`` meanwhile."""
    module = name.partition(":")[0]
    original = sys.modules.pop(module)
    try:
        yield imported(name, "forecaster")
    finally:
        sys.modules[module] = original
