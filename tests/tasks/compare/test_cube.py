"""Forecasts read from parts of a table are those of the whole table, in memory or in a file."""

import numpy as np
import pandas as pd
import pytest

from foldproof.tasks.compare import cube
from foldproof.tasks.compare.comparison import compare
from foldproof.tasks.compare.cube import Parts, cube_of
from foldproof.tasks.compare.spec import StatisticsSpec
from foldproof.tasks.portfolio.task import align_all

SPEC = StatisticsSpec(draws=100)


@pytest.fixture
def long(table) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    target = rng.standard_normal((60, 6))
    noise = {name: rng.standard_normal((2, *target.shape)) for name in ("a", "b")}
    noise["b"][1, 7, 3] = np.nan
    return pd.concat(
        [
            table({name: both[seed]}, target, folds=2, seed=seed)
            for name, both in noise.items()
            for seed in (0, 1)
        ],
        ignore_index=True,
    )


def parts(long: pd.DataFrame) -> list[pd.DataFrame]:
    return [part for _, part in long.groupby(["variant", "fold", "seed"])]


@pytest.mark.parametrize("large", [1 << 30, 0])
def test_parts_of_a_table_compare_like_the_whole(
    monkeypatch: pytest.MonkeyPatch, long: pd.DataFrame, large: int
) -> None:
    expected = compare(long, 1, SPEC, ())
    monkeypatch.setattr(cube, "LARGE", large)
    found = compare(lambda: iter(parts(long)), 1, SPEC, ())
    pd.testing.assert_frame_equal(found.ranking, expected.ranking, check_exact=True)
    pd.testing.assert_frame_equal(found.daily, expected.daily, check_exact=True)
    cells = cube_of(lambda: parts(long)).cells
    assert isinstance(cells, np.memmap) == (large == 0)
    assert np.isnan(cells).sum() == 1


def test_parts_are_read_once_for_all_analyses_and_nobody_changes_them(long: pd.DataFrame) -> None:
    passes: list[int] = []

    def read() -> list[pd.DataFrame]:
        passes.append(len(passes))
        return parts(long)

    forecasts = Parts(read, ["hash"])
    one = cube_of(forecasts)
    assert len(passes) == 2  # names first, then values
    expected = compare(long, 1, SPEC, ())
    found = compare(forecasts, 1, SPEC, ())
    pd.testing.assert_frame_equal(found.ranking, expected.ranking, check_exact=True)
    books = align_all(forecasts)
    np.testing.assert_array_equal(books.forecasts, align_all(long).forecasts)
    assert cube_of(forecasts) is one
    assert len(passes) == 2
    for array in (one.cells, one.target, one.folds):
        with pytest.raises(ValueError, match="read-only"):
            array[:] = 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda part: part, "duplicate forecasts, the first of variant a"),
        (lambda part: part.assign(seed=9, target=part["target"] + 1), "variants disagree on"),
        (lambda part: part.assign(seed=9, fold=7), "is in the test blocks of folds"),
        (lambda part: part.assign(seed=9, plan="p"), "forecasts of 2 plans"),
    ],
)
def test_parts_that_contradict_one_another_are_refused(long: pd.DataFrame, change, message) -> None:
    given = [part.assign(plan="o") for part in parts(long)]
    with pytest.raises(ValueError, match=message):
        cube_of(lambda: [*given, change(given[0])])
