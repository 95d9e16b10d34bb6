import warnings

import numpy as np
import pandas as pd
import pytest

from foldproof.tasks.diagnose.perturb.attempt import attempt
from foldproof.tasks.diagnose.perturb.compare import (
    day,
    difference,
    forecast_scale,
    largest,
    moved,
    numbers,
    spread,
    tolerance_of,
)

NAN, INF = float("nan"), float("inf")


def test_moves_cell_by_cell():
    before = np.array([1.0, NAN, NAN, 2.0, INF, INF, -INF, 0.0])
    after = np.array([1.5, NAN, 3.0, NAN, INF, -INF, -INF, -0.0])
    assert moved(before, after).tolist() == [0.5, 0, INF, INF, 0, INF, 0, 0]


@pytest.mark.parametrize(
    ("sizes", "value"),
    [([], 0.0), ([0.0, 0.0], 0.0), ([0.5, INF], 0.5), ([0.0, INF], INF), ([2.0, 3.0], 3.0)],
)
def test_the_largest_finite_move_or_infinity(sizes, value):
    assert largest(np.array(sizes)) == value


@pytest.mark.parametrize(
    ("values", "value"), [([1, 3, NAN], 1.0), ([-5, -5], 5.0), ([0, 0], 1.0), ([NAN], 1.0)]
)
def test_the_spread_is_never_zero(values, value):
    assert spread(np.array(values, dtype=float)) == value


def test_the_tolerance_depends_on_precision():
    draw = pd.Series(np.random.default_rng(0).normal(size=50))
    assert tolerance_of(draw) == 1e-9
    assert tolerance_of(draw.astype("float32")) == 1e-5
    assert tolerance_of(draw.astype("float32").astype("float64")) == 1e-5
    assert tolerance_of(pd.Series([1, 2, 3])) == 0.0  # whole numbers are exact
    assert tolerance_of(pd.Series([1.0, 2.0, NAN])) == 1e-9


def test_values_large_relative_to_their_spread_have_a_larger_tolerance():
    """Sixteen units in the last place of the largest value, in units of the scale."""
    near = (0.02 + 1e-6 * pd.Series(np.random.default_rng(0).normal(size=50))).astype("float32")
    assert tolerance_of(near, 1e-6) == pytest.approx(16 * 2**-23 * near.max() / 1e-6)
    assert tolerance_of(near, 1.0) == 1e-5
    assert tolerance_of(near) == tolerance_of(near, spread(near.to_numpy("float64")))
    assert tolerance_of(pd.Series([1e9, 1e9 + 0.1]), 0.1) == pytest.approx(16 * 2**-52 * 1e10)


def test_texts_and_dates_become_distinct_numbers():
    for column in (
        pd.Series(["a", "b", None, "a"]),
        pd.Series(pd.to_datetime(["2024-01-01", "2024-01-02", None, "2024-01-01"])),
        pd.Series(["a", "b", None, "a"], dtype="category"),
        pd.Series([1, 2, None, 1], dtype="Int64"),
    ):
        out = numbers(column)
        assert out.dtype == np.float64
        assert out[0] == out[3] != out[1]
        assert np.isnan(out[2])


def test_an_attempt_reports_why_it_failed_and_silences_warnings():
    def loud():
        warnings.warn("changed data are odd", stacklevel=1)
        return 3

    assert attempt(loud) == (3, "")
    assert attempt(lambda: 1 / 0) == (None, "ZeroDivisionError: division by zero")


def test_dates_as_text():
    for date in (pd.Timestamp("2024-01-31 10:00"), np.datetime64("2024-01-31"), "2024-01-31"):
        assert day(date) == "2024-01-31"


def series(values, symbols="AB", start=0):
    dates = pd.date_range("2024-01-01", periods=9)[start : start + len(values) // len(symbols)]
    index = pd.MultiIndex.from_product([dates, list(symbols)], names=["date", "symbol"])
    return pd.Series(values, index=index, dtype=float)


def test_the_largest_difference_of_scores_and_its_place():
    before, after = series([1, 2, 3, 4]), series([1, 2, 3.5, 3])
    found = difference(before, after, 2.0)
    assert (found.value, found.count) == (0.5, 4)
    assert (found.date, found.symbol, found.before, found.after) == ("2024-01-02", "B", 4.0, 3.0)
    assert str(found.witness("2024-01-05")) == (
        "2024-01-02 B forecast: 4 becomes 3 when data not yet known on 2024-01-05 change"
    )
    assert difference(before, before.sample(frac=1, random_state=0), 1.0).value == 0.0
    assert difference(before[:0], before[:0], 1.0).count == 0


def test_vanished_scores_count_unless_a_finite_move_exists():
    before = series([1, 2, 3, 4])
    gone = difference(before, before.iloc[:3], 1.0)
    assert (gone.value, gone.symbol, np.isnan(gone.after)) == (INF, "B", True)
    both = difference(before, before.iloc[:3] + np.array([0, 0, 0.25]), 1.0)
    assert (both.value, both.symbol, both.after) == (0.25, "A", 3.25)


def test_the_scale_is_within_dates():
    assert forecast_scale(series([1, 3, 10, 16])) == 2.0  # mean of sd 1 and sd 3
    assert forecast_scale(series([5, 5, 10, 16])) == 3.0  # a date without spread says nothing
    assert forecast_scale(series([1.0, 3.0], symbols="A")) == 1.0
