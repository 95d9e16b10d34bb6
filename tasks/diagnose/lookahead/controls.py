"""Does a forecaster read the rows that it is given? One that does not cannot be audited by them."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from foldproof.models.imported import imported
from foldproof.tasks.diagnose.findings.finding import Finding, Verdict
from foldproof.tasks.diagnose.findings.verdicts import unknown_finding
from foldproof.tasks.diagnose.perturb.attempt import attempt
from foldproof.tasks.diagnose.perturb.compare import difference, forecast_scale, tolerance_of
from foldproof.tasks.diagnose.perturb.rows import change_rows, late_cells
from foldproof.tasks.diagnose.trace.reference_run import ReferenceRun
from foldproof.tasks.diagnose.trace.run import BoundForecaster, Forecast
from foldproof.tasks.split import Fold

REASON = (
    "forecasts stay the same when every value of the rows changes: they are made of something "
    "else (a file, a cache, features computed beforehand), which an audit cannot change; read "
    "everything from the rows that are given"
)


def require_reading(found: list[Finding], ground: ReferenceRun) -> list[Finding]:
    """``found``, each clean answer UNKNOWN where forecasts do not depend on the rows at all.

    What nothing moves proves nothing. Tried only where nothing moved to the last bit; with the
    trained model where there is one, which costs no training, and if that is not felt with a new
    one: a mean of training labels is an honest forecast that reads no later row.
    """
    quiet = all(f.verdict is Verdict.CLEAN and f.value == 0 for f in found)
    if not quiet or any(follows(ground, again) for again in (not ground.traced, True)):
        return found
    return [unknown_finding(f.test, f.stage, REASON, f.tested) for f in found]


def follows(ground: ReferenceRun, anew: bool) -> bool:
    """Whether forecasts change, or cannot be made, when every value of every row is noise."""
    everywhere = np.ones(len(ground.data), dtype=bool)
    changed = change_rows(ground.data, everywhere, "noise", np.random.default_rng(ground.seed))
    models = None if anew else ground.base.trace.trained
    run, _ = attempt(partial(ground.subject.run, changed, models))
    return run is None or not run.scores.equals(ground.base.scores)


REASON = (
    "on changed rows it forecasts otherwise when its module is imported anew than after earlier "
    "runs: it keeps something between runs (a trained model or features in a global, a cache), so "
    "that changed rows changed nothing; make everything in each run from the rows that are given"
)


def remembered(
    name: str,
    forecast: Forecast,
    data: pd.DataFrame,
    fold: Fold,
    known_at: Mapping[str, str],
    seed: int,
) -> list[Finding]:
    """UNKNOWN where ``forecast``, run before, and a fresh import of it differ on changed rows.

    A model that was trained on everything in the first run and kept would be called clean: no
    change of later rows reaches it. Only the module that is named is imported anew.

    Args:
        name: package.module:function.
        forecast: What it named before, with whatever it keeps.
        data: Long rows.
        fold: Its calendar is that of ``data``.
        known_at: Column -> column of the date on which its cell becomes known.
        seed: Of the change.
    """
    cut = fold.test_dates[0]
    draw, later = np.random.default_rng(seed), (data["date"] > cut).to_numpy()
    changed = change_rows(data, later, "noise", draw, late_cells(data, known_at, cut))
    before, _ = attempt(partial(BoundForecaster(forecast, fold).run, changed))
    if getattr(sys.modules[name.partition(":")[0]], "__file__", None) is None:
        return []  # made by hand, in a notebook for one: it cannot be imported anew
    with afresh(name) as new:
        after, _ = attempt(partial(BoundForecaster(new, fold).run, changed))
    if before is None or after is None:
        return []
    scale = forecast_scale(before.scores)
    rounding = tolerance_of(before.scores, scale)
    size = difference(before.scores, after.scores, scale, rounding).value
    if size <= rounding:
        return []
    return [unknown_finding("train_invariance", "training", REASON, "a fresh import", value=size)]


@contextmanager
def afresh(name: str) -> Iterator[Callable[..., Any]]:
    """What ``name`` names in a module that is executed anew, and stands for itself inside."""
    module = name.partition(":")[0]
    held = sys.modules.pop(module)
    try:
        yield imported(name, "forecaster")
    finally:
        sys.modules[module] = held
