import numpy as np
import pandas as pd
import pytest

from foldproof.tasks.data.features.windows import (
    covariance,
    deviation,
    extreme,
    lagged,
    mean,
    rolling,
    run_length,
)

RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 3))
Y = RNG.standard_normal((60, 3))


@pytest.mark.parametrize("window", [2, 5, 21])
def test_equals_pandas(window: int) -> None:
    frame = pd.DataFrame(X)
    same = {"rtol": 1e-12, "atol": 1e-14}
    np.testing.assert_allclose(mean(X, window), frame.rolling(window).mean(), **same)
    np.testing.assert_allclose(deviation(X, window), frame.rolling(window).std(), **same)
    expected = frame.rolling(window).cov(pd.DataFrame(Y), pairwise=False)
    np.testing.assert_allclose(covariance(X, Y, window), expected, **same)
    np.testing.assert_array_equal(extreme(X, window, np.maximum), frame.rolling(window).max())
    np.testing.assert_array_equal(extreme(X, window, np.minimum), frame.rolling(window).min())


@pytest.mark.parametrize("window", [1, 2, 3, 13, 60, 61, 252])
def test_doubling_covers_every_row_and_no_other(window: int) -> None:
    x = X.copy()
    x[20, 1] = np.nan
    expected = rolling(x, window, np.maximum)
    np.testing.assert_array_equal(extreme(x, window, np.maximum), expected)


def test_closed_form_of_a_line() -> None:
    line = np.arange(10.0)[:, None]
    np.testing.assert_array_equal(mean(line, 3)[2:], line[1:-1])
    np.testing.assert_array_equal(lagged(line, 2)[2:], line[:-2])
    assert np.isnan(lagged(line, 10)).all()
    assert np.isnan(mean(line, 11)).all()


def test_a_row_is_the_same_whatever_came_long_before() -> None:
    with_past = np.concatenate([1e8 * X, X])
    np.testing.assert_array_equal(mean(with_past, 5)[64:], mean(X, 5)[4:])


def test_a_gap_is_never_skipped() -> None:
    x = X.copy()
    x[30, 1] = np.nan
    for result in (mean(x, 5), deviation(x, 5), extreme(x, 5, np.maximum)):
        assert np.isnan(result[30:35, 1]).all()
        assert not np.isnan(result[35:]).any()


def test_run_length_counts_the_rows_since_the_last_missing_one() -> None:
    x = np.array([[1.0, np.nan], [2.0, 3.0], [np.nan, 4.0], [5.0, 6.0]])
    np.testing.assert_array_equal(run_length(x), [[1, 0], [2, 1], [0, 2], [1, 3]])
