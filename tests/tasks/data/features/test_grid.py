import numpy as np
import pandas as pd
import pytest

from foldproof.tasks.data.features.grid import carried, grid_of, members, observed

NAN = np.nan


@pytest.mark.parametrize("limit", [0, 1, 3])
def test_carrying_equals_pandas(limit: int) -> None:
    rng = np.random.default_rng(0)
    x = np.where(rng.random((50, 4)) < 0.5, NAN, rng.standard_normal((50, 4)))
    expected = pd.DataFrame(x).ffill(limit=limit) if limit else x
    np.testing.assert_array_equal(carried(x, limit), expected)


def test_long_and_dense_are_inverse(market: pd.DataFrame) -> None:
    shuffled = market.sample(frac=1, random_state=1)
    grid = grid_of(shuffled)
    dense = grid.dense(shuffled["price"])
    np.testing.assert_array_equal(grid.long(dense), shuffled["price"])
    expected = market.pivot(index="date", columns="symbol", values="price")
    np.testing.assert_array_equal(dense, expected)
    assert grid.symbols.tolist() == expected.columns.tolist()
    np.testing.assert_array_equal(grid.dates, expected.index.to_numpy().astype("M8[D]"))


def test_a_row_without_a_price_is_not_observed(market: pd.DataFrame) -> None:
    frame = market.assign(price=market["price"].where(market.index != 10))
    grid = grid_of(frame)
    at = grid.row[10], grid.column[10]
    assert observed(market, grid)[at]
    assert not observed(frame, grid)[at]
    assert not members(frame, grid)[at]
