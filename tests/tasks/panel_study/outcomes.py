"""Panels whose gains are planted, without training."""

import numpy as np
import pandas as pd

from foldproof.tasks.compare.spec import StatisticsSpec
from foldproof.tasks.panel_study.networks import NetworkScores
from foldproof.tasks.panel_study.tables import PanelOutcome, Role

STATISTICS = StatisticsSpec(reference="zscore", ensemble=False, draws=100)
GAINS = {"zscore": 0.0, "cs_rank": 0.03, "none": -0.03, "revin": 0.0005, "leaky": 0.2}


def outcome(
    seed: int,
    gains: dict[str, float] = GAINS,
    role: Role = Role.REAL,
    expected: tuple[str, ...] = (),
    level: float = 0.02,
    dates: int = 300,
    noise: float = 0.01,
) -> PanelOutcome:
    """A panel with the given gains; ``leaky`` leaks. The neutral rank IC is half of the other."""
    rng = np.random.default_rng(seed)
    common = 0.1 * rng.standard_normal(dates)
    rank_ic = np.stack(
        [level + gain + common + noise * rng.standard_normal((3, dates)) for gain in gains.values()]
    )
    names = tuple(gains)
    scores = NetworkScores(
        variants=names,
        dates=np.datetime64("2020-01-01") + np.arange(dates),
        folds=np.repeat([0, 1], [dates // 2, dates - dates // 2]),
        stocks=40,
        rank_ic=rank_ic,
        neutral=rank_ic / 2,
    )
    outside = [name for name in names if name == "leaky"]
    return PanelOutcome(
        title=f"Panel {seed}", role=role, scores=scores, horizon=1,
        leaks={name: "LEAK" if name in outside else "CLEAN" for name in names}, outside=outside,
        training=pd.DataFrame({"mean_epochs": 4.0, "learning_rate": 0.001}, index=names),
        expected=expected,
    )  # fmt: skip


def panels() -> dict[str, PanelOutcome]:
    """Three real panels, two planted ones, of which one fails, and noise."""
    return {
        **{f"real{seed}": outcome(seed) for seed in range(3)},
        "levels": outcome(5, role=Role.PLANTED, expected=("none",)),
        "ranks": outcome(6, role=Role.PLANTED, expected=("cs_rank", "revin")),
        "noise": outcome(7, dict.fromkeys(GAINS, 0.0), Role.NOISE, level=0.0),
    }
