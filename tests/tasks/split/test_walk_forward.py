"""Folds against closed forms, scikit-learn, skfolio and pandas; label rule under random labels."""

import inspect
import re
from dataclasses import replace
from itertools import pairwise, product

import numpy as np
import pandas as pd
import pytest
from pydantic import TypeAdapter, ValidationError
from skfolio.model_selection import WalkForward as SkfolioWalkForward
from sklearn import config_context
from sklearn.dummy import DummyRegressor
from sklearn.model_selection import TimeSeriesSplit, cross_val_score

from foldproof.tasks.split import Fold, PlanError, WalkForward, plan_hash

ROWS = 61
DATES = np.arange("2024-01-01", "2024-03-02", dtype="datetime64[D]")


def rows_of(folds):
    return [(list(fold.train), list(fold.test)) for fold in folds]


def lists_of(splits):
    return [(train.tolist(), test.tolist()) for train, test in splits]


def test_the_blocks_of_a_small_plan():
    folds = WalkForward(train=4, validation=2, test=2, horizon=1).folds(DATES[:12])
    assert folds == (
        Fold(0, range(0, 4), range(5, 7), range(8, 10), DATES),
        Fold(1, range(2, 6), range(7, 9), range(10, 12), DATES),
    )
    assert folds[0].test_dates.tolist() == DATES[8:10].tolist()


def test_an_expanding_plan_starts_at_row_0_and_keeps_the_newest():
    plan = WalkForward(4, 2, 2, mode="expanding", horizon=0, embargo=1, keep=2)
    assert plan.folds(DATES[:16]) == (
        Fold(0, range(0, 8), range(9, 11), range(12, 14), DATES),
        Fold(1, range(0, 10), range(11, 13), range(14, 16), DATES),
    )


@pytest.mark.parametrize(("test", "gap"), list(product([1, 3, 7], [0, 1, 4])))
@pytest.mark.parametrize("train", [None, 5, 11])
def test_equals_scikit_learn_where_settings_coincide(test, gap, train):
    smallest = train or 1
    n = (ROWS - smallest - gap) // test
    oracle = TimeSeriesSplit(n, max_train_size=train, test_size=test, gap=gap)
    plan = WalkForward(
        smallest, 0, test, mode="sliding" if train else "expanding", horizon=gap, anchor="end"
    )
    expected = lists_of(oracle.split(np.zeros(ROWS)))
    assert len(expected) == n > 0
    assert rows_of(plan.folds(DATES)) == expected
    assert lists_of(plan.split(np.zeros(ROWS), groups=DATES)) == expected


@pytest.mark.parametrize(("train", "test"), list(product([1, 6, 20], [1, 4, 9])))
@pytest.mark.parametrize(("purge", "expand"), list(product([0, 2, 5], [False, True])))
def test_equals_skfolio_where_settings_coincide(train, test, purge, expand):
    oracle = SkfolioWalkForward(test, train, purged_size=purge, expand_train=expand)
    plan = WalkForward(
        train, 0, test, mode="expanding" if expand else "sliding", horizon=purge, anchor="start"
    )
    expected = lists_of(oracle.split(np.zeros((ROWS, 1))))
    assert expected
    assert rows_of(plan.folds(DATES)) == expected


@pytest.mark.parametrize("mode", ["sliding", "expanding"])
def test_calendar_periods_from_the_end_against_pandas(business_days, mode):
    index = pd.DatetimeIndex(business_days)
    plan = WalkForward("3Y", "6M", "1Y", step="1Y", mode=mode, horizon=5)
    expected = []
    for k in range(20):
        stop = index[-1] + pd.Timedelta(days=1) - pd.DateOffset(years=k)
        test = index[(index >= stop - pd.DateOffset(years=1)) & (index < stop)]
        rest = index[index < test[0]][:-5]
        edge = rest[-1] + pd.Timedelta(days=1)
        validation = rest[rest >= edge - pd.DateOffset(months=6)]
        rest = index[index < validation[0]][:-5]
        edge = rest[-1] + pd.Timedelta(days=1) if len(rest) else index[0]
        if edge - pd.DateOffset(years=3) < index[0]:
            break
        train = rest if mode == "expanding" else rest[rest >= edge - pd.DateOffset(years=3)]
        expected.append((train, validation, test))
    folds = plan.folds(business_days)
    assert len(folds) == len(expected) == 6
    for fold, dates in zip(folds, expected[::-1], strict=True):
        for got, wanted in zip(
            (fold.train_dates, fold.validation_dates, fold.test_dates), dates, strict=True
        ):
            assert got.tolist() == [stamp.date() for stamp in wanted]


