"""A small year of the gate: it keeps its level where its former rule does not."""

import numpy as np
import pytest

from tests.benchmarks.gate_year import (
    LEVEL,
    STRETCHES,
    differences,
    false_promotions,
    power,
    promoted,
)


@pytest.mark.slow
def test_equal_challengers_are_promoted_in_no_more_years_than_the_level_says() -> None:
    """The former rule, a new test every week on dates that overlap, is beyond the same bound."""
    years = 150
    now, *before = false_promotions(20, 5, years)
    bound = LEVEL + 3 * np.sqrt(LEVEL * (1 - LEVEL) / years)
    assert now < bound
    assert len(before) == len(STRETCHES)
    assert min(before) > 2 * bound


@pytest.mark.slow
def test_a_better_challenger_is_found_within_a_year() -> None:
    quarter, half, year, _ = power(20, 1, 0.1, 30)
    assert quarter <= half <= year
    assert year > 0.9


def test_simulated_differences_have_the_gain_and_the_noise_of_the_bundled_panel() -> None:
    daily = differences(20, 5, 63 * 60, (0.0, 0.05), np.random.default_rng(0))
    assert daily.mean(axis=0) == pytest.approx([0, 0.05], abs=0.015)
    means = daily[:, 0].reshape(60, 63).mean(axis=1)
    assert means.std() == pytest.approx(0.045, abs=0.012)


def test_a_plain_gain_is_promoted_and_a_loss_is_not() -> None:
    noise = np.random.default_rng(1).normal(0, 0.1, (126, 2))
    assert promoted(noise + np.array([0.1, -0.1]), 1).tolist() == [True, False]
