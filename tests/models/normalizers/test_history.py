import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import t

from foldproof.models.normalizers.history import (
    EwmZScore,
    ExpandingZScore,
    RollingRank,
    RollingRobustZScore,
    RollingZScore,
    ScoreDrivenZScore,
    VolatilityScaled,
    last_rows,
    rolling,
)


def frame(values):
    return pd.DataFrame(values.double().flatten(1).numpy())


def rolled(values, normalizer):
    """The z-score and its denominator by pandas."""
    wide = frame(values)
    window = wide.rolling(normalizer.window, min_periods=normalizer.minimum)
    spread = window.std(ddof=0)
    return ((wide - window.mean()) / spread).to_numpy().reshape(values.shape), spread


def smoothed(values, normalizer):
    """The same, moved by one row to be strictly earlier."""
    wide = frame(values)
    window = wide.ewm(halflife=normalizer.half_life, min_periods=normalizer.minimum)
    spread = window.var(bias=True).shift() ** 0.5
    return ((wide - window.mean().shift()) / spread).to_numpy().reshape(values.shape), spread


@pytest.mark.parametrize("window", [2, 7, 63, 252, 399, 400, 1000])
def test_rolling_equals_pandas(small, window):
    normalizer = RollingZScore(window, minimum=min(window, 63))
    result = normalizer.apply(small.values[..., :2], small.member, {})
    expected, spread = rolled(small.values[..., :2], normalizer)
    np.testing.assert_allclose(result.values, expected, rtol=1e-5, atol=1e-5)
    assert np.isfinite(expected).any()
    known = np.isfinite(expected)
    slope = 1 / spread.to_numpy().reshape(expected.shape)
    np.testing.assert_allclose(result.slope.numpy()[known], slope[known], rtol=1e-5)


@pytest.mark.parametrize("half_life", [1.0, 5.0, 63.0])
def test_ewm_equals_pandas(small, half_life):
    normalizer = EwmZScore(half_life)
    result = normalizer.apply(small.values[..., :2], small.member, {})
    expected, spread = smoothed(small.values[..., :2], normalizer)
    np.testing.assert_allclose(result.values, expected, rtol=1e-5, atol=1e-5)
    assert np.isfinite(expected).any()
    known = np.isfinite(expected)
    slope = 1 / spread.to_numpy().reshape(expected.shape)
    np.testing.assert_allclose(result.slope.numpy()[known], slope[known], rtol=1e-5)


@pytest.mark.parametrize("half_life", [1.0, 11.2])
def test_volatility_equals_pandas(small, half_life):
    values = small.values[..., :2]
    result = VolatilityScaled(half_life).apply(values, small.member, {})
    wide = frame(values)
    mean_square = wide.pow(2).ewm(halflife=half_life, min_periods=21).mean().shift()
    expected = (wide / mean_square**0.5).to_numpy().reshape(values.shape)
    np.testing.assert_allclose(result.values, expected, rtol=1e-5, atol=1e-5)
    assert np.isfinite(expected).any()


@pytest.mark.parametrize(("window", "minimum"), [(2, 1), (63, 21), (252, 63), (1000, 63)])
def test_rolling_rank_equals_pandas(small, window, minimum):
    values = small.values[:, :4]
    past = frame(values).rolling(window, min_periods=minimum)
    rank = (past.rank(pct=True) - 0.5) * 3.46
    found = RollingRank(window, minimum).apply(values, small.member[:, :4], {})
    np.testing.assert_allclose(found.values.flatten(1), rank, rtol=0, atol=1e-6)
    assert found.slope == 1


def test_expanding_equals_pandas(small):
    wide = frame(small.values[..., :2])
    past = wide.expanding(min_periods=63)
    expected = ((wide - past.mean()) / past.std(ddof=0)).to_numpy()
    found = ExpandingZScore().apply(small.values[..., :2], small.member, {})
    np.testing.assert_allclose(found.values.flatten(1), expected, rtol=1e-5, atol=1e-5)
    slope = found.slope.flatten(1).numpy()
    known = np.isfinite(expected)
    np.testing.assert_allclose(slope[known], (1 / past.std(ddof=0)).to_numpy()[known], rtol=1e-5)


@pytest.mark.parametrize(("window", "minimum"), [(2, 1), (62, 21), (63, 21)])
def test_rolling_robust_equals_pandas(small, window, minimum):
    values = small.values[:200, :3]
    past = frame(values).rolling(window, min_periods=minimum)
    center = past.median()
    spread = 1.4826 * past.apply(
        lambda one: np.nanmedian(np.abs(one - np.nanmedian(one))), raw=True
    )
    expected = ((frame(values) - center) / spread.where(spread > 0)).clip(-3, 3)
    expected = expected.mask(expected.isna() & center.notna() & frame(values).notna(), 0.0)
    found = RollingRobustZScore(window, minimum).apply(values, small.member[:200, :3], {})
    np.testing.assert_allclose(found.values.flatten(1), expected, rtol=0, atol=1e-5)
    assert (found.slope[found.values.abs() == 3] == 0).all()


