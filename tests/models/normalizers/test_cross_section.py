import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import norm

from foldproof.models.normalizers.cross_section import (
    CrossSectionRank,
    CrossSectionRankNormal,
    CrossSectionRobustZScore,
    CrossSectionZScore,
)

EVERY = [
    CrossSectionZScore(), CrossSectionRank(), CrossSectionRankNormal(), CrossSectionRobustZScore(),
]  # fmt: skip


def members_only(small, feature):
    """(D, S) frame of one feature, NaN where the cell counts for nothing."""
    cells = small.values[..., feature].double().masked_fill(~small.member, torch.nan)
    return pd.DataFrame(cells.numpy())


@pytest.mark.parametrize("feature", range(4))
def test_equal_to_pandas_over_members(small, feature):
    wide = members_only(small, feature)
    z = wide.sub(wide.mean(axis=1), axis=0).div(wide.std(axis=1, ddof=0), axis=0)
    rank = (wide.rank(axis=1, pct=True) - 0.5) * 3.46
    normal = norm.ppf((wide.rank(axis=1) - 0.5).div(wide.count(axis=1), axis=0))
    apart = wide.sub(wide.median(axis=1), axis=0)
    mad = 1.4826 * apart.abs().median(axis=1)
    robust = apart.div(mad.where(mad > 0), axis=0).clip(-3, 3)
    robust = robust.mask(robust.isna() & wide.notna(), 0.0)  # all become 0 where the MAD is 0
    expectations = zip(EVERY, (z, rank, normal, robust), strict=True)
    for normalizer, expected in expectations:
        result = normalizer.apply(small.values, small.member, {}).values[..., feature]
        inside = torch.where(small.member, result, torch.nan)
        np.testing.assert_allclose(inside, expected, rtol=1e-5, atol=1e-6)
    slope = CrossSectionZScore().apply(small.values, small.member, {}).slope[:, 0, feature]
    known = np.isfinite(z).any(axis=1)
    assert known.sum() > 300
    np.testing.assert_allclose(slope[known], 1 / wide.std(axis=1, ddof=0)[known], rtol=1e-5)
    assert CrossSectionRank().apply(small.values, small.member, {}).slope == 1


def test_by_hand_with_ties_and_an_outsider():
    values = torch.tensor([5.0, 1.0, 5.0, 9.0, 4.0, torch.nan]).reshape(1, 6, 1)
    member = torch.tensor([[True, True, True, True, False, True]])
    rank = CrossSectionRank().apply(values, member, {}).values.flatten()
    # members 1 < 5 = 5 < 9 have ranks 1, 2.5, 2.5, 4 of 4; the outsider 4 lies at 1.5
    expected = [(r / 4 - 0.5) * 3.46 for r in (2.5, 1, 2.5, 4, 1.5)]
    assert rank[:5].tolist() == pytest.approx(expected, abs=1e-6)
    assert rank[5].isnan()
    z = CrossSectionZScore().apply(values, member, {}).values.flatten()
    assert z[:5].tolist() == pytest.approx([0, -(2**0.5), 0, 2**0.5, -(0.125**0.5)], abs=1e-6)


def test_rank_normal_of_outsiders_beyond_all_members_is_that_of_the_outermost_member():
    values = torch.tensor([1.0, 2.0, 3.0, -9.0, 9.0, 2.5]).reshape(1, 6, 1)
    member = torch.tensor([[True, True, True, False, False, False]])
    result = CrossSectionRankNormal().apply(values, member, {}).values.flatten()
    edge = norm.ppf(2.5 / 3)
    by_hand = [-edge, 0.0, edge, -edge, edge, norm.ppf(2 / 3)]
    assert result.tolist() == pytest.approx(by_hand, abs=1e-6)


@pytest.mark.parametrize("normalizer", EVERY)
def test_non_members_change_no_statistic(small, normalizer):
    moved = small.values.clone()
    moved[~small.member] += 1000
    before = normalizer.apply(small.values, small.member, {}).values
    after = normalizer.apply(moved, small.member, {}).values
    inside = small.member.unsqueeze(-1).expand_as(before)
    assert torch.equal(before[inside].nan_to_num(-9), after[inside].nan_to_num(-9))


def test_equal_values_become_zero_and_none_is_missing():
    values = torch.full((2, 4, 1), 0.1)
    member = torch.ones(2, 4, dtype=torch.bool)
    member[1] = False
    z = CrossSectionZScore().apply(values, member, {})
    rank = CrossSectionRank().apply(values, member, {})
    assert (z.values[0] == 0).all()
    assert rank.values[0].flatten().tolist() == pytest.approx([(2.5 / 4 - 0.5) * 3.46] * 4)
    for normalizer in EVERY:
        assert normalizer.apply(values, member, {}).values[1].isnan().all()
    assert (CrossSectionRankNormal().apply(values, member, {}).values[0] == 0).all()
