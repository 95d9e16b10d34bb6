"""Purge and order of samples: by hand, by a double loop, planted beside clean."""

import numpy as np
import pandas as pd
import pytest

from foldproof.tasks.diagnose import Verdict
from foldproof.tasks.diagnose.data.purge import order_of_samples, purge_of_samples

DAYS = pd.bdate_range("2024-01-01", periods=60)


def samples(rows, symbols="AB"):
    return pd.MultiIndex.from_product([DAYS[list(rows)], list(symbols)], names=["date", "symbol"])


def ends_of(horizon, symbols="AB"):
    """Labels known ``horizon`` trading days later; NaT beyond the data."""
    late = pd.Series([*DAYS[horizon:], *[pd.NaT] * horizon], dtype="datetime64[ns]")
    index = samples(range(len(DAYS)), symbols)
    return pd.Series(late.repeat(len(symbols)).to_numpy(), index=index)


def values(findings):
    return [(f.verdict, f.value) for f in findings]


def test_a_missing_purge_by_hand():
    """Labels 3 days long, train up to row 9, test from row 10: rows 7, 8 and 9 of two stocks."""
    (purge,) = purge_of_samples(samples(range(10)), samples(range(10, 20)), ends_of(3))
    assert (purge.verdict, purge.value, purge.ahead) == (Verdict.LEAK, 6.0, 3)
    assert (purge.witness.date, purge.witness.symbol) == ("2024-01-12", "A")
    assert purge.witness.column == "label until 2024-01-17"
    (clean,) = purge_of_samples(samples(range(7)), samples(range(10, 20)), ends_of(3))
    assert (clean.verdict, clean.value, clean.witness) == (Verdict.CLEAN, 0.0, None)


def test_the_embargo_counts_trading_days_on_both_sides():
    """Train 0-4 and 20-29, test 10-11, labels 3 days: known up to row 7, and up to row 14."""
    train = samples([*range(5), *range(20, 30)])
    cases = {0: [], 2: [0.0], 3: [2.0], 4: [4.0], 5: [6.0], 6: [8.0 + 2.0]}
    for embargo, short in cases.items():
        purge, *rest = purge_of_samples(train, samples([10, 11]), ends_of(3), embargo)
        assert purge.verdict is Verdict.CLEAN
        assert [f.value for f in rest] == short
        assert all((f.verdict is Verdict.LEAK) == (f.value > 0) for f in rest)


def test_test_blocks_are_purged_separately():
    """Combinatorial folds: training between two test blocks is fine if it keeps its distance."""
    test = samples([*range(10, 15), *range(40, 45)])
    apart = samples([*range(7), *range(18, 37), *range(48, 57)])
    assert values(purge_of_samples(apart, test, ends_of(3))) == [(Verdict.CLEAN, 0.0)]
    close = samples([*range(10), *range(15, 40), *range(45, 57)])
    assert values(purge_of_samples(close, test, ends_of(3))) == [(Verdict.LEAK, 4 * 3 * 2.0)]


def overlapping(train, test, ends, embargo):
    """The same count by a double loop over dates."""
    place = {date: row for row, date in enumerate(DAYS)}

    def interval(key):
        end = ends[key]
        return place[key[0]], len(DAYS) - 1 if pd.isna(end) else place[end]

    tests = [interval(key) for key in test]
    count = 0
    for key in train:
        first, last = interval(key)
        count += any(first <= stop + embargo and last >= start - embargo for start, stop in tests)
    return count


@pytest.mark.parametrize("seed", range(6))
def test_the_count_agrees_with_a_double_loop(seed):
    draw = np.random.default_rng(seed)
    every = samples(range(len(DAYS)), "ABC")
    late = np.minimum(np.repeat(np.arange(60), 3) + draw.integers(0, 7, 180), 60)
    known = pd.Series([*DAYS, pd.NaT], dtype="datetime64[ns]").to_numpy()[late]
    ends = pd.Series(known, index=every)
    parts = draw.choice(3, 60, p=[0.1, 0.6, 0.3]).repeat(3)
    train, test = every[parts == 1], every[parts == 0]
    purge, near = purge_of_samples(train[draw.permutation(len(train))], test, ends, embargo=1)
    assert purge.value == overlapping(train, test, ends, 0) > 0
    assert purge.value + near.value == overlapping(train, test, ends, 1)


def test_a_split_by_symbol_is_a_leak():
    train, test = samples(range(60), "A"), samples(range(60), "B")
    (purge,) = purge_of_samples(train, test, ends_of(1))
    assert (purge.verdict, purge.value) == (Verdict.LEAK, 60.0)
    assert order_of_samples(train, test).value == 60


