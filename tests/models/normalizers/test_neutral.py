"""Neutral z-scores: the regression of each date, recomputed with NumPy's least squares."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from foldproof.models.normalizers import VARIANTS, resolve, with_features, with_state
from foldproof.models.normalizers.neutral import COLUMNS, NeutralZScore

D, S, F = 7, 30, 5
STATE = {COLUMNS: torch.tensor([3, 4])}


@pytest.fixture
def panel():
    """(values, member) with gaps, a missing exposure and a non-member."""
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(D, S, F, generator=generator, dtype=torch.float64)
    values[..., 0] += 2 * values[..., 3] - values[..., 4] + 5
    values[2, 4, 0] = torch.nan
    values[3, 5, 3] = torch.nan
    member = torch.ones(D, S, dtype=torch.bool)
    member[1, :3] = False
    return values, member


def by_hand(values, member, feature, styles):
    """Residual over its sd on one date, for members and non-members."""
    y, own = values[:, feature], values[:, styles].copy()
    counted = member & np.isfinite(y)
    for column in own.T:
        column[np.isnan(column)] = column[counted & np.isfinite(column)].mean()
    design = np.column_stack([np.ones(len(y)), own])
    beta = np.linalg.lstsq(design[counted], y[counted], rcond=1e-9)[0]
    left = y - design @ beta
    return left / left[counted].std()


@pytest.mark.parametrize("feature", [0, 1])
def test_residuals_equal_least_squares_with_an_intercept(panel, feature):
    values, member = panel
    found = NeutralZScore().apply(values, member, STATE).values.numpy()
    for day in range(D):
        expected = by_hand(values[day].numpy(), member[day].numpy(), feature, [3, 4])
        np.testing.assert_allclose(found[day, :, feature], expected, atol=1e-10)


def test_the_styles_themselves_become_zero(panel):
    found = NeutralZScore().apply(*panel, STATE).values
    assert (found[..., 3:].nan_to_num(0) == 0).all()


def test_a_collinear_style_changes_nothing(panel):
    values, member = panel
    values[..., 2] = 3 * values[..., 3].nan_to_num(0) - values[..., 4] + 1
    values[..., 3].nan_to_num_(0)
    twice = {COLUMNS: torch.tensor([3, 4, 2, 3])}
    one, two = (NeutralZScore().apply(values, member, state).values for state in (STATE, twice))
    torch.testing.assert_close(one[..., :2], two[..., :2], rtol=0, atol=1e-9, equal_nan=True)


def test_float32_copies_of_a_style_leave_no_noise(panel):
    values, member = (panel[0] * 1e3).float(), panel[1]
    values[..., 0] = values[..., 3] * 0.1 + 7
    found = NeutralZScore().apply(values, member, STATE).values[..., 0]
    assert (found.nan_to_num(0) == 0).all()


def test_dates_with_few_members_are_zero_and_dates_without_any_are_missing(panel):
    values, member = panel
    member[0, 5:] = False  # 5 members: 2 degrees of freedom
    member[5, 6:] = False  # 6 members: 3
    member[6] = False
    found = NeutralZScore().apply(values, member, STATE).values[..., :2]
    assert (found[0] == 0).all()
    assert (found[5] != 0).all()
    assert found[6].isnan().all()


def test_the_slope_is_the_derivative_with_fixed_coefficients(panel):
    """Without styles of its own date a cell of a non-member moves nothing but itself."""
    values, member = (each.clone() for each in panel)
    values.requires_grad_()
    found = NeutralZScore().apply(values, member, STATE)
    (gradient,) = torch.autograd.grad(found.values[1, 0, 1], values)
    assert float(gradient[1, 0, 1]) == pytest.approx(
        float(found.slope[1, 0, 1].detach()), rel=1e-12
    )
    assert gradient[1, 1:3].abs().sum() == 0
    assert gradient.isfinite().all()


def test_default_styles_are_those_of_the_panel():
    found = with_features(VARIANTS["neutral_zscore"], ("a", "beta_63", "return_5")).input
    assert found.columns == (2, 1)


def test_the_state_keeps_the_styles():
    bound = with_features(resolve("neutral_zscore ~ b"), ("a", "b", "c")).input
    state = bound.fit(torch.zeros(2, 2, 3), torch.ones(2, 2, dtype=torch.bool), range(1))
    assert with_state(resolve("neutral_zscore ~ b"), state).input == bound


def test_styles_are_named_after_a_tilde():
    one = resolve("neutral_zscore ~ a b + layer_norm @ date_block -> cs_rank")
    assert one.input.styles == ("a", "b")
    assert (one.hidden is None, one.batches, one.target) == (False, "date_block", "cs_rank")
    assert "the residual on a, b across" in one.formula
    assert with_features(one, ("b", "c", "a")).input.columns == (2, 0)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("zscore ~ a", "zscore is not neutral to columns"),
        ("neutral_zscore ~  ", "names no style column"),
        ("neutral_zscore(a b) & zscore(*)", "reads style columns, which may be in another group"),
        ("neutral_zscore~a", "write +, @, ~ and -> between spaces"),
    ],
)
def test_names_that_do_not_resolve(name, says):
    with pytest.raises(ValueError, match=says.replace("+", r"\+")):
        resolve(name)


@pytest.mark.parametrize(
    ("styles", "says"),
    [
        (("priec",), "is not a feature of the panel; did you mean price"),
        ((), "needs style columns; the panel has none of momentum_252_21"),
        (("price", "size"), "all features of the panel are styles"),
    ],
)
def test_styles_that_a_panel_lacks(styles, says):
    variant = replace(VARIANTS["neutral_zscore"], input=NeutralZScore(styles))
    with pytest.raises(ValueError, match=says):
        with_features(variant, ("price", "size"))
