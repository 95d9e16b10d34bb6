import numpy as np
import pytest
import torch
from sklearn.preprocessing import MinMaxScaler, QuantileTransformer, StandardScaler

from foldproof.models.normalizers import scaling
from foldproof.models.normalizers.pooled import (
    Arcsinh,
    FullSampleZScore,
    MinMax,
    QuantileNormal,
    RobustZScore,
    ZScore,
)

ROWS = range(60, 250)


def member_cells(small, rows):
    block = slice(rows.start, rows.stop)
    return small.values[block].double().numpy()[small.member[block].numpy()]


@pytest.mark.parametrize(
    ("normalizer", "rows"), [(ZScore(), ROWS), (FullSampleZScore(), range(400))]
)
def test_zscore_equals_numpy(small, normalizer, rows):
    state = normalizer.fit(small.values, small.member, ROWS)
    cells = member_cells(small, rows)
    np.testing.assert_allclose(state["center"], np.nanmean(cells, axis=0), rtol=1e-12)
    np.testing.assert_allclose(state["spread"], np.nanstd(cells, axis=0), rtol=1e-12)
    result = normalizer.apply(small.values, small.member, state)
    expected = (small.values.double() - state["center"]) / state["spread"]
    torch.testing.assert_close(result.values, expected.float(), equal_nan=True)
    torch.testing.assert_close(result.slope, (1 / state["spread"]).float())


def test_robust_equals_numpy_and_clips(small):
    state = RobustZScore().fit(small.values, small.member, ROWS)
    cells = member_cells(small, ROWS)
    median = np.nanmedian(cells, axis=0)
    spread = 1.4826 * np.nanmedian(np.abs(cells - median), axis=0)
    np.testing.assert_allclose(state["center"], median, rtol=1e-12)
    np.testing.assert_allclose(state["spread"], spread, rtol=1e-12)
    result = RobustZScore().apply(small.values, small.member, state)
    expected = ((small.values.double().numpy() - median) / spread).clip(-3, 3)
    np.testing.assert_allclose(result.values, expected, atol=1e-6)
    clipped = np.abs(expected) == 3
    assert clipped.any()
    assert (result.slope[torch.from_numpy(clipped)] == 0).all()
    assert (result.slope[torch.from_numpy(np.abs(expected) < 3)] > 0).all()


def test_min_max_equals_scikit_learn(small):
    state = MinMax().fit(small.values, small.member, ROWS)
    oracle = MinMaxScaler().fit(member_cells(small, ROWS))
    result = MinMax().apply(small.values.double(), small.member, state)
    expected = oracle.transform(small.values.double().flatten(0, 1).numpy())
    np.testing.assert_allclose(result.values.flatten(0, 1), expected, rtol=0, atol=1e-9)
    np.testing.assert_allclose(result.slope, oracle.scale_, rtol=1e-12)
    assert np.nanmin(expected) < 0 < 1 < np.nanmax(expected)  # later rows are not clipped


def test_arcsinh_equals_numpy_of_scikit_learns_z_score(small):
    values = small.values.double()
    state = Arcsinh().fit(small.values, small.member, ROWS)
    oracle = StandardScaler().fit(member_cells(small, ROWS))
    result = Arcsinh().apply(values, small.member, state)
    expected = np.arcsinh(oracle.transform(values.flatten(0, 1).numpy()))
    np.testing.assert_allclose(result.values.flatten(0, 1), expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("count", [20, 1000])
def test_quantile_normal_equals_scikit_learn(small, count):
    """Ties, offsets and values outside the training range among them."""
    values = small.values.double()
    values[..., 3] *= 1e3  # scikit-learn's bounds are wider by an absolute 1e-7
    normalizer = QuantileNormal(count)
    state = normalizer.fit(values, small.member, ROWS)
    oracle = QuantileTransformer(
        n_quantiles=count, output_distribution="normal", subsample=None
    ).fit(values[60:250].numpy()[small.member[60:250].numpy()])
    np.testing.assert_allclose(state["quantiles"].T, oracle.quantiles_, rtol=0, atol=1e-9)
    result = normalizer.apply(values, small.member, state)
    expected = oracle.transform(values.flatten(0, 1).numpy())
    np.testing.assert_allclose(result.values.flatten(0, 1), expected, rtol=0, atol=1e-6)
    assert (np.abs(expected) > 5).any()
    assert (result.slope[result.values.abs() > 5.19] == 0).all()


def test_five_cells_by_hand():
    values = torch.tensor([1.0, 2.0, 3.0, 4.0, 100.0]).reshape(5, 1, 1)
    member = torch.ones(5, 1, dtype=torch.bool)
    robust = RobustZScore().apply(values, member, RobustZScore().fit(values, member, range(5)))
    by_hand = [-2 / 1.4826, -1 / 1.4826, 0.0, 1 / 1.4826, 3.0]
    assert robust.values.flatten().tolist() == pytest.approx(by_hand, abs=1e-6)
    plain = ZScore().apply(values, member, ZScore().fit(values, member, range(3)))
    root = 1.5**0.5
    assert plain.values.flatten().tolist()[:3] == pytest.approx([-root, 0.0, root], abs=1e-6)


def test_constant_feature_is_zero_not_infinite():
    values = torch.full((10, 3, 1), 0.1)
    member = torch.ones(10, 3, dtype=torch.bool)
    for normalizer in (ZScore(), RobustZScore(), MinMax(), QuantileNormal()):
        result = normalizer.apply(values, member, normalizer.fit(values, member, range(10)))
        assert (result.values == 0).all()


def test_offset_of_a_million_loses_nothing():
    noise = torch.randn(300, 4, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    member = torch.ones(300, 4, dtype=torch.bool)
    near = ZScore().apply(noise, member, ZScore().fit(noise, member, range(300)))
    far = ZScore().apply(noise + 1e6, member, ZScore().fit(noise + 1e6, member, range(300)))
    torch.testing.assert_close(near.values, far.values, rtol=0, atol=1e-6)


@pytest.mark.parametrize("normalizer", [ZScore(), RobustZScore(), MinMax()])
def test_a_large_panel_is_fitted_feature_by_feature(small, monkeypatch, normalizer):
    whole = normalizer.fit(small.values, small.member, ROWS)
    monkeypatch.setattr(scaling, "FITTED", 1)
    parts = normalizer.fit(small.values, small.member, ROWS)
    for name, statistic in whole.items():
        torch.testing.assert_close(parts[name], statistic, rtol=1e-12, atol=0)
    empty = small.values.clone()
    empty[:, :, 2] = torch.nan
    with pytest.raises(ValueError, match=r"feature columns \[2\]"):
        normalizer.fit(empty, small.member, ROWS)
