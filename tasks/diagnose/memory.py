"""Does a forecaster keep something between runs? Then runs on changed rows say little."""

import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from tasks.diagnose.control import undecided
from tasks.diagnose.finding import Finding
from tasks.diagnose.measure import attempt, tolerance_of
from tasks.diagnose.perturb import change_rows, late_cells
from tasks.diagnose.scores import apart, forecast_scale
from tasks.diagnose.subject import Forecast, Subject
from tasks.split import Fold

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
    before, _ = attempt(partial(Subject(forecast, fold).run, changed))
    if getattr(sys.modules[name.partition(":")[0]], "__file__", None) is None:
        return []  # made by hand, in a notebook for one: it cannot be imported anew
    with afresh(name) as new:
        after, _ = attempt(partial(Subject(new, fold).run, changed))
    if before is None or after is None:
        return []
    scale = forecast_scale(before.scores)
    rounding = tolerance_of(before.scores, scale)
    size = apart(before.scores, after.scores, scale, rounding).value
    if size <= rounding:
        return []
    return [undecided("train_invariance", "training", REASON, "a fresh import", value=size)]


@contextmanager
def afresh(name: str) -> Iterator[Callable[..., Any]]:
    """What ``name`` names in a module that is executed anew, and stands for itself inside."""
    module, _, attribute = name.partition(":")
    held = sys.modules.pop(module)
    try:
        yield getattr(importlib.import_module(module), attribute)
    finally:
        sys.modules[module] = held
