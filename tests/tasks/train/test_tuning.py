"""Tuning: the grid, the dates that may decide, and the choice."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from foldproof.models.spec import NetworkSpec, TrainingSpec
from foldproof.tasks.data import Panel
from foldproof.tasks.split import PlanError, WalkForward, scored_folds
from foldproof.tasks.train import Unit, train_unit
from foldproof.tasks.train.tuning import (
    Setting,
    TuningSpec,
    best_setting,
    grid,
    mean_rank_ic,
    usable_dates,
)

DEFAULT = Setting(NetworkSpec(), TrainingSpec())


def test_every_combination_is_tried_and_nothing_else_changes() -> None:
    spec = TuningSpec(folds=1, learning_rate=(1e-3, 1e-2), hidden=(8, 16, 32))
    found = grid(spec, DEFAULT)
    tried = [(one.network.hidden, one.training.learning_rate) for one in found]
    assert sorted(tried) == [(h, lr) for h in (8, 16, 32) for lr in (1e-3, 1e-2)]
    for one in found:
        network = replace(one.network, hidden=DEFAULT.network.hidden)
        training = replace(one.training, learning_rate=DEFAULT.training.learning_rate)
        assert Setting(network, training) == DEFAULT
    assert found[0].values(spec.tried) == {"hidden": 8, "learning_rate": 1e-3}


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"folds": 1}, "values are given for no setting"),
        ({"hidden": (8,)}, "folds is 0, values are given for hidden"),
        ({"folds": 1, "hidden": (8, 8)}, "duplicate values of hidden: 8"),
        ({"folds": 1, "dropout": (1.0,)}, r"dropout must lie in \[0, 1\); it is 1.0"),
    ],
)
def test_a_tuning_that_cannot_run_is_refused(given: dict, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        TuningSpec(**given)


def test_labels_that_reach_the_scored_block_or_its_embargo_do_not_decide() -> None:
    dates = np.arange("2024-01-01", "2024-03-01", dtype="datetime64[D]")
    ends = np.append(dates[4:], [np.datetime64("NaT")] * 4)  # known four rows later
    plan = WalkForward(train=10, validation=5, test=8, embargo=3, keep=2)
    tuning, scored = plan.folds(dates, ends)
    usable = usable_dates(dates, ends, scored, embargo=3)
    border = scored.test.start
    assert usable[-1] == dates[border - 3 - 4 - 1]
    assert set(tuning.test_dates[:1]) == {tuning.test_dates[0]} & set(usable)
    assert not set(usable) & set(scored.test_dates)
    assert usable_dates(dates, ends, scored, embargo=0)[-1] == dates[border - 5]


def test_the_oldest_folds_are_not_scored() -> None:
    dates = np.arange("2024-01-01", "2024-03-01", dtype="datetime64[D]")
    folds = WalkForward(train=10, validation=5, test=8, keep=3).folds(dates)
    assert [one.number for one in scored_folds(folds, 2)] == [2]
    assert scored_folds(folds, 0) == folds
    with pytest.raises(PlanError, match=r"tuning.folds 3 leaves no fold to score: the plan has 3"):
        scored_folds(folds, 3)


def test_the_best_setting_has_the_highest_score_and_ties_go_to_the_first() -> None:
    first, second, third = grid(TuningSpec(folds=1, hidden=(4, 8, 16)), DEFAULT)
    assert best_setting({first: 0.1, second: 0.3, third: 0.2}) == second
    assert best_setting({first: 0.3, second: 0.3, third: np.nan}) == first
    with pytest.raises(ValueError, match=r"raise tuning\.folds"):
        best_setting({first: np.nan})


def test_a_setting_that_learns_beats_one_that_cannot(unit: Unit, panel: Panel) -> None:
    """Forecasts of the test block, ranked on the usable dates only."""
    spec = TuningSpec(folds=1, learning_rate=(1e-9, 1e-2))
    dates, scores = unit.fold.test_dates[:60], {}
    for one in grid(spec, Setting(unit.network, unit.training)):
        frame = train_unit(replace(unit, network=one.network, training=one.training), panel)
        found = frame.forecasts
        scores[one] = mean_rank_ic(found, dates)
        later = found.assign(
            forecast=found["forecast"].where(found["date"].isin(dates), -found["target"])
        )
        assert mean_rank_ic(later, dates) == scores[one]
    assert best_setting(scores).training.learning_rate == 1e-2
    empty = pd.DataFrame({"date": [], "symbol": [], "forecast": [], "target": []})
    assert np.isnan(mean_rank_ic(empty, dates))
