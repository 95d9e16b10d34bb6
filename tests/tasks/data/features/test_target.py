from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from foldproof.tasks.data import DataError, TargetSpec, from_frame
from foldproof.tasks.data.features.grid import carried
from foldproof.tasks.data.features.target import (
    KINDS,
    LARGEST_SCALED,
    LOOKBACK,
    Labels,
    cs_rank,
    cs_rank_normal,
    cs_zscore,
    forward_return,
    label_ends,
    volatility,
)
from tests.tasks.data.conftest import ROLES

DATES = np.arange("2020-01-01", "2020-01-11", dtype="datetime64[D]")


def test_forward_return_starts_at_the_next_close() -> None:
    price = 2.0 ** np.arange(10)[:, None]
    price[3] = 5.0  # touches rows 2 (its start) and 0 (its end, with horizon 2)
    got = forward_return(price, 2)
    assert got[0, 0] == price[3, 0] / price[1, 0] - 1
    assert got[2, 0] == price[5, 0] / price[3, 0] - 1
    assert got[4, 0] == 3.0
    assert np.isnan(got[7:]).all()
    assert not np.isnan(got[:7]).any()


def test_a_stock_that_ends_within_the_horizon_earns_the_delisting_return() -> None:
    """Closes 100, 110, ..., 150 and no more: -30 % from the last one. Another stock has a gap."""
    price = np.full((12, 3), np.nan)
    price[:6, 0] = 100.0 + 10 * np.arange(6)
    price[:, 1] = 50.0
    price[4, 1] = np.nan
    price[:, 2] = np.nan  # no price at all
    plain, got = forward_return(price, 3), forward_return(price, 3, -0.3)
    last = 150 * 0.7
    expected = [140 / 110, 150 / 120, last / 130, last / 140, last / 150]
    np.testing.assert_allclose(got[:5, 0], np.array(expected) - 1)
    assert np.isnan(plain[2:, 0]).all()
    assert np.isnan(got[5:, 0]).all()  # nothing to buy at the next close
    np.testing.assert_array_equal(got[:, 1:], plain[:, 1:])
    assert np.isnan(got[[0, 3], 1]).all()  # a gap is not a delisting
    late = forward_return(price[:7], 3, -0.3)
    assert np.isnan(late[3:]).all()  # labels that end after the data are not known


def test_no_label_runs_over_a_gap_in_which_the_symbol_may_change_hands() -> None:
    """A gap of three dates, with two carried; the second stock has one of two."""
    price = np.full((14, 2), 10.0) + np.arange(14)[:, None]
    price[5:8, 0], price[5:7, 1] = np.nan, np.nan
    plain, got = forward_return(price, 6), forward_return(price, 6, carried=carried(price, 2))
    assert np.isfinite(plain[2, 0])
    assert np.isnan(got[:7, 0]).all()
    np.testing.assert_array_equal(got[:, 1], plain[:, 1])
    price[10:] = np.nan
    ended = forward_return(price, 6, -0.3, carried(price, 2))
    assert np.isnan(ended[:7, 0]).all()  # bought before the gap
    assert ended[3, 1] == pytest.approx(19 * 0.7 / 14 - 1)


def test_volatility_starts_anew_after_a_long_gap() -> None:
    price = closes()[:120].copy()
    price[40:50, 0] = np.nan
    price[50:, 0] *= 30
    price[:40, 0] **= 2
    found, alone = volatility(price, carried(price, 5)), volatility(price[50:])
    np.testing.assert_allclose(found[50:, 0], alone[:, 0], rtol=1e-12)
    np.testing.assert_array_equal(found[:, 1:], volatility(price)[:, 1:])
    assert np.isfinite(found[75, 0])
    assert volatility(price)[75, 0] != found[75, 0]


def test_label_ends_are_the_dates_of_the_last_close() -> None:
    ends = label_ends(DATES, 2)
    np.testing.assert_array_equal(ends[:7], DATES[3:])
    assert np.isnat(ends[7:]).all()
    assert np.isnat(label_ends(DATES, 50)).all()
    assert np.isnan(forward_return(np.ones((10, 2)), 50)).all()


def by_stretch(price: pd.Series) -> pd.Series:
    """RiskMetrics volatility of a stock, anew after more than five dates without a price."""
    returns, stretch = price.div(price.shift(1)).sub(1), price.ffill(limit=5).isna().cumsum()
    parts = [one.rolling(126, min_periods=21) for _, one in returns.groupby(stretch)]
    return pd.concat([one.apply(riskmetrics, raw=True) for one in parts])


def riskmetrics(returns: np.ndarray) -> float:
    """The volatility after these daily returns, oldest first, by the recursion's weights."""
    weights = np.where(np.isnan(returns), 0.0, 0.94 ** np.arange(len(returns))[::-1])
    return float(np.sqrt(np.average(np.nan_to_num(returns) ** 2, weights=weights)))


@pytest.mark.parametrize("kind", KINDS)
def test_equals_pandas_on_members_with_a_label(kind: str, market: pd.DataFrame) -> None:
    panel = from_frame(market, ROLES, TargetSpec(5, kind))
    price = market.pivot(index="date", columns="symbol", values="price")
    member = market.pivot(index="date", columns="symbol", values="member").fillna(False)
    raw = (price.shift(-6) / price.shift(-1) - 1).where(member.astype(bool))
    by_date = {
        "return": raw,
        "market_relative": raw.sub(raw.mean(axis=1), axis=0),
        "cs_zscore": raw.sub(raw.mean(axis=1), axis=0).div(raw.std(axis=1, ddof=0), axis=0),
        "cs_rank": raw.rank(axis=1).sub(1).div(raw.count(axis=1) - 1, axis=0) - 0.5,
    }
    by_date["cs_rank_normal"] = raw.rank(axis=1).sub(0.5).div(raw.count(axis=1), axis=0)
    by_date["cs_rank_normal"] = by_date["cs_rank_normal"].map(norm.ppf)
    sd = pd.DataFrame({name: by_stretch(price[name]) for name in price})
    by_date["volatility_scaled"] = raw.div(sd * 5**0.5)
    assert set(by_date) == set(KINDS)
    np.testing.assert_allclose(panel.target, by_date[kind], rtol=2e-6, atol=1e-7)
    assert panel.target.dtype == np.float32


