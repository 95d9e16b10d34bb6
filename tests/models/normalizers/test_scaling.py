import warnings

import numpy as np
import pytest
import torch

from foldproof.models.normalizers import Scaled, history, scaling
from foldproof.models.normalizers.scaling import fitted_cells, in_blocks, median, scaled
from tests.variants import INPUTS, input_of


def test_no_spread_gives_zero_and_missing_stays_missing():
    values = torch.tensor([3.0, 3.0, torch.nan]).reshape(3, 1, 1)
    center = torch.full((1,), 3.0, dtype=torch.float64)
    result = scaled(values, center, torch.zeros(1, dtype=torch.float64))
    assert result.values.flatten()[:2].tolist() == [0.0, 0.0]
    assert result.values[2].isnan()
    assert result.slope.tolist() == [0.0]


@pytest.mark.parametrize(
    ("center", "spread", "kept"),
    [(1e6, 1.0, True), (1e6, 1e-5, False), (0.0, 1e-30, True), (0.0, 1e-40, False)],
)
def test_floor_is_relative_to_the_center(center, spread, kept):
    result = scaled(
        torch.full((1, 1, 1), center, dtype=torch.float64) + spread,
        torch.tensor([center], dtype=torch.float64),
        torch.tensor([spread], dtype=torch.float64),
    )
    assert result.slope.isfinite().all()
    assert result.values.item() == pytest.approx(1.0 if kept else 0.0, rel=1e-9)


def test_only_finite_member_cells_of_the_rows_are_fitted_on():
    values = torch.arange(8.0).reshape(4, 2, 1)
    values[1, 0] = torch.inf
    member = torch.ones(4, 2, dtype=torch.bool)
    member[2, 1] = False
    cells = fitted_cells(values, member, range(1, 3)).flatten()
    assert cells[~cells.isnan()].tolist() == [3.0, 4.0]


def test_a_feature_without_a_value_is_named():
    values = torch.ones(4, 2, 3)
    values[:3, :, 1] = torch.nan
    member = torch.ones(4, 2, dtype=torch.bool)
    with pytest.raises(ValueError, match=r"feature columns \[1\].*rows 0\.\.2"):
        fitted_cells(values, member, range(0, 3))
    fitted_cells(values, member, range(0, 4))


@pytest.mark.parametrize("name", INPUTS)
@pytest.mark.parametrize("cells", [1, 100, 1000])
def test_blocks_change_no_bit(name, cells, small, monkeypatch):
    normalizer = input_of(name)
    state = normalizer.fit(small.values, small.member, range(250))
    whole = normalizer.apply(small.values, small.member, state)
    sizes = []

    def smaller(apply, values, member, dim, **_):
        def counted(block, members):
            assert block.shape[:2] == members.shape
            sizes.append(block.numel())
            return apply(block, members)

        return in_blocks(counted, values, member, dim, cells=cells)

    for module in (history, scaling):
        monkeypatch.setattr(module, "in_blocks", smaller)
    blocks = normalizer.apply(small.values, small.member, state)
    assert len(sizes) > 1
    for one, other in zip(whole, blocks, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("steps", [1, 6, 7])
def test_the_median_is_that_of_numpy_without_missing_cells(steps):
    values = torch.randn(steps, 5, 4, generator=torch.Generator().manual_seed(0)).double()
    values[values > 1] = torch.nan
    values[:, 0, 0] = torch.nan
    for dim in (0, 1):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of numpy, where all are missing
            expected = np.nanmedian(values.numpy(), axis=dim, keepdims=True)
        np.testing.assert_array_equal(median(values, dim=dim), expected)


def test_blocks_are_no_larger_than_asked_for():
    values, member = torch.randn(50, 7, 3), torch.ones(50, 7, dtype=torch.bool)
    sizes = []

    def doubled(block, members):
        sizes.append((*block.shape, *members.shape))
        return Scaled(2 * block, torch.ones(1))

    result = in_blocks(doubled, values, member, 0, cells=200)
    assert torch.equal(result.values, 2 * values)
    assert result.slope.tolist() == [1.0]
    assert sizes == [(9, 7, 3, 9, 7)] * 5 + [(5, 7, 3, 5, 7)]
