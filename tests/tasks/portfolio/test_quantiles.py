import numpy as np
import pytest

from foldproof.tasks.portfolio.quantiles import quantile_weights
from foldproof.tasks.portfolio.spec import PortfolioSpec

ROW = np.array([[0.3, 0.1, 0.9, 0.5, 0.7, np.nan, 0.2, 0.8, 0.4, 0.6, 0.0]])


def test_quantiles_hold_equal_numbers_in_the_order_of_the_forecasts() -> None:
    weights = quantile_weights(ROW, 5)[:, 0]
    for number in range(5):
        inside = np.flatnonzero(weights[number])
        values = sorted(ROW[0, inside])
        assert values == pytest.approx([0.2 * number, 0.2 * number + 0.1])
        assert weights[number, inside].tolist() == [0.5, 0.5]


def test_every_quantile_is_fully_invested_and_every_stock_used_once() -> None:
    forecast = np.random.default_rng(0).standard_normal((30, 13)).round(1)  # with ties
    weights = quantile_weights(forecast, 5)
    np.testing.assert_allclose(weights.sum(axis=2), 1)
    np.testing.assert_allclose(weights.mean(axis=0), 1 / 13)


def test_ties_get_the_mean_over_random_orders() -> None:
    forecast = np.array([[1.0, 1.0, 2.0, 2.0, 2.0, 3.0, 4.0]])
    rng, draws = np.random.default_rng(1), 4000
    broken = forecast + 1e-6 * rng.random((draws, 7))
    mean = quantile_weights(broken, 3).mean(axis=1)
    np.testing.assert_allclose(quantile_weights(forecast, 3)[:, 0], mean, atol=0.02)


def test_a_constant_forecast_makes_all_quantiles_equal() -> None:
    np.testing.assert_allclose(quantile_weights(np.zeros((2, 8)), 4), 1 / 8)
    low, _, high = quantile_weights(np.zeros((1, 8)), 3)  # 8 / 3 is not exact
    assert (low == high).all()


@pytest.mark.parametrize(("names", "count"), [(20, 5), (10, 5), (9, 3), (4, 3)])
def test_few_stocks_are_cut_into_three(names: int, count: int) -> None:
    assert PortfolioSpec().cut(names) == count
    assert PortfolioSpec(quantiles=2).cut(names) == 2
