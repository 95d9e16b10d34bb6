import numpy as np
import pandas as pd
import pytest

from foldproof.tasks.compare.aligned import align

TARGET = np.arange(20.0).reshape(4, 5) % 7


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(TARGET.shape)


def test_only_cells_that_all_variants_scored_are_compared(table) -> None:
    a, b, target = noise(1), noise(2), TARGET.copy()
    a[0, 0] = np.nan
    b[1, :3] = np.nan  # two names are left on date 1: too few
    target[2, 4] = np.nan
    aligned = align(table({"a": a, "b": b}, target))
    common = np.isfinite(a) & np.isfinite(b) & np.isfinite(target)
    common[1] = False
    rows = [0, 2, 3]
    np.testing.assert_array_equal(np.isfinite(aligned.target), common[rows])
    np.testing.assert_array_equal(aligned.target[common[rows]], target[common])
    for forecast, given in zip(aligned.forecasts, (a, b), strict=True):
        np.testing.assert_array_equal(np.isfinite(forecast), common[rows])
        np.testing.assert_array_equal(forecast[common[rows]], given[common])
    np.testing.assert_allclose(aligned.coverage, [common.sum() / 18, common.sum() / 16])
    assert aligned.variants == ("a", "b")
    assert aligned.dates.tolist() == pd.date_range("2020-01-01", periods=4)[rows].tolist()


def test_a_cell_is_the_mean_of_all_seeds_or_missing(table) -> None:
    one, two = noise(1), noise(2)
    two[3, 3] = np.nan
    single = table({"b": noise(3)}, TARGET)
    both = pd.concat([table({"a": one}, TARGET), table({"a": two}, TARGET, seed=1), single])
    aligned = align(both)
    assert aligned.variants == ("a", "b")
    np.testing.assert_allclose(
        aligned.forecasts[0], np.where(np.isnan(two), np.nan, (one + two) / 2)
    )
    assert np.isnan(aligned.forecasts[1][3, 3])


def test_the_order_of_rows_does_not_matter(table) -> None:
    long = table({"a": noise(1), "b": noise(2)}, TARGET, folds=2)
    mixed = long.sample(frac=1, random_state=0)
    first, second = align(long), align(mixed)
    order = [second.variants.index(name) for name in first.variants]
    np.testing.assert_array_equal(first.target, second.target)
    np.testing.assert_array_equal(first.forecasts, second.forecasts[order])
    np.testing.assert_array_equal(first.folds, [0, 0, 1, 1])
    np.testing.assert_array_equal(second.folds, first.folds)


def test_dates_with_equal_targets_are_left_out(table) -> None:
    target = TARGET.copy()
    target[1] = 0.25
    aligned = align(table({"a": noise(1)}, target))
    assert len(aligned.dates) == 3


def test_fold_seed_and_plan_may_be_left_out(table) -> None:
    long = table({"a": noise(1)}, TARGET)[["date", "symbol", "variant", "forecast", "target"]]
    np.testing.assert_array_equal(align(long).folds, 0)


def changed(long: pd.DataFrame, column: str, value: object, row: int = 7) -> pd.DataFrame:
    long = long.reset_index(drop=True)
    long.loc[row, column] = value
    return long


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (lambda t: t.drop(columns=["target", "symbol"]), "missing: symbol, target"),
        (lambda t: t.iloc[:0], "missing: rows"),
        (lambda t: changed(t, "forecast", np.inf), "1 forecasts are infinite, .* a on 2020-01-02"),
        (lambda t: changed(t, "target", 99.0), "disagree on 1 targets, .*2020-01-02.* S02"),
        (lambda t: changed(t, "target", np.nan), "disagree on 1 targets"),
        (lambda t: pd.concat([t, t.iloc[[3]]]), "1 duplicate forecasts, .* a on 2020-01-01"),
        (lambda t: changed(t, "fold", 5), r"in the test blocks of folds \[0, 5\]"),
        (lambda t: t.assign(plan=["p", "q"] * 20), r"2 plans of folds cannot be compared \(p, q\)"),
        (lambda t: t[(t.variant == "a") == (t.date < "2020-01-03")], "a 10, b 10"),
    ],
)
def test_forecasts_that_cannot_be_compared_are_an_error(table, fault, message: str) -> None:
    long = table({"a": noise(1), "b": noise(2)}, TARGET)
    align(long.assign(plan="p"))
    with pytest.raises(ValueError, match=message):
        align(fault(long))
