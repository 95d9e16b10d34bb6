import numpy as np
import pytest

from foldproof.tasks.attribute.trust.random_weights import label_randomization, model_randomization

TRAINED = np.array([5.0, 4.0, 3.0, 2.0, 1.0, 0.5, 0.2, 0.1])


def test_an_unchanged_ranking_fails_and_unrelated_ones_pass() -> None:
    generator = np.random.default_rng(0)
    stuck = model_randomization(TRAINED, {"head": [TRAINED], "lstm 0": [2 * TRAINED, TRAINED]})
    assert (stuck.value, stuck.passed) == (pytest.approx(1), False)
    free = [generator.permutation(TRAINED) for _ in range(8)]
    found = model_randomization(TRAINED, {"head": [TRAINED], "lstm 0": free})
    assert found.passed
    assert found.detail.startswith("new weights from head 1.00, lstm 0 ")
    assert label_randomization(TRAINED, free).value == found.value


def test_a_reversed_ranking_is_not_random() -> None:
    assert label_randomization(TRAINED, [-TRAINED]).passed is False


def test_only_the_last_stage_counts() -> None:
    generator = np.random.default_rng(1)
    free = [generator.permutation(TRAINED) for _ in range(8)]
    found = model_randomization(TRAINED, {"head": free, "lstm 0": [TRAINED]})
    assert found.value == pytest.approx(1)
    assert found.passed is False


def test_four_features_need_several_networks() -> None:
    """A single rho of four features can have any value; two are 1 with probability 1 / 576."""
    one = model_randomization(TRAINED[:4], {"all": [TRAINED[:4]]})
    two = model_randomization(TRAINED[:4], {"all": [TRAINED[:4]] * 2})
    assert one.passed is None
    assert "draw more networks" in one.detail
    assert two.passed is False
    assert two.mark < 1


def test_random_rankings_rarely_fail() -> None:
    generator = np.random.default_rng(2)
    passed = [
        label_randomization(TRAINED, [generator.permutation(TRAINED)]).passed for _ in range(500)
    ]
    assert 0.93 < np.mean(passed) < 0.99


def test_other_features_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match=r"\(8,\) and \(3,\)"):
        label_randomization(TRAINED, [np.ones(3)])
