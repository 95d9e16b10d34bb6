"""Books of overlapping tranches, recomputed one tranche at a time with plain loops."""

import numpy as np
import pandas as pd
import pytest

from foldproof.tasks.data.features.target import forward_return
from foldproof.tasks.portfolio.tranches import Holdings, invested, profits, traded

D, S, H = 40, 5, 3
RNG = np.random.default_rng(4)
CLOSE = 50 * np.exp(np.cumsum(0.03 * RNG.standard_normal((D, S)), axis=0))
WEIGHTS = RNG.standard_normal((2, D, S))
WEIGHTS[:, :4] = 0  # nothing opens in the first rows
WEIGHTS[:, -1] = 0


def by_tranche(close: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Profit and value traded of one book by day, each tranche followed by itself."""
    profit, trade = np.zeros(len(close)), np.zeros(len(close))
    held = np.zeros((len(close), S))  # what ends at a close
    for opening in range(len(close)):
        shares = weights[opening] / close[opening]
        for day in range(opening + 1, min(opening + H, len(close) - 1) + 1):
            profit[day] += (shares * (close[day] - close[day - 1])).sum() / H
        if opening + H < len(close):
            held[opening + H] = shares * close[opening + H]
    for day in range(len(close)):
        trade[day] = np.abs(weights[day] - held[day]).sum() / H
    return profit, trade


def test_profits_and_trades_of_each_tranche_followed_by_itself() -> None:
    holdings = Holdings(CLOSE, CLOSE, H)
    earned, sold = profits(holdings, WEIGHTS), traded(holdings, WEIGHTS)
    for book in range(2):
        profit, trade = by_tranche(CLOSE, WEIGHTS[book])
        np.testing.assert_allclose(earned[book], profit, atol=1e-12)
        np.testing.assert_allclose(sold[book], trade, atol=1e-12)


def test_a_forecast_earns_nothing_before_the_day_after_its_opening_close() -> None:
    moved = CLOSE.copy()
    moved[:10] *= RNG.uniform(0.5, 2, (10, S))
    only = np.zeros((1, D, S))
    only[0, 9] = WEIGHTS[0, 9]
    close = np.vstack([moved[:9], CLOSE[9:]])
    before = profits(Holdings(CLOSE, CLOSE, H), only)
    np.testing.assert_array_equal(profits(Holdings(close, close, H), only), before)
    assert (before[0, :10] == 0).all()
    assert (before[0, 10 : 10 + H] != 0).all()
    assert (before[0, 10 + H :] == 0).all()


def dying(last: int, again: int | None = None) -> np.ndarray:
    """The first stock has no close after row ``last``, or none until row ``again``."""
    close = CLOSE.copy()
    close[last + 1 : again, 0] = np.nan
    return close


def test_a_delisted_stock_pays_its_last_close_and_the_delisting_return_once() -> None:
    only = np.zeros((1, D, S))
    only[0, 20, 0] = 1.0
    close = dying(21)
    gain = close[21, 0] / close[20, 0] - 1
    for loss in (0.0, -0.3):
        earned = profits(Holdings(close, close, H, loss), only)[0] * H
        assert earned[21] == pytest.approx(gain)
        assert earned[22] == pytest.approx((1 + gain) * loss)
        assert (earned[23:] == 0).all()
        assert traded(Holdings(close, close, H, loss), only)[0, 20 + H] == 0


@pytest.mark.parametrize("loss", [0.0, -0.3])
@pytest.mark.parametrize("carried_for", [0, 1, H, H + 2])
def test_a_tranche_earns_the_label_of_the_target_whatever_gap_is_carried(
    loss: float, carried_for: int
) -> None:
    """A carried close is no price of a stock that never trades again."""
    quoted = dying(21)
    quoted[30:32, 1] = np.nan  # a gap that is carried, or not
    carried = pd.DataFrame(quoted).ffill(limit=carried_for or None).to_numpy()
    carried = carried if carried_for else quoted
    labels = forward_return(quoted, H, loss, carried)
    holdings = Holdings(carried, quoted, H, loss)
    for day in range(4, D - 1 - H):
        for stock in range(S):
            only = np.zeros((1, D, S))
            only[0, day + 1, stock] = 1.0
            if np.isfinite(labels[day, stock]):
                earned = profits(holdings, only).sum() * H
                assert earned == pytest.approx(labels[day, stock]), (day, stock)


def test_a_stock_that_trades_again_is_not_delisted() -> None:
    only = np.zeros((1, D, S))
    only[0, 20, 0] = 1.0
    close = dying(20, again=22)
    assert (profits(Holdings(close, close, H, -0.3), only)[0, 21:] == 0).all()


def test_a_stock_without_a_quote_is_not_bought() -> None:
    quoted = CLOSE.copy()
    quoted[20, 0] = np.nan
    only = np.zeros((1, D, S))
    only[0, 20, 0] = 1.0
    holdings = Holdings(CLOSE, quoted, H)
    assert (profits(holdings, only) == 0).all()
    assert (traded(holdings, only) == 0).all()


def test_days_count_only_with_all_tranches_live() -> None:
    opened = np.zeros(12, bool)
    opened[2:9] = True
    assert np.flatnonzero(invested(opened, 3)).tolist() == [5, 6, 7, 8]


def test_the_same_portfolio_every_day_trades_its_drift_only() -> None:
    steady = np.zeros((1, D, S))
    steady[0, :] = 1 / S
    flat = np.full((D, S), 7.0)
    assert (traded(Holdings(flat, flat, H), steady)[0, H:] == 0).all()