def test_calendar_periods_from_the_start_against_pandas(business_days):
    index = pd.DatetimeIndex(business_days)
    folds = WalkForward("24M", 0, "26W", horizon=0, anchor="start").folds(business_days)
    # the first test row is the earliest one with 24 whole months before it
    first = next(
        row for row in range(len(index))
        if index[max(row - 1, 0)] + pd.Timedelta(days=1) - pd.DateOffset(months=24) >= index[0]
    )  # fmt: skip
    for k, fold in enumerate(folds):
        start = index[first] + pd.Timedelta(weeks=26 * k)
        wanted = index[(index >= start) & (index < start + pd.Timedelta(weeks=26))]
        assert fold.test_dates.tolist() == [stamp.date() for stamp in wanted]
    end = index[-1] + pd.Timedelta(days=1)
    assert len(folds) == (end - index[first]).days // (26 * 7) > 10


def test_whole_years_give_whole_years(business_days):
    """Calendar blocks end where the year ends, whatever day of the week that is."""
    for fold in WalkForward("4Y", 0, "1Y", horizon=0).folds(business_days):
        years = fold.test_dates.astype("datetime64[Y]")
        assert len(set(years.tolist())) == 1
        # no trading day of the year is left out
        in_year = business_days.astype("datetime64[Y]") == years[0]
        assert len(fold.test) == in_year.sum()


def test_monthly_steps_neither_overlap_nor_leave_gaps():
    """Ends of months differ in length: steps counted one by one would drift."""
    dates = np.arange("2019-01-01", "2021-01-31", dtype="datetime64[D]")  # ends on the 30th
    folds = WalkForward("2M", 0, "1M", horizon=0).folds(dates)
    assert len(folds) > 20
    assert all(a.test.stop == b.test.start for a, b in pairwise(folds))


@pytest.mark.parametrize("seed", range(40))
def test_no_label_reaches_into_the_next_block(seed):
    """Sizes stay exact, each border is safe, and not one more row could have been kept."""
    draw = np.random.default_rng(seed)
    dates = np.sort(draw.choice(np.arange(400), 160, replace=False)).astype("datetime64[D]")
    ends = dates + draw.integers(0, 15, len(dates)).astype("timedelta64[D]")  # not monotone
    ends[ends > dates[-1]] = np.datetime64("NaT")
    ends[np.argmax(np.isnat(ends)) :] = np.datetime64("NaT")
    embargo = int(draw.integers(0, 4))
    anchor = ["start", "end"][seed % 2]
    plan = WalkForward(30, 12, 9, embargo=embargo, anchor=anchor)
    folds = plan.folds(dates, ends)
    assert folds
    for fold in folds:
        assert [len(b) for b in (fold.train, fold.validation, fold.test)] == [30, 12, 9]
        for earlier, later in (
            (fold.train, fold.validation), (fold.validation, fold.test), (fold.train, fold.test)
        ):  # fmt: skip
            last = ends[earlier.start : earlier.stop].max()
            assert last < dates[later.start]
            assert ((dates > last) & (dates < dates[later.start])).sum() >= embargo
        for earlier, later in ((fold.train, fold.validation), (fold.validation, fold.test)):
            last = ends[: earlier.stop + 1].max()  # as if one more row were kept
            between = ((dates > last) & (dates < dates[later.start])).sum()
            assert np.isnat(last) or last >= dates[later.start] or between < embargo


def test_a_label_known_on_the_first_day_of_the_next_block_is_purged():
    dates = DATES[:10]
    ends = dates + np.timedelta64(2, "D")
    (fold,) = WalkForward(4, 0, 4).folds(dates, ends)
    assert (fold.train, fold.test) == (range(0, 4), range(6, 10))


def test_a_label_that_ends_on_a_closed_day_is_known_before_the_next_open_one():
    friday, monday = np.datetime64("2024-01-05"), np.datetime64("2024-01-08")
    dates = np.array([friday - 1, friday, monday, monday + 1])
    ends = np.array([friday, friday + 1, monday + 1, monday + 2])
    (fold,) = WalkForward(2, 0, 2).folds(dates, ends)
    assert (fold.train, fold.test) == (range(0, 2), range(2, 4))


def test_unknown_labels_may_be_forecast_but_not_trained_on():
    ends = DATES + np.timedelta64(3, "D")
    ends[-12:] = np.datetime64("NaT")
    fold = WalkForward(10, 5, 4).folds(DATES, ends)[-1]
    assert fold.test == range(ROWS - 4, ROWS)
    assert fold.validation.stop == ROWS - 12  # the purge reaches back over all unknown labels


