"""Neutral rank IC against regressions date by date with scipy and numpy."""

import numpy as np
import pytest
from scipy.stats import rankdata, spearmanr

from foldproof.tasks.decompose.neutral import (
    industry_dummies,
    neutral_rank_ics,
    neutralized,
    style_ranks,
)
from foldproof.tasks.decompose.ranked import Ranked

D, S = 40, 14
RNG = np.random.default_rng(2)
STYLES = RNG.standard_normal((D, S, 2))
FORECASTS = np.stack([STYLES[..., 0] + RNG.standard_normal((D, S)), RNG.standard_normal((D, S))])
FORECASTS[:, RNG.random((D, S)) < 0.1] = np.nan
TARGET = RNG.standard_normal((D, S))
INDUSTRIES = RNG.integers(0, 3, (D, S))
RANKED = Ranked.of(dict(zip("ab", FORECASTS, strict=True)))
CELLS = RANKED.cells


def by_hand(d: int, n: int, columns: np.ndarray) -> float:
    own = CELLS[d]
    x = np.column_stack([np.ones(own.sum()), columns[own]])
    y = rankdata(FORECASTS[n, d, own])
    rest = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
    return float(spearmanr(np.round(rest, 9), TARGET[d, own]).statistic)


def test_equals_a_regression_of_ranks_on_ranks_date_by_date() -> None:
    daily = neutral_rank_ics(RANKED, style_ranks(STYLES, CELLS), TARGET)
    for d in range(D):
        columns = np.zeros((S, 2))
        columns[CELLS[d]] = rankdata(STYLES[d, CELLS[d]], axis=0)
        for n in range(2):
            assert daily[d, n] == pytest.approx(by_hand(d, n, columns), abs=1e-12)


def test_industries_are_removed_as_groups() -> None:
    columns = industry_dummies(INDUSTRIES, CELLS)
    daily = neutral_rank_ics(RANKED, columns, TARGET)
    for d in range(D):
        dummies = (INDUSTRIES[d, :, None] == np.arange(3)).astype(float)
        assert daily[d, 0] == pytest.approx(by_hand(d, 0, dummies), abs=1e-12)
    left = next(neutralized(RANKED, columns))
    for group in range(3):
        inside = np.where(group == INDUSTRIES, np.nan_to_num(left), 0.0)
        np.testing.assert_allclose(inside.sum(axis=1), 0, atol=1e-7)


def test_a_monotone_function_of_a_style_has_neutral_rank_ic_zero() -> None:
    cells = np.ones((D, S), bool)
    ranked = Ranked.of({"style": np.exp(STYLES[..., 1])})
    daily = neutral_rank_ics(ranked, style_ranks(STYLES, cells), TARGET)
    assert (daily == 0).all()


def test_collinear_and_constant_columns_change_nothing() -> None:
    plain = style_ranks(STYLES, CELLS)
    again = np.concatenate([plain, plain[..., :1], np.zeros((D, S, 1))], axis=-1)
    expected = neutral_rank_ics(RANKED, plain, TARGET)
    np.testing.assert_allclose(neutral_rank_ics(RANKED, again, TARGET), expected, atol=1e-12)


def test_a_missing_exposure_is_the_middle_of_its_date() -> None:
    styles = STYLES.copy()
    styles[3, 5, 0] = np.nan
    assert style_ranks(styles, CELLS)[3, 5, 0] == 0


def test_a_date_with_too_few_stocks_for_the_columns_is_not_neutralized() -> None:
    forecasts = FORECASTS.copy()
    forecasts[:, 7, 5:] = np.nan
    forecasts[:, 7, :5] = RNG.standard_normal((2, 5))
    ranked = Ranked.of(dict(zip("ab", forecasts, strict=True)))  # 5 stocks: 4 free, less 2 columns
    daily = neutral_rank_ics(ranked, style_ranks(STYLES, ranked.cells), TARGET)
    assert np.isnan(daily[7]).all()
    assert np.isfinite(np.delete(daily, 7, axis=0)).all()