def filtered(column, gain, dof=5.0, minimum=21):
    """Location and scale before each row: the equations of the filter, one number at a time."""
    before, start = [], []
    location = squared = None
    for value in column:
        before.append((location, squared) if len(start) >= minimum else (np.nan, np.nan))
        if np.isnan(value):
            continue
        if len(start) < minimum:
            start.append(value)
            location, squared = np.mean(start), np.var(start)
            continue
        surprise = value - location
        weight = (dof + 1) / (dof + surprise**2 / squared)
        location = location + gain * weight * surprise
        squared = squared + gain * (weight * surprise**2 - squared)
    return np.array(before).T


def test_score_driven_is_the_filter_with_the_most_likely_gain(small):
    values, normalizer = small.values[:, :3].double(), ScoreDrivenZScore()
    member, rows = small.member[:, :3], range(60, 250)
    state = normalizer.fit(values, member, rows)
    gains = [1 - 0.5 ** (1 / half_life) for half_life in normalizer.half_lives]
    for feature in range(4):
        likelihoods = []
        for gain in gains:
            total = 0.0
            for stock in range(3):
                column = values[60:250, stock, feature].numpy()
                location, squared = filtered(column, gain)
                inside = member[60:250, stock].numpy() & np.isfinite(column - location)
                scale = np.sqrt(squared[inside])
                density = t.logpdf((column - location)[inside] / scale, 5) - np.log(scale)
                total += density.sum()
            likelihoods.append(total)
        best = gains[int(np.argmax(likelihoods))]
        assert state["gain"][feature].item() == pytest.approx(best, rel=1e-12)
        found = normalizer.apply(values, member, state)
        for stock in range(3):
            column = values[:, stock, feature].numpy()
            location, squared = filtered(column, best)
            expected = (column - location) / np.sqrt(squared)
            np.testing.assert_allclose(found.values[:, stock, feature], expected, atol=1e-8)