def test_label_ends_that_cannot_be_are_refused():
    ends = DATES + np.timedelta64(1, "D")
    ends[7] = np.datetime64("NaT")
    with pytest.raises(PlanError, match="NaT on 2024-01-08 although later labels are known"):
        WalkForward(5, 0, 5).folds(DATES, ends)
    with pytest.raises(PlanError, match="label of 2024-01-01 ends before that date"):
        WalkForward(5, 0, 5).folds(DATES, DATES - np.timedelta64(1, "D"))
    with pytest.raises(PlanError, match="61 dates, 60 label ends"):
        WalkForward(5, 0, 5).folds(DATES, DATES[1:])


def test_scikit_learn_cuts_no_date_whatever_the_order_of_rows():
    draw = np.random.default_rng(0)
    groups = draw.permutation(np.repeat(DATES, draw.integers(1, 5, ROWS)))
    plan = WalkForward(20, 0, 10, horizon=2)
    splits = list(plan.split(np.zeros((len(groups), 2)), groups=groups))
    assert len(splits) == plan.get_n_splits(None, None, groups) == len(plan.folds(DATES)) == 3
    for (train, test), fold in zip(splits, plan.folds(DATES), strict=True):
        assert np.array_equal(np.unique(groups[train]), fold.train_dates)
        assert np.array_equal(np.unique(groups[test]), fold.test_dates)
        assert len(train) == np.isin(groups, fold.train_dates).sum()
        assert len(test) == np.isin(groups, fold.test_dates).sum()


@pytest.mark.parametrize("routing", [False, True])
def test_works_in_cross_val_score(routing):
    groups = np.repeat(DATES, 3)
    X, y = np.zeros((len(groups), 1)), np.arange(len(groups), dtype=float)
    plan = WalkForward(20, 0, 10)
    given = {"params": {"groups": groups}} if routing else {"groups": groups}
    with config_context(enable_metadata_routing=routing):
        scores = cross_val_score(
            DummyRegressor(), X, y, cv=plan, scoring="neg_mean_absolute_error", **given
        )
    expected = [
        -np.abs(y[test] - y[train].mean()).mean() for train, test in plan.split(X, y, groups)
    ]
    assert scores.tolist() == pytest.approx(expected, rel=1e-12)


def test_groups_are_required_and_must_be_dates():
    plan = WalkForward(5, 0, 5)
    with pytest.raises(ValueError, match="groups must be the date of each row"):
        plan.get_n_splits(np.zeros(ROWS))
    with pytest.raises(ValueError, match="groups must be dates"):
        plan.get_n_splits(np.zeros(ROWS), groups=np.arange(ROWS))
    with pytest.raises(ValueError, match="60 rows, 61 dates"):
        plan.get_n_splits(np.zeros(60), groups=DATES)


def test_a_plan_that_is_too_long_says_what_is_short_and_by_how_much():
    dates = np.arange(1500).astype("datetime64[D]")
    with pytest.raises(PlanError) as error:
        WalkForward(1260, 252, 252, horizon=6).folds(dates)
    assert str(error.value) == (
        "train 1260 + purge 6 + validation 252 + purge 6 + test 252 need 1776 trading days; "
        "the panel has 1500: 276 short; shorten train to at most 984, or take more history"
    )


@pytest.mark.parametrize("anchor", ["start", "end"])
@pytest.mark.parametrize(("train", "validation", "test"), [(60, 9, 5), (20, 70, 5), (5, 0, 70)])
def test_the_remedy_of_a_short_plan_works(anchor, train, validation, test):
    plan = WalkForward(train, validation, test, horizon=2, embargo=1, anchor=anchor)
    with pytest.raises(PlanError) as error:
        plan.folds(DATES)
    need, has, short = map(
        int, re.findall(r"need (\d+) .* has (\d+): (\d+) short", str(error.value))[0]
    )
    assert (has, need - has) == (ROWS, short)
    assert len(plan.folds(np.arange(need).astype("datetime64[D]"))) == 1
    with pytest.raises(PlanError, match="1 short"):
        plan.folds(np.arange(need - 1).astype("datetime64[D]"))
    room = re.findall(r"train to at most (\d+)", str(error.value))
    if room:
        shorter = WalkForward(int(room[0]), validation, test, horizon=2, embargo=1, anchor=anchor)
        assert len(shorter.folds(DATES)) == 1


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        (("9Y", "1Y", "1Y"), r"train 9Y, ending on 2017-.* would begin on 2008-.* days too early"),
        (
            (252, "1Y", "11Y"),
            r"test 11Y, ending on 2019-12-31, would begin on 2009-01-01, 368 days",
        ),
        ((2520, "1Y", "1Y"), r"train 2520, ending on 2017-.*, is \d+ trading days short"),
        (("1Y", 252, 2600), r"no trading day is left for validation 252"),
    ],
)
def test_calendar_plans_name_the_block_that_begins_too_early(business_days, sizes, message):
    with pytest.raises(PlanError, match=message):
        WalkForward(*sizes, step=None, horizon=5).folds(business_days)


