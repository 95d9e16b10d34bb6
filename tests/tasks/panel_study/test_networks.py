import numpy as np
import pandas as pd
import pytest

from foldproof.tasks.compare.comparison import daily
from foldproof.tasks.decompose.decompose import decompose
from foldproof.tasks.decompose.spec import DecompositionSpec
from foldproof.tasks.panel_study.networks import network_scores
from tests.tasks.decompose.conftest import HORIZON, Case, case

SPEC = DecompositionSpec(styles=("size",), horizons=(), delays=())
__all__ = ["case"]  # the fixture


def test_rank_ics_of_one_network_are_those_of_ranking_and_decomposition(case: Case) -> None:
    scores = network_scores(case.forecasts, case.panel, None, SPEC)
    assert scores.variants == ("mine", "size", "noise")
    plain = daily(case.forecasts)
    made = decompose(case.aligned, case.panel, case.folds, ("mine",), HORIZON, spec=SPEC)
    for place, name in enumerate(scores.variants):
        assert scores.rank_ic[place, 0] == pytest.approx(plain[name].to_numpy())
        assert scores.neutral[place, 0] == pytest.approx(made.neutral[name].to_numpy())
    assert np.unique(scores.folds).tolist() == [0, 1]


def test_each_seed_is_scored_by_itself(case: Case) -> None:
    second = case.forecasts.assign(seed=1, forecast=lambda t: -t["forecast"])
    own = case.forecasts[case.forecasts["variant"] == "mine"]
    both = pd.concat([own, second[second["variant"] == "mine"]], ignore_index=True)
    scores = network_scores(both, case.panel, None, SPEC)
    assert scores.rank_ic.shape[:2] == (1, 2)
    # their mean forecast is constant
    assert scores.rank_ic[0, 0] == pytest.approx(-scores.rank_ic[0, 1])


def test_without_styles_there_is_no_neutral_rank_ic(case: Case) -> None:
    scores = network_scores(case.forecasts, case.panel, None, DecompositionSpec(styles=()))
    assert scores.neutral.shape[2] == 0
