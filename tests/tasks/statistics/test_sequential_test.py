"""The sequential test: exact where every sign can be counted, and right over a year."""

from itertools import pairwise, product

import numpy as np
import pytest

from foldproof.tasks.data.features.target import label_ends
from foldproof.tasks.statistics.sequential_test import (
    BLOCK,
    COPIES,
    POWER,
    YEAR,
    block_slices,
    blocks_of_a_year,
    conclusive,
    detectable,
    exceeds,
    fewest_dates,
    lower_bound,
    spent_at,
    spent_level,
)


@pytest.mark.parametrize("horizon", [1, 3, 5, 20])
def test_labels_of_different_blocks_do_not_overlap(horizon: int) -> None:
    days = np.datetime64("2024-01-01") + np.arange(201 + horizon)
    known = label_ends(days, horizon)  # as the panel has them
    parts = block_slices(days[:200], known[:200])
    for one, after in pairwise(parts):
        assert after.start == one.stop + horizon
        assert days[after.start] == known[one.stop - 1]
    assert {part.stop - part.start for part in parts} == {BLOCK}
    assert parts[-1].stop + BLOCK + horizon > 200
    assert block_slices(days[: BLOCK - 1], known[: BLOCK - 1]) == []


@pytest.mark.parametrize("horizon", [1, 5, 20])
def test_what_is_said_of_dates_holds_for_the_labels_of_a_panel(horizon: int) -> None:
    """The fewest dates, the level spent and the blocks of a year are those of operation."""
    level = 0.05 / 3
    days = np.datetime64("2000-01-01") + np.arange(YEAR + 1 + horizon)
    known = label_ends(days, horizon)

    def enough(dates: int) -> bool:
        parts = block_slices(days[:dates], known[:dates])
        return conclusive(spent_level(np.full(dates, level), parts))

    fewest = fewest_dates(level, horizon)
    assert enough(fewest)
    assert not enough(fewest - 1)
    parts = block_slices(days[:YEAR], known[:YEAR])
    spent = spent_level(np.full(YEAR, level), parts)
    np.testing.assert_allclose(spent_at(level, horizon, len(parts)), spent, rtol=1e-12)
    assert blocks_of_a_year(horizon) == len(parts)


def test_a_block_starts_after_the_labels_of_the_last_one_on_dates_with_holes() -> None:
    days = np.array([1, 2, 3, 9, 10, 11, 12, 13, 14, 15, 16, 30, 31, 32, 33, 34], "datetime64[D]")
    first, second = block_slices(days, days + 5)
    assert (days[first][0], days[second][0]) == (days[0], days[9])
    given = block_slices(days, days)  # labels that are known on their own date
    assert [part.start for part in given] == [0, 5, 10]


def test_every_date_spends_the_same_part_of_its_yearly_level() -> None:
    parts = [slice(0, 5), slice(9, 14)]
    levels = np.array([0.05] * 7 + [0.02] * 7)
    spent = spent_level(levels, parts)
    np.testing.assert_allclose(spent, [0.25 / YEAR, (0.35 + 0.14) / YEAR], rtol=1e-12)
    np.testing.assert_allclose(
        spent_at(0.05, 5, 3), 0.05 / YEAR * np.array([5, 15, 25]), rtol=1e-12
    )


def test_all_signs_of_eight_blocks_are_rejected_as_often_as_the_level_allows() -> None:
    """All 256 series of the same sizes are equally likely: the level can be counted."""
    sizes = np.random.default_rng(0).gamma(2, 1, 8)
    for last in (0.04, 0.3):
        spent = last * np.arange(1, 9) / 8
        rejected = [exceeds(sizes * sign, spent) for sign in product((-1, 1), repeat=8)]
        noise = 3 * np.sqrt(last / COPIES) + 1 / 256
        assert last - 5 / 256 - noise < np.mean(rejected) < last + noise


def test_a_series_that_was_rejected_stays_rejected() -> None:
    rng = np.random.default_rng(3)
    values = np.concatenate([1.5 + rng.standard_normal(20), -2 + rng.standard_normal(20)])
    spent = spent_at(0.05, 1, 40)
    found = [exceeds(values[:count], spent[:count]) for count in range(1, 41)]
    assert found == sorted(found)
    assert (found[0], found[-1]) == (False, True)


def test_higher_values_are_rejected_where_lower_ones_are() -> None:
    rng = np.random.default_rng(4)
    spent = spent_at(0.05, 1, 50)
    for _ in range(20):
        values = rng.standard_normal(50) * rng.gamma(1, 1, 50)
        high, low = (exceeds(abs(values) * np.sign(values + shift), spent) for shift in (1, 0.5))
        assert high >= low


@pytest.mark.parametrize("heavy", [False, True])
def test_a_year_of_blocks_without_a_mean_keeps_the_level(heavy: bool) -> None:
    """Also with heavy tails and a variance that changes: only symmetry is assumed."""
    rng, spent, found = np.random.default_rng(5), spent_at(0.1, 5, 25), []
    for _ in range(300):
        values = rng.standard_t(2, 25) if heavy else rng.standard_normal(25)
        found.append(exceeds(values * np.geomspace(1, 20 if heavy else 1, 25), spent))
    assert 0.03 < np.mean(found) < 0.1 + 3 * np.sqrt(0.09 / 300)


def test_the_detectable_mean_is_found_with_the_stated_power() -> None:
    spent, mean = spent_at(0.05, 5, 25), detectable(0.05, 5)
    rng = np.random.default_rng(6)
    found = [exceeds(mean + rng.standard_normal(25), spent) for _ in range(300)]
    assert np.mean(found) == pytest.approx(POWER, abs=0.07)
    assert detectable(0.05, 1) < mean < detectable(0.01, 5)
    assert detectable(0.05, 250) == np.inf


def test_the_lower_bound_is_where_the_test_turns() -> None:
    values, spent = 0.3 + np.random.default_rng(7).normal(0, 0.2, 30), spent_at(0.05, 1, 30)
    low = lower_bound(values, spent)
    assert 0.1 < low < values.mean()
    assert exceeds(values, spent, low - 0.01)
    assert not exceeds(values, spent, low + 0.01)
    moved = lower_bound(values - 1, spent)
    assert moved == pytest.approx(low - 1, abs=1e-3)
    assert lower_bound(values[:5], spent[:5]) == -np.inf


def test_equal_and_constant_series_are_never_significant() -> None:
    spent = spent_at(0.5, 1, 50)
    assert not exceeds(np.zeros(50), spent)
    assert not exceeds(np.full(50, -1.0), spent)
    assert not exceeds(np.zeros(0), np.zeros(0))
    assert exceeds(np.full(50, 1.0), spent)


@pytest.mark.parametrize(("level", "horizon", "dates"), [(0.05, 1, 41), (0.05, 5, 65)])
def test_the_fewest_dates_are_the_first_on_which_any_mean_is_significant(
    level: float, horizon: int, dates: int
) -> None:
    assert fewest_dates(level, horizon) == dates
    blocks = (dates + horizon) // (BLOCK + horizon)
    assert conclusive(spent_at(level, horizon, blocks))
    assert not conclusive(spent_at(level, horizon, blocks - 1))
    assert fewest_dates(1e-5, 1) == 2525  # a copy in ten thousand takes ten years to spend
