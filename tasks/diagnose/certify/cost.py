"""CPU time of a variant relative to none, on a panel of ordinary width."""

from collections.abc import Sequence

import numpy as np

from foldproof.models.normalizers import resolve, styles_of
from foldproof.models.spec import NetworkSpec, TrainingSpec
from foldproof.tasks.data.panel import Panel
from foldproof.tasks.diagnose.certify.panel import NAMES, made_panel, with_styles
from foldproof.tasks.split.fold import Fold
from foldproof.tasks.timing import timed
from foldproof.tasks.train import Unit, train_unit

DATES, SYMBOLS, FEATURES = 600, 50, 8
REPEATS = 3
"""Runs of which the fastest counts: others are slowed down by whatever else runs."""
EPOCHS = 2


def cpu_ratio(name: str, seed: int = 0) -> float:
    """CPU seconds to fit, train and score the variant, divided by those of ``none``.

    Both are measured in turn, two epochs on 400 dates of 50 stocks with the default network.

    Raises:
        TrainingError: It cannot be trained.
    """
    panel = noise_panel(seed, styles_of(resolve(name)))
    units = unit_of(name, panel, seed), unit_of("none", panel, seed)
    seconds = np.array([
        [timed(train_unit, unit, panel).seconds for unit in units] for _ in range(REPEATS)
    ])  # fmt: skip
    own, plain = seconds.min(axis=0)
    return float(own / plain)


def noise_panel(seed: int, styles: Sequence[str] = ()) -> Panel:
    """Standard normal features and targets of members that never change.

    The first features are called as those of the certification panel, further ones as ``styles``.
    """
    draw = np.random.default_rng(seed)
    values = draw.standard_normal((DATES, SYMBOLS, FEATURES), dtype=np.float32)
    target = draw.standard_normal((DATES, SYMBOLS), dtype=np.float32)
    names = (*NAMES, *(f"x{number}" for number in range(len(NAMES), FEATURES)))
    member = np.ones((DATES, SYMBOLS), dtype=bool)
    return with_styles(made_panel(f"cost-{seed}", names, values, target, member), styles)


def unit_of(name: str, panel: Panel, seed: int) -> Unit:
    """Two epochs on 400 dates, then 100 dates to validate and 100 to forecast."""
    fold = Fold(0, range(400), range(400, 500), range(500, DATES), panel.dates)
    training = TrainingSpec(epochs=EPOCHS, patience=EPOCHS, device="cpu")
    return Unit(name, fold, seed, NetworkSpec(), training, panel.fingerprint, "cost")