def test_a_label_that_is_never_known_reaches_everything_after_it():
    ends = ends_of(1)
    ends.loc[(DAYS[2], "B")] = pd.NaT
    (purge,) = purge_of_samples(samples(range(5)), samples([30]), ends)
    assert (purge.value, purge.witness.symbol) == (1.0, "B")


def test_a_label_that_ends_at_the_weekend_is_known_on_monday():
    friday, monday = samples([4], "A"), samples([5], "A")
    ends = pd.Series([DAYS[4] + pd.Timedelta("1D")], index=friday)
    assert values(purge_of_samples(friday, monday, ends)) == [(Verdict.CLEAN, 0.0)]
    ends[:] = DAYS[5]
    assert values(purge_of_samples(friday, monday, ends)) == [(Verdict.LEAK, 1.0)]


def test_order_by_hand():
    clean = order_of_samples(samples(range(10)), samples(range(10, 20)))
    assert (clean.verdict, clean.value, clean.ahead) == (Verdict.CLEAN, 0.0, None)
    shuffled = order_of_samples(samples([0, 1, 3, 4, 6]), samples([2, 5, 7]))
    assert (shuffled.verdict, shuffled.value, shuffled.ahead) == (Verdict.LEAK, 2.0, 3)
    assert (shuffled.witness.date, shuffled.witness.symbol) == ("2024-01-03", "A")
    early = order_of_samples(samples(range(10, 20)), samples(range(4)))
    assert early.value == 4
    assert "0 test dates lie among the training dates, 4 before" in early.detail


def test_shuffled_folds_of_scikit_learn_leak_and_its_walk_forward_does_not():
    from sklearn.model_selection import KFold, TimeSeriesSplit

    every = samples(range(60), "A")
    for train, test in KFold(5, shuffle=True, random_state=0).split(every):
        order = order_of_samples(every[train], every[test])
        assert order.verdict is Verdict.LEAK
        assert order.value >= 9
    for train, test in TimeSeriesSplit(4, gap=1).split(every):
        assert order_of_samples(every[train], every[test]).verdict is Verdict.CLEAN
        (purge,) = purge_of_samples(every[train], every[test], ends_of(1, "A"))
        assert purge.verdict is Verdict.CLEAN


def test_tables_with_columns_work_like_an_index():
    train = samples(range(10)).to_frame(index=False)
    test = samples(range(10, 12)).to_frame()
    assert purge_of_samples(train, test, ends_of(3))[0].value == 6
    assert order_of_samples(train, test).verdict is Verdict.CLEAN


@pytest.mark.parametrize(
    ("train", "test", "ends", "message"),
    [
        (samples([]), samples([3]), ends_of(1), "at least one sample each.* 0 and 2"),
        (samples([1]), samples([3]), ends_of(1)[:2], "needs every sample of train.*2024-01-02"),
        (samples([1, 9]), samples([3]), ends_of(1).drop(DAYS[3]), "every sample of test"),
        (samples([1]), samples([3]), ends_of(0) - pd.Timedelta("1D"), "before its own date"),
        (samples([1]), samples([3]), pd.concat([ends_of(1)] * 2), "A on 2024-01-01 is a duplicate"),
        (samples([1]).set_names(["day", "id"]), samples([3]), ends_of(1), "its index has day, id"),
        (samples([1]), samples([3]), pd.Series(1, index=samples([1, 3])), "must be datetime64"),
    ],
)
def test_unusable_samples_are_rejected(train, test, ends, message):
    with pytest.raises(ValueError, match=message):
        purge_of_samples(train, test, ends)


def test_time_zones_and_days_outside_the_calendar_are_rejected():
    zoned = samples([1]).to_frame(index=False).assign(date=DAYS[:1].tz_localize("UTC").repeat(2))
    with pytest.raises(ValueError, match="time zone UTC"):
        order_of_samples(zoned, samples([3]))
    with pytest.raises(ValueError, match=r"2024-01-04 is not among its 3 days"):
        purge_of_samples(samples([1]), samples([3]), ends_of(1), calendar=DAYS[:3])


def test_a_million_samples_in_many_blocks_take_seconds():
    days = pd.bdate_range("2000-01-03", periods=2000)
    every = pd.MultiIndex.from_product([days, range(500)], names=["date", "symbol"])
    ends = pd.Series(days[np.minimum(np.arange(2000) + 5, 1999)].repeat(500), index=every)
    tests = (np.arange(2000) % 4 == 0).repeat(500)
    (purge,) = purge_of_samples(every[~tests], every[tests], ends)
    assert purge.value == (~tests).sum()