def test_an_outlier_moves_the_score_driven_scale_less_than_the_exponential_one():
    noise = torch.randn(300, 1, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    spiked, member = noise.clone(), torch.ones(300, 1, dtype=torch.bool)
    spiked[200] = 50.0
    state = {"gain": torch.tensor([1 - 0.5 ** (1 / 63)], dtype=torch.float64)}
    shrunk = []
    for normalizer, fitted in ((ScoreDrivenZScore(), state), (EwmZScore(), {})):
        before, after = (normalizer.apply(x, member, fitted).slope for x in (noise, spiked))
        shrunk.append(float(after[210] / before[210]))
    assert shrunk[0] > 0.9 > 0.5 > shrunk[1]


def test_last_rows_come_in_pieces_of_bounded_size():
    values = torch.arange(6000.0).reshape(300, 4, 5)
    pieces = list(last_rows(values, 1000))
    assert len(pieces) > 1
    whole = torch.cat(pieces)
    assert whole.shape == (300, 4, 5, 1000)
    assert torch.equal(whole[2, 1, 0, -3:], values[:3, 1, 0])
    assert whole[2, 1, 0, :-3].isnan().all()


def test_by_hand():
    values = torch.tensor([1.0, 3.0, 8.0, torch.nan, 2.0]).reshape(5, 1, 1)
    member = torch.ones(5, 1, dtype=torch.bool)
    z = RollingZScore(window=3, minimum=2).apply(values, member, {}).values.flatten()
    # 1 alone is too few; (1, 3); (1, 3, 8): mean 4, variance 26/3; 2 sees (8, 2)
    assert z[[0, 3]].isnan().all()
    assert z[[1, 2, 4]].tolist() == pytest.approx([1.0, 4 / (26 / 3) ** 0.5, -1.0], abs=1e-6)
    z = EwmZScore(half_life=1.0, minimum=2).apply(values, member, {}).values.flatten()
    # before 8: weights 1/3, 2/3 on 1, 3, mean 7/3, variance 8/9; before 2: 1/7, 2/7, 4/7, mean 39/7
    assert z[[0, 1, 3]].isnan().all()
    variance = (1 + 2 * 9 + 4 * 64) / 7 - (39 / 7) ** 2
    expected = [(8 - 7 / 3) / (8 / 9) ** 0.5, (2 - 39 / 7) / variance**0.5]
    assert z[[2, 4]].tolist() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("normalizer", [RollingZScore(), EwmZScore()])
def test_offset_of_a_million_loses_nothing(normalizer):
    noise = torch.randn(800, 3, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    member = torch.ones(800, 3, dtype=torch.bool)
    near = normalizer.apply(noise, member, {}).values
    far = normalizer.apply(noise + 1e6, member, {}).values
    torch.testing.assert_close(near, far, rtol=0, atol=1e-6, equal_nan=True)


def test_first_value_far_from_the_rest_costs_no_digits():
    values = torch.randn(40, 1, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    values[0] = 1e6
    moments = rolling(values, 20)
    for row in (10, 19, 20, 39):
        window = values[max(0, row - 19) : row + 1].flatten().numpy()
        np.testing.assert_allclose(moments.mean[row].item(), window.mean(), rtol=1e-9)
        np.testing.assert_allclose(
            moments.squares[row].item(), window.var() * len(window), rtol=1e-9
        )


@pytest.mark.parametrize(
    "normalizer", [RollingZScore(50, 10), EwmZScore(10.0, 5), RollingRobustZScore(50, 10)]
)
def test_constant_history_is_zero_not_infinite(normalizer):
    values = torch.full((200, 1, 1), 0.1)
    values[150:] = 0.2
    result = normalizer.apply(values, torch.ones(200, 1, dtype=torch.bool), {})
    assert (result.values[60:150] == 0).all()
    assert not result.values.isinf().any()
    assert result.slope.isfinite().all()


@pytest.mark.parametrize(
    "normalizer",
    [RollingZScore(50, 10), ExpandingZScore(10), RollingRobustZScore(50, 10), EwmZScore(10.0, 5),
     VolatilityScaled(10.0, 5), RollingRank(50, 10), ScoreDrivenZScore(minimum=5)],
    ids=lambda one: type(one).__name__,
)  # fmt: skip
def test_a_symbol_that_is_used_again_has_no_history(small, normalizer):
    """After the gap values are those of a new stock; other stocks do not change in any bit."""
    values, member = small.values[:200, :3].clone(), torch.ones(200, 3, dtype=torch.bool)
    state = {"gain": torch.full((values.shape[2],), 0.05, dtype=torch.float64)}
    whole = normalizer.apply(values, member, state)
    values[100:, 1] += 1e3
    values[90:100, 1], member[90:100, 1] = torch.nan, False
    found = normalizer.apply(values, member, state)
    alone = normalizer.apply(values[100:], member[100:], state)
    same = {"rtol": 0, "atol": 0, "equal_nan": True}
    torch.testing.assert_close(found.values[:90], whole.values[:90], **same)
    torch.testing.assert_close(found.values[:, [0, 2]], whole.values[:, [0, 2]], **same)
    close = {"rtol": 0, "atol": 1e-9 if values.dtype == torch.float64 else 1e-5, "equal_nan": True}
    torch.testing.assert_close(found.values[100:, 1], alone.values[:, 1], **close)
    assert found.values[115:, 1].isfinite().any()
    if found.slope.dim() == 3:
        torch.testing.assert_close(found.slope[:90], whole.slope[:90], **same)
        torch.testing.assert_close(found.slope[100:, 1], alone.slope[:, 1], **close)


def test_a_member_without_values_keeps_its_history():
    """A date without a value of one group of features is not a gap in a stock's history."""
    values, member = torch.arange(60.0).reshape(60, 1, 1), torch.ones(60, 1, dtype=torch.bool)
    values[30:40] = torch.nan
    found = RollingZScore(50, 10).apply(values, member, {}).values[40, 0, 0]
    past = np.r_[np.arange(30), 40]
    assert found.item() == pytest.approx((40 - past.mean()) / past.std(), abs=1e-6)


def test_the_gain_is_fitted_on_stretches_apart(small):
    """The fit on a stock with a gap is that on two stocks; a later gap changes nothing."""
    values, member = small.values[:200, :1].double(), torch.ones(200, 1, dtype=torch.bool)
    values[60:160] *= torch.linspace(1, 30, 100).double()[:, None, None]
    values[90:100], member[90:100] = torch.nan, False
    apart, both = values.repeat(1, 2, 1), member.repeat(1, 2)
    apart[90:, 0], both[90:, 0] = torch.nan, False
    apart[:100, 1], both[:100, 1] = torch.nan, False
    normalizer = ScoreDrivenZScore()
    expected = normalizer.fit(apart, both, range(0, 170))
    assert torch.equal(normalizer.fit(values, member, range(0, 170))["gain"], expected["gain"])
    _, squared = normalizer._filtered(apart, expected["gain"])
    joined = normalizer.apply(values, member, expected)
    slope = (1 / squared[130:, 1].sqrt()).float()
    torch.testing.assert_close(joined.slope[130:, 0].float(), slope)


def test_bad_parameters_are_refused():
    with pytest.raises(ValueError, match="window must be at least 2"):
        RollingZScore(window=1)
    with pytest.raises(ValueError, match="half_life must be greater than 0"):
        EwmZScore(half_life=0.0)
    with pytest.raises(ValueError, match="half_life must be greater than 0"):
        VolatilityScaled(half_life=0.0)
    with pytest.raises(ValueError, match="window must be at least 2"):
        RollingRank(window=1)
