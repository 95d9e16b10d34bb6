import pytest
import torch

from foldproof.models.normalizers.chained import Chained
from foldproof.models.normalizers.cross_section import CrossSectionZScore
from foldproof.models.normalizers.history import RollingZScore
from foldproof.models.normalizers.pooled import MinMax, ZScore

ROWS = range(60, 250)


@pytest.mark.parametrize("reverse", [False, True])
def test_the_second_normalizes_what_the_first_returns(small, reverse):
    one, two = RollingZScore(), CrossSectionZScore()
    if reverse:
        one, two = two, one
    both = Chained(one, two)
    state = both.fit(small.values, small.member, ROWS)
    assert state == {}
    result = both.apply(small.values, small.member, state)
    first = one.apply(small.values, small.member, {})
    second = two.apply(first.values, small.member, {})
    torch.testing.assert_close(result.values, second.values, rtol=0, atol=0, equal_nan=True)
    torch.testing.assert_close(result.slope, first.slope * second.slope, rtol=0, atol=0)


def test_both_states_are_kept_apart(small):
    """The z-score of min-max scaled values is the z-score of the values."""
    both, alone = Chained(MinMax(), ZScore()), ZScore()
    state = both.fit(small.values, small.member, ROWS)
    assert list(state) == ["first.center", "first.spread", "second.center", "second.spread"]
    result = both.apply(small.values, small.member, state)
    expected = alone.apply(small.values, small.member, alone.fit(small.values, small.member, ROWS))
    torch.testing.assert_close(result.values, expected.values, rtol=0, atol=1e-4, equal_nan=True)
    torch.testing.assert_close(result.slope, expected.slope.expand(4), rtol=1e-4, atol=0)


def test_order_matters(small):
    one, two = RollingZScore(), CrossSectionZScore()
    there = Chained(one, two).apply(small.values, small.member, {}).values
    back = Chained(two, one).apply(small.values, small.member, {}).values
    assert (there - back).abs().nanmean() > 0.01
