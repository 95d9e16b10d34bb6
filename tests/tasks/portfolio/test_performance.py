import numpy as np
import pytest

from foldproof.tasks.portfolio.performance import break_even, by_cost, drawdown, net, sharpe

DAILY = np.array([0.02, -0.01, -0.03, 0.04, 0.0])
TRADES = np.array([1.0, 0.5, 0.5, 1.0, 0.0])


def test_sharpe_is_the_mean_over_the_standard_deviation_of_a_year() -> None:
    expected = DAILY.mean() / DAILY.std(ddof=1) * 252**0.5
    assert sharpe(DAILY) == pytest.approx(expected)
    assert np.isnan(sharpe(np.zeros(4)))
    assert np.isnan(sharpe(1e-14 * DAILY))  # rounding is not risk


def test_drawdown_is_the_largest_fall_of_the_sum_from_a_peak() -> None:
    assert drawdown(DAILY) == pytest.approx(0.04)
    assert drawdown(np.array([-0.1, 0.05])) == pytest.approx(0.1)  # the start is a peak
    assert drawdown(np.ones(3)) == 0


def test_profit_is_zero_at_the_break_even_cost() -> None:
    cost = break_even(DAILY, TRADES)
    assert net(DAILY, TRADES, cost).sum() == pytest.approx(0)
    assert cost == pytest.approx(0.02 / 3 * 1e4)
    assert np.isnan(break_even(DAILY, np.zeros(5)))


def test_costs_are_taken_from_the_value_traded() -> None:
    table = by_cost(DAILY, TRADES, (0.0, 10.0)).set_index("cost")
    assert table.at[0.0, "annual_return"] == pytest.approx(252 * DAILY.mean())
    after = DAILY - 0.001 * TRADES
    assert table.at[10.0, "annual_return"] == pytest.approx(252 * after.mean())
    assert table.at[10.0, "sharpe"] == pytest.approx(sharpe(after))
    assert table.at[10.0, "drawdown"] == pytest.approx(drawdown(after))
