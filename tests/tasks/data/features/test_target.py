import numpy as np
import pandas as pd
import pytest

from foldproof.tasks.data import TargetSpec, from_frame
from foldproof.tasks.data.features.target import (
    KINDS,
    cs_rank,
    cs_zscore,
    forward_return,
    label_ends,
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


def test_label_ends_are_the_dates_of_the_last_close() -> None:
    ends = label_ends(DATES, 2)
    np.testing.assert_array_equal(ends[:7], DATES[3:])
    assert np.isnat(ends[7:]).all()
    assert np.isnat(label_ends(DATES, 50)).all()
    assert np.isnan(forward_return(np.ones((10, 2)), 50)).all()


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
    assert set(by_date) == set(KINDS)
    np.testing.assert_allclose(panel.target, by_date[kind], rtol=2e-6, atol=1e-7)
    assert panel.target.dtype == np.float32


def test_a_date_with_equal_returns_has_no_label() -> None:
    values = np.array([[1.0, 1.0, 1.0], [np.nan, 2.0, np.nan], [0.1, 0.1, 0.1], [1.0, 2.0, 3.0]])
    z, rank = cs_zscore(values), cs_rank(values)
    assert np.isnan(z[:3]).all()
    np.testing.assert_allclose(z[3], [-(1.5**0.5), 0, 1.5**0.5])
    np.testing.assert_array_equal(rank[0], 0.0)
    assert np.isnan(rank[1]).all()
    np.testing.assert_array_equal(rank[3], [-0.5, 0, 0.5])


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
