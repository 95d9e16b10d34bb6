"""Combinatorial purged cross-validation: against skfolio, by brute force, and its paths."""

import doctest
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from skfolio.model_selection import CombinatorialPurgedCV

from foldproof.models.date_rows import Spans
from foldproof.tasks.split import (
    CombinatorialPurged,
    PlanError,
    WalkForward,
    audit_plan,
    combinatorial,
    walk_forward_of,
)
from foldproof.tasks.split.paths import Paths

DATES = np.arange("2024-01-01", "2024-04-12", dtype="datetime64[D]")  # 102 rows: no whole groups


@pytest.mark.parametrize(("groups", "tested"), [(4, 2), (6, 3), (5, 4)])
@pytest.mark.parametrize(("horizon", "embargo"), [(0, 0), (3, 0), (2, 4)])
def test_splits_and_paths_are_those_of_skfolio(groups, tested, horizon, embargo) -> None:
    plan = CombinatorialPurged(groups, tested, embargo=embargo, horizon=horizon)
    oracle = CombinatorialPurgedCV(groups, tested, purged_size=horizon, embargo_size=embargo)
    folds = plan.folds(DATES)
    assert len(folds) == plan.splits == oracle.n_splits == plan.get_n_splits()
    for fold, (train, tests) in zip(folds, oracle.split(np.zeros((102, 1))), strict=True):
        np.testing.assert_array_equal([*fold.train], train)
        assert [list(one) for one in fold.test.parts] == [one.tolist() for one in tests]
    np.testing.assert_array_equal(plan.paths.T, oracle.recombined_paths)


def test_no_label_of_training_overlaps_a_label_of_the_test() -> None:
    """Ragged label ends, some unknown; every pair of rows is compared."""
    rng = np.random.default_rng(0)
    ends = DATES + rng.integers(0, 6, len(DATES)).astype("timedelta64[D]")
    ends[ends > DATES[-1]] = np.datetime64("NaT")
    ends[-3:] = np.datetime64("NaT")
    late = np.flatnonzero(np.isnat(ends))[0]
    ends[late:] = np.datetime64("NaT")
    for fold in CombinatorialPurged(5, 2, embargo=2).folds(DATES, ends):
        assert not np.isnat(ends[[*fold.train]]).any()
        for row in fold.train:
            for test in fold.test:
                if row < test:
                    assert ends[row] < DATES[test]
                else:
                    assert np.isnat(ends[test]) or ends[test] + 2 < DATES[row]
    table = audit_plan(CombinatorialPurged(5, 2, embargo=2).folds(DATES, ends), ends, embargo=2)
    assert {"train|test", "test|train"} == set(table["border"])
    assert (table["overlap"] == 0).all()
    assert (table["short"] == 0).all()


def test_the_audit_counts_a_missing_purge_on_either_side() -> None:
    ends = DATES + np.timedelta64(3, "D")
    ends[-3:] = np.datetime64("NaT")
    fold = CombinatorialPurged(6, 2, horizon=3).folds(DATES)[6]  # groups 1 and 3
    early, late = fold.test.parts
    late_start = late.start
    leaky = replace(fold, train=Spans.of(sorted([*fold.train, late_start - 1, early.stop])))
    table = audit_plan([leaky], ends).set_index("border")
    assert table.loc["train|test", "overlap"].tolist() == [0, 1]
    assert table.loc["test|train", "overlap"].tolist() == [3, 0]
    assert audit_plan([fold], ends)["overlap"].sum() == 0


def test_a_path_forecasts_every_date_once() -> None:
    plan = CombinatorialPurged(6, 2)
    folds = plan.folds(DATES)
    assert len(plan.paths) == 5
    for path in plan.paths:
        rows = []
        for group, number in enumerate(path):
            tests = [one for one in folds[number].test.parts if one.start == 17 * group]
            assert len(tests) == 1
            rows += list(tests[0])
        assert rows == list(range(102))
    used = [(group, number) for path in plan.paths for group, number in enumerate(path)]
    assert len(set(used)) == len(used) == 6 * 5


