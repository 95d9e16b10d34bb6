"""All books of a table of forecasts, recomputed with pandas."""

import numpy as np
import pandas as pd
import pytest

from foldproof.tasks.compare.spec import StatisticsSpec
from foldproof.tasks.decompose.prices import Closes
from foldproof.tasks.decompose.ranked import Ranked
from foldproof.tasks.portfolio.portfolio import LONG_ONLY, LONG_SHORT, Portfolios, simulate
from foldproof.tasks.portfolio.spec import PortfolioSpec
from foldproof.tasks.portfolio.task import align_all

D, S, H = 160, 10, 4
RNG = np.random.default_rng(9)
DATES = np.busday_offset("2021-01-04", np.arange(D))
CLOSE = 80 * np.exp(np.cumsum(0.02 * RNG.standard_normal((D, S)), axis=0))
ROWS = np.arange(20, 150)
FORECASTS = np.stack([
    RNG.standard_normal((D, S)),
    np.vstack([np.log(CLOSE[1 + H :] / CLOSE[1:-H]), np.zeros((1 + H, S))]),  # it knows the label
    np.zeros((D, S)),
])[:, ROWS]  # fmt: skip
NAMES = ("noise", "oracle", "zero")
RANKED = Ranked.of(dict(zip(NAMES, FORECASTS, strict=True)))
STATISTICS = StatisticsSpec(draws=100)


def simulated(**changes) -> Portfolios:
    given = {"statistics": STATISTICS, "spec": PortfolioSpec(costs=(0.0, 15.0))} | changes
    closes = Closes(CLOSE, CLOSE, np.ones(D))
    found = simulate(RANKED, closes, ROWS, np.arange(S), DATES, H, **given)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def found() -> Portfolios:
    return simulated()


def test_the_long_short_book_is_the_mean_of_its_tranches(found: Portfolios) -> None:
    """Top 2 less bottom 2 of 10 stocks, bought at the next close, followed with pandas."""
    close = pd.DataFrame(CLOSE)
    rank = pd.DataFrame(FORECASTS[0], index=ROWS).rank(axis=1)
    weight = (rank > 8).astype(float) / 2 - (rank <= 2).astype(float) / 2
    values = [close.loc[row + 1 : row + 1 + H] / close.loc[row + 1] for row in ROWS if row + 1 < D]
    profit = sum(
        one.diff().mul(weight.loc[row]).sum(axis=1).reindex(range(D), fill_value=0.0)
        for row, one in zip(ROWS, values, strict=True)
    ) / H  # fmt: skip
    days = found.profits.index
    np.testing.assert_allclose(found.profits["noise"], profit.set_axis(DATES)[days], atol=1e-9)
    assert len(days) == len(ROWS) - H
    assert days[0] == DATES[ROWS[0] + 1 + H]
    entry = found.table.query("row == 'noise' and book == @LONG_SHORT").iloc[0]
    assert entry["annual_return"] == pytest.approx(252 * profit.set_axis(DATES)[days].mean())
    assert entry["low"] < entry["annual_return"] < entry["high"]


def test_a_forecast_that_knows_the_label_is_rich_and_rises_throughout(found: Portfolios) -> None:
    table = found.table.set_index(["row", "book"])
    assert table.at[("oracle", LONG_SHORT), "sharpe"] > 5
    assert table.at[("oracle", LONG_ONLY), "sharpe"] > 3
    assert found.monotonic.at["oracle", "p"] < 0.05
    own = found.quantiles.query("row == 'oracle'")["annual_return"]
    assert own.is_monotonic_increasing
    assert own.mean() == pytest.approx(0, abs=1e-12)
    assert table.at[("noise", LONG_SHORT), "sharpe"] < 3


def test_a_constant_forecast_holds_nothing(found: Portfolios) -> None:
    entry = found.table.query("row == 'zero' and book == @LONG_SHORT").iloc[0]
    assert (entry["annual_return"], entry["turnover"]) == (0, 0)
    assert np.isnan(entry["sharpe"])
    assert np.isnan(entry["break_even"])


def test_turnover_and_costs(found: Portfolios) -> None:
    entry = found.table.query("row == 'noise' and book == @LONG_SHORT").iloc[0]
    traded = found.trades["noise"]
    assert entry["turnover"] == pytest.approx(traded.mean() / 4)
    assert 0.15 < entry["turnover"] < 0.25  # noise replaces nearly a whole tranche of four a day
    after = found.costs.query("row == 'noise' and book == @LONG_SHORT and cost == 15").iloc[0]
    expected = 252 * (found.profits["noise"] - 0.0015 * traded).mean()
    assert after["annual_return"] == pytest.approx(expected)


def test_rank_autocorrelation(found: Portfolios) -> None:
    rank = pd.DataFrame(FORECASTS[0]).rank(axis=1)
    for column, lag in (("autocorrelation_1", 1), ("autocorrelation_h", H)):
        expected = rank.corrwith(rank.shift(-lag), axis=1).iloc[:-lag].mean()
        assert found.monotonic.at["noise", column] == pytest.approx(expected)


def test_a_delisted_stock_costs_its_delisting_return() -> None:
    close = CLOSE.copy()
    close[90:, 3] = np.nan
    closes = Closes(close, close, np.ones(D))
    alone = Ranked.of({"up": np.where(np.arange(S) == 3, 1.0, 0.0) + FORECASTS[0] / 100})
    profits = []
    for loss in (0.0, -0.3):
        found = simulate(
            alone, closes, ROWS, np.arange(S), DATES, H, delisting_return=loss,
            statistics=STATISTICS,
        )  # fmt: skip
        assert found is not None
        assert found.paid_out > 0
        profits.append(found.profits["up"])
    differ = (profits[0] != profits[1]).to_numpy()
    assert profits[0].index[differ].tolist() == [DATES[90]]
    held = CLOSE[89, 3] / CLOSE[86:90, 3] / 2 / H  # four tranches, half of the top quantile
    assert (profits[1] - profits[0])[DATES[90]] == pytest.approx(-0.3 * held.sum())


def test_too_few_days_give_no_portfolios() -> None:
    closes = Closes(CLOSE, CLOSE, np.ones(D))
    ranked = Ranked.of(dict(zip(NAMES, FORECASTS[:, :8], strict=True)))
    assert simulate(ranked, closes, ROWS[:8], np.arange(S), DATES, H) is None


def test_forecasts_without_a_label_are_held() -> None:
    """A stock that ends within the horizon has no label, but a portfolio has bought it."""
    table = pd.DataFrame({
        "date": np.repeat(DATES[:2], 4), "symbol": ["a", "b", "c", "d"] * 2, "variant": "x",
        "forecast": np.arange(8.0), "target": [0.1, 0.2, 0.4, np.nan, 0.3, 0.1, 0.2, 0.0],
    })  # fmt: skip
    np.testing.assert_array_equal(align_all(table).forecasts[0], np.arange(8.0).reshape(2, 4))