def test_a_date_with_equal_returns_has_no_label() -> None:
    values = np.array([[1.0, 1.0, 1.0], [np.nan, 2.0, np.nan], [0.1, 0.1, 0.1], [1.0, 2.0, 3.0]])
    z, rank, normal = cs_zscore(values), cs_rank(values), cs_rank_normal(values)
    assert np.isnan(z[:3]).all()
    np.testing.assert_allclose(z[3], [-(1.5**0.5), 0, 1.5**0.5])
    np.testing.assert_array_equal(rank[0], 0.0)
    assert np.isnan(rank[1]).all()
    np.testing.assert_array_equal(rank[3], [-0.5, 0, 0.5])
    np.testing.assert_array_equal(np.isnan(normal), np.isnan(rank))
    np.testing.assert_allclose(normal[[0, 3]], [[0, 0, 0], norm.ppf([1 / 6, 1 / 2, 5 / 6])])


def test_the_label_of_a_day_reads_no_close_up_to_that_day(market: pd.DataFrame) -> None:
    """Neither the close of d nor an earlier one is in the return that is forecast at d."""
    full = from_frame(market, ROLES, TargetSpec(5, "return"))
    day = full.dates[200]
    moved = market.assign(price=market["price"].mask(market["date"] <= day, market["price"] * 3))
    again = from_frame(moved, ROLES, TargetSpec(5, "return"))
    np.testing.assert_array_equal(again.target[200:], full.target[200:])
    assert (again.target[199] != full.target[199]).any()


def test_the_labels_of_a_day_are_complete_at_their_label_end(market: pd.DataFrame) -> None:
    """Rows dated after label_end[d] do not move the label of d; rows on it do."""
    full = from_frame(market, ROLES, TargetSpec(5, "return"))
    day = pd.Timestamp(full.label_end[200])
    price = market["price"]
    after = from_frame(
        market.assign(price=price.mask(market["date"] > day, 3 * price)),
        ROLES,
        TargetSpec(5, "return"),
    )
    np.testing.assert_array_equal(after.target[:201], full.target[:201])
    on = from_frame(
        market.assign(price=price.mask(market["date"] >= day, 3 * price)),
        ROLES,
        TargetSpec(5, "return"),
    )
    assert (on.target[200] != full.target[200]).any()


def closes(days: int = 200, symbols: int = 3) -> np.ndarray:
    steps = np.random.default_rng(1).normal(0, 0.02, (days, symbols))
    return 50 * np.exp(steps.cumsum(axis=0))


def scaled(price: np.ndarray) -> np.ndarray:
    labels = Labels(forward_return(price, 5), price, 5)
    return KINDS["volatility_scaled"].compute(labels)


def scaled_by_the_horizon(price: np.ndarray) -> np.ndarray:
    """Planted fault: the volatility is that after the horizon, which has read its returns."""
    after = np.full(price.shape, np.nan)
    after[:-6] = volatility(price)[6:]
    return forward_return(price, 5) / after


def reads_the_horizon(target: Callable[[np.ndarray], np.ndarray], row: int = 150) -> bool:
    """Whether the labels of ``row`` depend on its horizon beyond the two closes of the return."""
    price = closes()
    between = price.copy()
    between[row + 2 : row + 6] *= np.linspace(1.1, 1.4, 4)[:, None]
    return not np.array_equal(target(price)[row], target(between)[row])


def test_the_volatility_of_a_target_reads_no_row_of_the_horizon() -> None:
    assert not reads_the_horizon(scaled)
    assert reads_the_horizon(scaled_by_the_horizon)
    later = closes()
    later[151:] *= 3
    np.testing.assert_array_equal(volatility(closes())[:151], volatility(later)[:151])


def test_the_volatility_of_a_target_reads_its_look_back_and_no_more() -> None:
    """Otherwise a night that extends a panel would differ from a complete reading."""
    full, row = volatility(closes()), 180
    for first, same in ((row - LOOKBACK, True), (row - LOOKBACK + 1, False)):
        part = volatility(closes()[first:])[row - first]
        assert np.array_equal(part, full[row]) is same


def test_stale_prices_give_no_label_and_no_extreme_one() -> None:
    price = closes(300)
    price[30:, 0] = price[30, 0]
    price[140:, 1] = 3 * price[30:140, 1].max()
    price[30:140, 1] = price[30, 1]
    found = scaled(price)
    assert np.isfinite(found[21:-6, 2]).all()
    assert np.isnan(found[30 + LOOKBACK :, 0]).all()
    assert np.nanmax(np.abs(found)) == found[135, 1] == LARGEST_SCALED


def test_a_target_scaled_by_volatility_needs_prices(market: pd.DataFrame) -> None:
    frame = market.rename(columns={"price": "x"}).assign(end=market["date"] + pd.Timedelta(days=9))
    roles = replace(ROLES, price=None, target="y", label_end="end")
    frame["y"] = np.arange(len(frame)) % 7
    with pytest.raises(DataError, match=r"volatility_scaled needs prices.*data\.columns\.price"):
        from_frame(frame, roles, TargetSpec(5, "volatility_scaled"), features="ready")
