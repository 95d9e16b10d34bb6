"""Does a forecaster read the rows that it is given? One that does not cannot be audited by them."""

from functools import partial

import numpy as np

from tasks.diagnose.control import undecided
from tasks.diagnose.finding import Finding, Verdict
from tasks.diagnose.invariance import Ground
from tasks.diagnose.measure import attempt
from tasks.diagnose.perturb import change_rows

REASON = (
    "forecasts stay the same when every value of the rows changes: they are made of something "
    "else (a file, a cache, features computed beforehand), which an audit cannot change; read "
    "everything from the rows that are given"
)


def heard(found: list[Finding], ground: Ground) -> list[Finding]:
    """``found``, each clean answer UNKNOWN where forecasts do not depend on the rows at all.

    What nothing moves proves nothing. Tried only where nothing moved to the last bit; with the
    trained model where there is one, which costs no training, and if that is not felt with a new
    one: a mean of training labels is an honest forecast that reads no later row.
    """
    quiet = all(f.verdict is Verdict.CLEAN and f.value == 0 for f in found)
    if not quiet or any(follows(ground, again) for again in (not ground.traced, True)):
        return found
    return [undecided(f.test, f.stage, REASON, f.tested) for f in found]


def follows(ground: Ground, anew: bool) -> bool:
    """Whether forecasts change, or cannot be made, when every value of every row is noise."""
    everywhere = np.ones(len(ground.data), dtype=bool)
    changed = change_rows(ground.data, everywhere, "noise", np.random.default_rng(ground.seed))
    models = None if anew else ground.base.trace.trained
    run, _ = attempt(partial(ground.subject.run, changed, models))
    return run is None or not run.scores.equals(ground.base.scores)
