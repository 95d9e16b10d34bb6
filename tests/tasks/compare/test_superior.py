"""Superior predictive ability and the step-wise test: against arch, and where gains are planted."""

import numpy as np
import pandas as pd
import pytest
from arch.bootstrap import SPA, StepM

from foldproof.tasks.compare.comparison import compare
from foldproof.tasks.compare.spec import StatisticsSpec
from foldproof.tasks.compare.superior import Superior, step_wise, superior
from tests.tasks.compare.series import overlapping


def judged(gains: np.ndarray, horizon: int = 1, **settings) -> Superior:
    given = {"level": 0.95, "draws": 400, "seed": 0} | settings
    return superior(gains, (np.arange(gains.shape[-1]),), horizon, **given)[0]


@pytest.mark.parametrize("gain", [0.0, 0.06, 0.1])
def test_on_many_independent_dates_both_are_those_of_arch(gain: float) -> None:
    rng = np.random.default_rng(1)
    daily = rng.standard_normal((2000, 5)) * 0.7 + rng.standard_normal((2000, 1))
    daily[:, 2] += gain
    daily[:, 4] -= 0.3
    found = judged(daily[:, 1:] - daily[:, :1], draws=800)
    oracle = SPA(-daily[:, 0], -daily[:, 1:], block_size=2, reps=800, seed=0)
    oracle.compute()
    assert found.p == pytest.approx(oracle.pvalues["consistent"], abs=0.06)
    steps = StepM(-daily[:, 0], -daily[:, 1:], size=0.05, block_size=2, reps=800, seed=0)
    steps.compute()
    assert np.flatnonzero(found.better).tolist() == list(steps.superior_models)


def test_much_worse_candidates_do_not_hide_a_good_one() -> None:
    """The recentring of Hansen 2005: White's reality check loses its power to poor candidates."""
    rng = np.random.default_rng(2)
    gains = rng.standard_normal((600, 9))
    gains[:, 0] += 0.11
    alone = judged(gains[:, :1])
    gains[:, 1:] -= 1.0
    crowd = judged(gains)
    assert alone.p < 0.05
    assert crowd.p == pytest.approx(alone.p, abs=0.01)


def test_the_step_wise_test_adds_candidates_that_the_first_step_misses() -> None:
    """With the wild first column out, the bar for the second is lower."""
    rng = np.random.default_rng(3)
    drawn = rng.standard_normal((4000, 2)) * [3.0, 1.0]
    assert step_wise(np.array([6.0, 2.0]), drawn, 0.95).tolist() == [True, True]
    assert step_wise(np.array([4.0, 2.0]), drawn, 0.95).tolist() == [False, False]


def test_candidates_without_a_gain_are_seldom_called_better() -> None:
    rng, panels, wrong = np.random.default_rng(4), 60, 0
    for number in range(panels):
        daily = overlapping(252, 6, 5, rng)
        wrong += judged(daily[:, 1:] - daily[:, :1], 5, draws=100, seed=number).better.any()
    assert wrong / panels <= 0.05 + 2.5 * np.sqrt(0.05 * 0.95 / panels)


def test_a_comparison_names_those_better_than_the_reference_and_the_best_forecaster(table) -> None:
    rng = np.random.default_rng(5)
    target = rng.standard_normal((240, 10))
    skill = {"zscore": 0.1, "none": 0.5, "revin": 0.1, "ref:ridge": 0.1, "ref:momentum": 0.0}
    given = {name: a * target + rng.standard_normal(target.shape) for name, a in skill.items()}
    found = compare(
        table(given | {"ref:zero": np.zeros_like(target)}, target), 1, StatisticsSpec(draws=200)
    ).superior
    assert found.index.tolist() == ["zscore", "ref:ridge"]
    assert found["better"].tolist() == ["none", "none"]
    assert (found["p"] == 0).all()
    spec = StatisticsSpec(draws=100)
    alone = compare(table({"zscore": target}, target), 1, spec).superior
    assert isinstance(alone, pd.DataFrame)
    assert alone.empty