def test_test_blocks_that_overlap_are_refused():
    with pytest.raises(PlanError, match="step 4 is shorter than test 6: 2 dates"):
        WalkForward(5, 0, 6, step=4).folds(DATES)


def test_a_test_period_without_trading_days_is_refused(business_days):
    with pytest.raises(PlanError, match="holds no trading day: take a longer test period"):
        WalkForward(20, 0, "1D").folds(business_days)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"train": "5Q"}, "train must be a whole number"),
        ({"train": 0}, "train must be at least 1"),
        ({"validation": -1}, "validation must be at least 0"),
        ({"test": "2020"}, "test must be a whole number of trading days"),
        ({"step": 0}, "step must be at least 1"),
        ({"step": "1Y"}, "step and test must both be trading days.*step is '1Y', test is 5"),
        ({"embargo": -1}, "embargo must be at least 0"),
        ({"embargo": "1W"}, "embargo must be a whole number"),
        ({"horizon": 1.5}, "horizon must be a whole number"),
        ({"keep": 0}, "keep must be at least 1"),
        ({"mode": "rolling"}, "mode has no choice 'rolling'; there are sliding, expanding"),
        ({"anchor": "middle"}, "anchor has no choice 'middle'; there are start, end"),
    ],
)
def test_bad_settings_say_what_is_wrong(settings, message):
    with pytest.raises(ValueError, match=message):
        WalkForward(**({"train": 10, "validation": 5, "test": 5} | settings))


@pytest.mark.parametrize(
    ("dates", "message"),
    [
        (DATES[::-1], "2024-03-01 is followed by 2024-02-29"),
        (np.repeat(DATES, 2), "2024-01-01 is followed by 2024-01-01"),
        (np.array(["2024-01-01", "NaT"], "datetime64[D]"), "row 1 is NaT"),
        (np.arange(5), "array of datetime64; it is int64"),
        (DATES[:0], "non-empty"),
    ],
)
def test_unusable_dates_are_refused(dates, message):
    with pytest.raises(PlanError, match=message):
        WalkForward(1, 0, 1).folds(dates)


def test_is_a_configuration_spec_with_help_and_strict_keys():
    spec = TypeAdapter(WalkForward)
    assert spec.validate_python({"train": "5Y", "validation": 0, "test": "1Y"}).step is None
    with pytest.raises(ValidationError, match="gap"):
        spec.validate_python({"train": 5, "validation": 0, "test": 5, "gap": 1})
    fields = spec.json_schema()["properties"]
    assert set(fields) == set(inspect.signature(WalkForward).parameters)
    assert all(field["description"] for field in fields.values())


def test_the_hash_of_a_plan_changes_with_every_date_in_it_and_with_nothing_else():
    plan = WalkForward(20, 5, 10)
    folds = plan.folds(DATES)
    base = plan_hash(folds)
    assert base == plan_hash(plan.folds(DATES.copy()))
    assert base == plan_hash(WalkForward(20, 5, 10, mode="sliding", step=10).folds(DATES))
    later = np.concatenate([[DATES[0] - 9], DATES])  # a row that no block uses
    assert base == plan_hash(plan.folds(later))
    moved = DATES.copy()
    moved[folds[0].train.start :] += 1
    others = [
        folds[1:],
        WalkForward(21, 5, 10).folds(DATES),
        WalkForward(20, 6, 10).folds(DATES),
        WalkForward(20, 5, 10, embargo=1).folds(DATES),
        plan.folds(moved),
        (replace(folds[0], validation=range(0, 1)), *folds[1:]),
    ]
    assert len({base, *map(plan_hash, others)}) == 7


def test_numpy_integers_are_sizes() -> None:
    """Sizes are often computed; the plan and its settings equal those from Python's numbers."""
    sizes = {"train": 100, "validation": 20, "test": 30, "step": 30, "embargo": 2, "keep": 2}
    computed = WalkForward(**{name: np.int64(size) for name, size in sizes.items()})
    assert computed == WalkForward(**sizes)
    assert repr(computed) == repr(WalkForward(**sizes))
