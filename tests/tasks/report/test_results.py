import math

import numpy as np
import pandas as pd
import pytest

from foldproof.tasks.report.results import Estimate, Results, is_true
from tests.tasks.report.example import REFERENCES, SKILL


def test_candidates_hold_neither_controls_nor_leaks_nor_references(results: Results) -> None:
    assert set(results.candidates) == set(SKILL) - {"full_sample_zscore"}
    assert results.controls == ["full_sample_zscore"]
    assert set(results.references) == set(REFERENCES)


def test_candidates_come_best_first(results: Results) -> None:
    scores = [results.rank_ic(name).value for name in results.candidates]
    assert scores == sorted(scores, reverse=True)


def test_kept_is_the_confidence_set_without_what_leaks(results: Results) -> None:
    inside = results.ranking.index[results.ranking["in_confidence_set"]]
    assert results.kept == [name for name in inside if name in results.candidates]
    assert 0 < len(results.kept) < len(results.candidates)


def test_gain_of_the_base_itself_is_unknown(results: Results) -> None:
    assert results.base == "zscore"
    assert not results.gain("zscore").known
    assert results.gain("none").known


def test_estimate_reads_as_number_with_interval() -> None:
    assert str(Estimate(0.0211, -0.004, 0.05)) == "+0.0211 [−0.0040, +0.0500]"
    assert str(Estimate(-0.01, math.nan, math.nan)) == "−0.0100"
    assert str(Estimate(math.nan, math.nan, math.nan)) == "–"


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (True, True),
        (np.True_, True),
        (False, False),
        (np.nan, False),
        (pd.NA, False),
        (None, False),
    ],
)
def test_a_missing_cell_is_not_true(cell: object, expected: bool) -> None:
    assert is_true(cell) is expected