def test_all_rows_of_a_date_stay_together() -> None:
    rng = np.random.default_rng(1)
    groups = rng.permutation(np.repeat(DATES, 3))
    plan = CombinatorialPurged(4, 2, horizon=2)
    for (train, test), fold in zip(
        plan.split(np.zeros((len(groups), 1)), groups=groups), plan.folds(DATES), strict=True
    ):
        np.testing.assert_array_equal(np.unique(groups[train]), fold.train_dates)
        np.testing.assert_array_equal(np.unique(groups[test]), fold.test_dates)
        assert (len(train), len(test)) == (3 * len(fold.train), 3 * len(fold.test))


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"groups": 4, "tested": 4}, "tested must be below groups"),
        ({"groups": 40, "tested": 20}, "137846528820 splits, each of which trains a model"),
        ({"groups": 2}, "groups must be at least 3; it is 2"),
    ],
)
def test_a_plan_that_cannot_be_cut_is_refused(given, text) -> None:
    with pytest.raises(ValueError, match=text):
        CombinatorialPurged(**given)


def test_too_few_dates_and_nothing_to_train_on_are_named() -> None:
    with pytest.raises(PlanError, match="5 dates cannot be cut into 10 groups"):
        CombinatorialPurged().folds(DATES[:5])
    with pytest.raises(PlanError, match="split 0 has no row to train on"):
        CombinatorialPurged(3, 2, horizon=40).folds(DATES)


def test_the_example_of_the_docstring() -> None:
    assert doctest.testmod(combinatorial).failed == 0
    assert doctest.testmod(combinatorial).attempted == 3
    blocks = CombinatorialPurged(3, 2).folds(DATES)[1].test.parts
    assert [later.start - earlier.stop for earlier, later in pairwise(blocks)] == [34]


def test_validation_groups_follow_the_tested_ones_and_are_purged_on_every_side() -> None:
    plan = CombinatorialPurged(6, 2, embargo=3, horizon=2, validation=1)
    ends = np.append(DATES[2:], [np.datetime64("NaT")] * 2)
    folds = plan.folds(DATES)
    chosen = [(0, 1), (0, 2), (0, 5), (4, 5)]
    assert [plan.validating(one) for one in chosen] == [[2], [3], [1], [0]]
    for fold in folds:
        kinds = [{*fold.train}, {*fold.validation}, {*fold.test}]
        assert all(kinds)
        assert len(set.union(*kinds)) == sum(map(len, kinds))
        for later, earlier in ((2, 0), (2, 1), (1, 0)):  # held out, and fitted on
            for held in kinds[later]:
                for row in kinds[earlier]:
                    assert row + 2 < held or row > held + 2 + 3
    table = audit_plan(folds, ends, embargo=3)
    assert {"train|validation", "validation|train", "validation|test", "test|validation"} < set(
        table["border"]
    )
    assert table["overlap"].sum() == table["short"].sum() == 0


def test_forecasts_are_put_on_their_path_and_group() -> None:
    plan = CombinatorialPurged(4, 2)
    folds = plan.folds(DATES)
    paths = Paths.of(folds, plan.paths)
    tables = [
        paths.named(pd.DataFrame({"date": one.test_dates, "fold": one.number, "split": one.number}))
        for one in folds
    ]
    table = pd.concat(tables)
    assert table.groupby("path")["date"].nunique().tolist() == [102] * 3
    assert not table.duplicated(["date", "path"]).any()
    for (path, group), rows in table.groupby(["path", "fold"]):
        assert set(rows["split"]) == {plan.paths[path, group]}
    assert [fold.test for fold in paths.by_date(folds)] == list(paths.groups)
    assert [fold.number for fold in paths.by_date(folds)] == [0, 1, 2, 3]


def test_a_step_that_needs_folds_in_order_refuses_the_plan() -> None:
    split = WalkForward(train=4, validation=2, test=2)
    assert walk_forward_of(split, "a retraining") is split
    with pytest.raises(PlanError, match=r"a retraining needs split\.plan walk_forward"):
        walk_forward_of(CombinatorialPurged(), "a retraining")
