import numpy as np
from arch.bootstrap import MCS

from foldproof.tasks.compare.confidence_set import confidence_set
from foldproof.tasks.compare.intervals import block_length
from tests.tasks.compare.series import overlapping


def best_of(daily: np.ndarray, **settings) -> list[bool]:
    given = {"horizon": 1, "level": 0.9, "draws": 200, "seed": 0} | settings
    return confidence_set(daily, **given).tolist()


def test_the_confidence_set_is_that_of_arch() -> None:
    daily = overlapping(300, 5, 2, np.random.default_rng(10)) + np.linspace(0, 1, 5)
    block = block_length(daily, 2)
    order = np.lexsort(daily[::-1])  # columns in the order of their first value
    oracle = MCS(-daily[:, order], size=0.1, reps=200, block_size=block, method="R", seed=0)
    oracle.compute()
    expected = np.isin(np.arange(5), order[oracle.included])
    assert best_of(daily, horizon=2) == expected.tolist()
    assert 0 < expected.sum() < 5


def test_the_best_is_in_the_set_and_the_clearly_worse_is_not() -> None:
    rng = np.random.default_rng(11)
    daily = rng.standard_normal((500, 1)) + 0.3 * rng.standard_normal((500, 4))
    daily[:, 2] += 0.2
    assert best_of(daily) == [False, False, True, False]
    hidden = np.random.default_rng(13).standard_normal((500, 4))
    assert best_of(hidden) == [True] * 4


def test_of_equal_columns_all_or_none_are_in_the_set() -> None:
    rng = np.random.default_rng(12)
    one, two = rng.standard_normal((2, 300))
    assert best_of(np.stack([one, one + 1 + 0.1 * two, one + 1 + 0.1 * two], 1)) == [
        False,
        True,
        True,
    ]
    assert best_of(np.stack([one, one], axis=1)) == [True, True]
    assert best_of(one[:, None]) == [True]
    assert best_of(np.stack([np.zeros(300), one + 1], axis=1)) == [False, True]
