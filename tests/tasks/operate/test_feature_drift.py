import math

import numpy as np
import pytest

from foldproof.tasks.operate.feature_drift import (
    share_outside,
    stability_index,
    stability_indices,
)
from foldproof.tasks.train.serving.training_values import Profile, profile, profiles

HALVES = Profile(edges=(0.0,), shares=(0.5, 0.5), low=-1.0, high=1.0, missing=0.0)


def test_two_bins_in_closed_form() -> None:
    """From a half and a half to a quarter and three: 0.25 ln 2 + 0.25 ln 1.5 = 0.25 ln 3."""
    values = np.array([-1.0, 0.0, 1.0, 1.0, np.nan])
    assert stability_index(HALVES, values) == pytest.approx(0.25 * math.log(3), abs=1e-12)
    assert stability_index(HALVES, np.array([-1.0, 1.0])) == 0


def test_an_empty_bin_counts_as_half_a_value() -> None:
    """All four above: q = (1/8, 1)."""
    expected = (1 / 8 - 1 / 2) * math.log(1 / 4) + 1 / 2 * math.log(2)
    assert stability_index(HALVES, np.ones(4)) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("common", [0.0, 1.0])
def test_a_flag_that_is_rare_in_training_has_an_index_whatever_its_coding(common: float) -> None:
    """From 5 % to all, q = (1/40, 1): 20 values now, an empty bin is half of one."""
    reference = profile(np.array([common] * 95 + [1 - common] * 5))
    expected = (1 / 40 - 0.95) * math.log(1 / 38) + 0.95 * math.log(20)
    assert stability_index(reference, np.full(20, 1 - common)) == pytest.approx(expected)
    assert stability_index(reference, np.array([common] * 19 + [1 - common])) == pytest.approx(0)


def test_a_constant_feature_that_varies_now_has_moved() -> None:
    reference = profile(np.full(50, 2.0))
    assert stability_index(reference, np.full(200, 2.0)) < 0.1
    for now in (2.0 + np.linspace(0.1, 1, 20), 2.0 - np.linspace(0.1, 1, 20)):
        assert stability_index(reference, now) > 5


def test_without_values_there_is_no_index() -> None:
    assert math.isnan(stability_index(HALVES, np.array([np.nan])))
    assert math.isnan(stability_index(profile(np.array([np.nan])), np.ones(3)))


def test_values_of_the_same_distribution_stay_within_what_sampling_gives() -> None:
    """Mean (B - 1) (1/N + 1/M) over draws, to a tenth of it."""
    generator = np.random.default_rng(0)
    found = [
        stability_index(profile(generator.standard_normal(2000)), generator.standard_normal(500))
        for _ in range(400)
    ]
    assert np.mean(found) == pytest.approx(9 * (1 / 500 + 1 / 2000), rel=0.1)


@pytest.mark.parametrize(("moved", "least"), [(0.0, 0.0), (0.5, 0.15), (1.0, 0.7)])
def test_a_moved_mean_gives_the_index_of_its_integral(moved: float, least: float) -> None:
    """For a normal moved by m the index over fine bins is m squared; deciles lose some."""
    generator = np.random.default_rng(1)
    reference = profile(generator.standard_normal(50_000))
    found = stability_index(reference, generator.standard_normal(50_000) + moved)
    assert least <= found <= moved**2 + 0.01


def test_features_are_sorted_by_index_with_nan_last() -> None:
    generator = np.random.default_rng(2)
    reference = profiles(generator.standard_normal((5000, 3)), ("still", "moved", "gone"))
    now = generator.standard_normal((1000, 3))
    now[:, 1] += 1.0
    now[:, 2] = np.nan
    found = stability_indices(reference, now, ("still", "moved", "gone"))
    assert list(found.index) == ["moved", "still", "gone"]
    assert found["moved"] > 0.5 > 0.05 > found["still"]
    assert math.isnan(found["gone"])


def test_the_share_outside_counts_values_only() -> None:
    reference = {"a": HALVES, "b": HALVES, "never": profile(np.array([np.nan]))}
    cells = np.array([[2.0, 1.0, 5.0], [-2.0, np.nan, 5.0], [0.0, 1.01, 5.0], [1.0, -1.0, 5.0]])
    found = share_outside(reference, cells, ("a", "b", "never"))
    assert found.to_dict() == {"a": 0.5, "b": pytest.approx(1 / 3), "never": 0.0}
    assert list(found.index) == ["a", "b", "never"]
