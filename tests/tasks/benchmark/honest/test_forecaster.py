"""The honest forecaster: each part against its definition."""

import numpy as np
import pandas as pd
import pytest

from foldproof.tasks.benchmark.honest.forecaster import (
    HONEST,
    before_test,
    honest_features,
    next_close,
    ridge,
    train_scaler,
)
from foldproof.tasks.benchmark.honest.market import Market
from foldproof.tasks.benchmark.leaks.training import scaler_of_all, unpurged
from foldproof.tasks.diagnose.trace.trace import Recorder
from foldproof.tasks.statistics.rank_ic import daily_rank_ic

MARKET = Market(days=120)


@pytest.fixture(scope="module")
def rows():
    return MARKET.rows(0).set_index(["date", "symbol"]).sort_index()


@pytest.mark.parametrize("horizon", [1, 3])
def test_the_target_is_the_return_from_the_next_close(rows, horizon):
    y = next_close(rows, horizon)
    close = rows["close"].unstack()
    raw = (close.shift(-1 - horizon) / close.shift(-1) - 1).where(close.notna())
    relative = raw.sub(raw.mean(axis=1), axis=0).stack(future_stack=True).reindex(rows.index)
    np.testing.assert_allclose(y["target"], relative, rtol=0, atol=1e-14)
    date = rows.index.levels[0]
    assert y.loc[(date[10], "S00"), "label_end"] == date[11 + horizon]
    assert y.loc[(date[-1], "S00"), "label_end"] is pd.NaT


def test_features_use_only_dates_up_to_their_own(rows):
    cut = rows.index.levels[0][70]
    some = rows[rows.index.get_level_values(0) <= cut]
    expected = honest_features(rows).loc[:cut]
    pd.testing.assert_frame_equal(honest_features(some), expected, rtol=0, atol=1e-13)


def test_samples_have_labels_known_before_the_test_block_and_unpurged_ones_do_not(rows):
    x, y, fold = honest_features(rows), next_close(rows), MARKET.fold
    first = pd.Timestamp(fold.test_dates[0])
    assert (y.loc[before_test(x, y, fold), "label_end"] < first).all()
    assert (y.loc[unpurged(x, y, fold), "label_end"] >= first).any()


def test_the_scaler_uses_training_dates_only(rows):
    x, fold = honest_features(rows), MARKET.fold
    samples = before_test(x, next_close(rows), fold)
    block = x[x.index.get_level_values(0).isin(fold.train_dates)]
    found = train_scaler(x, samples, fold)
    np.testing.assert_allclose(found.loc["mean"], block.mean(), rtol=1e-12)
    np.testing.assert_allclose(found.loc["sd"], block.std(), rtol=1e-12)
    assert not np.allclose(scaler_of_all(x, samples, fold), found)


def test_ridge_solves_its_normal_equations(rows):
    x, y, fold = honest_features(rows), next_close(rows), MARKET.fold
    samples = before_test(x, y, fold)
    a, b = x.loc[samples].to_numpy(), y.loc[samples, "target"].to_numpy() / 0.02
    weights = ridge(x, y, samples, fold, 7.0)
    np.testing.assert_allclose(a.T @ (b - a @ weights), 7.0 * weights, atol=1e-9)


def test_the_forecaster_traces_its_stages_in_order_and_finds_a_planted_signal():
    market = Market(days=160, symbols=40, skill=0.4)
    data, fold = market.rows(0), market.fold
    trace = Recorder(data)
    scores = HONEST.forecaster(data, fold, trace)
    stages = list(dict.fromkeys(note.stage for note in trace.notes))
    assert stages == ["universe", "features", "target", "folds", "selection", "input normalizer",
                      "window", "training"]  # fmt: skip
    assert set(scores.index.get_level_values(0)) == set(pd.DatetimeIndex(fold.test_dates))
    label = next_close(data.set_index(["date", "symbol"]).sort_index())["target"]
    # the target begins a day late, so a signal of memory 0.5 keeps half its skill
    assert daily_rank_ic(scores, label).mean() == pytest.approx(0.19, abs=0.06)
