"""The stated properties of the market, measured on its rows."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from foldproof.tasks.benchmark.honest.market import Market
from foldproof.tasks.statistics.rank_ic import daily_rank_ic


def own_return(rows, ahead=1):
    """Return over the day that is ``ahead`` rows later, less the date's mean."""
    close = rows.set_index(["date", "symbol"])["close"].groupby(level=1)
    day = close.shift(-ahead) / close.shift(1 - ahead) - 1
    return day - day.groupby(level=0).transform("mean")


@pytest.mark.parametrize("skill", [0.0, 0.15, 0.5])
def test_the_signal_has_the_stated_skill(skill):
    rows = Market(symbols=60, days=500, skill=skill).rows(0)
    signal, ahead = rows.set_index(["date", "symbol"])["signal"], own_return(rows)
    error = 1 / np.sqrt(len(rows))
    assert signal.corr(ahead) == pytest.approx(skill, abs=4 * error + 0.02 * skill)
    expected = 6 / np.pi * np.arcsin(skill / 2)
    assert daily_rank_ic(signal, ahead).mean() == pytest.approx(expected, abs=5 * error + 0.01)


@pytest.mark.parametrize(
    ("column", "ahead", "expected"),
    [("signal", 2, 0.15), ("signal", 0, 0.15), ("signal", -1, 0.075), ("sentiment", 1, 0.0)],
)
def test_other_days_are_predicted_only_through_the_signals_memory(column, ahead, expected):
    rows = Market(symbols=60, days=500, skill=0.3).rows(1)  # memory 0.5: a half for each day
    keyed = rows.set_index(["date", "symbol"])
    found = keyed[column].corr(own_return(rows, ahead))
    assert found == pytest.approx(expected, abs=5 / np.sqrt(len(rows)))


def test_a_turning_signal_changes_sign_halfway():
    market = Market(symbols=60, days=500, skill=0.4, turn=True)
    rows = market.rows(0)
    daily = daily_rank_ic(rows.set_index(["date", "symbol"])["signal"], own_return(rows))
    middle = pd.Timestamp(market.calendar[market.days // 2])
    before, after = daily[daily.index < middle].mean(), daily[daily.index >= middle].mean()
    assert before > 0.3
    assert after < -0.3


def test_only_sentiment_has_gaps_of_four_days():
    rows = Market(symbols=40, days=400, gaps=0.08).rows(0)
    assert rows["sentiment"].isna().mean() == pytest.approx(0.077, abs=0.015)
    assert rows.drop(columns="sentiment").notna().all().all()
    whole = rows[rows["symbol"] == "S00"]["sentiment"].isna().to_numpy()
    edges = np.flatnonzero(np.diff(np.r_[0, whole, 0]))
    runs = (edges[1::2] - edges[::2])[1:-1]
    assert len(runs)
    assert (runs >= 4).all()
    none = replace(Market(), gaps=0.0).rows(0)
    assert none["sentiment"].notna().all()


def test_two_stocks_are_listed_late_and_two_are_delisted_early():
    market = Market(days=160)
    span = market.rows(0).groupby("symbol")["date"].agg(["min", "max"])
    calendar = pd.DatetimeIndex(market.calendar)
    late, gone = span[span["min"] > calendar[0]], span[span["max"] < calendar[-1]]
    assert list(late.index) == ["S03", "S04"]
    assert (late["min"] == calendar[40]).all()
    assert list(gone.index) == ["S05", "S06"]
    assert (gone["max"] == calendar[120]).all()


def test_books_are_dated_at_the_end_of_a_period_and_known_fifteen_days_later():
    market = Market()
    rows = market.rows(0)
    one = rows[rows["symbol"] == "S00"].reset_index(drop=True)
    calendar = pd.bdate_range(market.calendar[0], periods=market.days + 60)
    first = one.index // 42 * 42
    assert one.groupby(first)["book"].nunique().eq(1).all()
    assert one["book"].nunique() == 5  # of 180 days
    wanted = np.minimum(first + 15, market.days + 14)
    assert (one["book_known"].to_numpy() == calendar[wanted].to_numpy()).all()
    late = 4 * 15 + 12  # four whole periods and the twelve days of a fifth
    assert (one["book_known"] > one["date"]).sum() == late


@pytest.mark.parametrize("horizon", [1, 5])
def test_the_fold_is_purged(horizon):
    fold = Market(horizon=horizon).fold
    assert fold.train == range(20, 90)
    assert fold.validation.start - (fold.train.stop - 1) > horizon + 1  # known two rows after
    assert fold.test.start - (fold.validation.stop - 1) > horizon + 1
    assert fold.test.stop == 176


def test_a_market_depends_on_its_seed_only():
    pd.testing.assert_frame_equal(Market().rows(3), Market().rows(3))
    assert not np.allclose(Market().rows(3)["close"].iloc[:50], Market().rows(4)["close"].iloc[:50])
