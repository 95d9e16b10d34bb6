"""A variant from raw rows to scores equals the comparison bit for bit; the stages it traces."""

import sys
import types
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from foldproof.models.spec import NetworkSpec, TrainingSpec
from foldproof.tasks.data import DataSpec, SyntheticSpec, TargetSpec, build, load_raw
from foldproof.tasks.diagnose.trace.trace import Recorder, Trace
from foldproof.tasks.diagnose.variant import (
    BATCH_DATES,
    BATCH_SYMBOLS,
    OwnForecaster,
    newest,
    rows_for_fold,
)
from foldproof.tasks.split import Fold, WalkForward
from foldproof.tasks.train import Unit, train_unit

NETWORK = NetworkSpec(window=4, hidden=6, dropout=0.1)
TRAINING = TrainingSpec(epochs=2, batch_size=256, learning_rate=1e-2)
READY = DataSpec(
    source="linear", features="ready", min_history=50,
    synthetic=SyntheticSpec(days=420, symbols=12, n_features=4, signal=0.3, seed=3),
)  # fmt: skip
PRICES = DataSpec(source="noise", synthetic=SyntheticSpec(days=620, symbols=8, seed=1))
WAYS = {
    "ready": (READY, TargetSpec(horizon=1, kind="return"), WalkForward(200, 50, 60, keep=1)),
    "price": (PRICES, TargetSpec(horizon=5, kind="cs_zscore"), WalkForward(120, 30, 50, keep=1)),
}
"""Data, target and plan: with ready-made features, and with features computed from prices."""


class Way:
    """One way of data with its panel as a comparison builds it, and forecasters on it."""

    def __init__(self, name):
        self.data, self.target, plan = WAYS[name]
        self.rows, self.panel = load_raw(self.data), build(self.data, self.target)
        self.fold = plan.folds(self.panel.dates, self.panel.label_end)[-1]

    def own(self, variant="zscore", **changes):
        return OwnForecaster(
            variant, self.data, self.target, NETWORK, replace(TRAINING, **changes), seed=0
        )

    def compared(self, variant="zscore", fold=None):
        """The unit that a comparison trains."""
        unit = Unit(variant, fold or self.fold, 0, NETWORK, TRAINING, self.panel.fingerprint, "")
        return train_unit(unit, self.panel)

    def forecasts(self, *args):
        """Forecasts of the comparison, indexed (date, symbol)."""
        table = self.compared(*args).forecasts
        return table.set_index(["date", "symbol"])["forecast"].sort_index()


@pytest.fixture(scope="module")
def ready():
    return Way("ready")


@pytest.fixture(scope="module")
def price():
    return Way("price")


@pytest.fixture(params=WAYS)
def way(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def traced(ready):
    """One run and its trace."""
    torch.set_num_threads(1)
    trace = Recorder(ready.rows)
    return ready.own()(ready.rows, ready.fold, trace), trace


def same(found, expected):
    """Bit for bit the same forecasts of the same cells."""
    pd.testing.assert_series_equal(
        found.sort_index(), expected, check_exact=True, check_index_type=False, check_freq=False
    )


@pytest.mark.parametrize("variant", ["zscore", "batch_norm_hidden"])
def test_forecasts_equal_the_comparison_bit_for_bit(way, variant):
    found = way.own(variant)(way.rows, way.fold, Trace())
    expected = way.forecasts(variant)
    same(found, expected)
    assert set(found.index.get_level_values(0)) == set(pd.DatetimeIndex(way.fold.test_dates))


def test_the_panel_equals_that_of_the_comparison(way):
    made = way.own().rows.panel(way.rows)
    assert made.features == way.panel.features
    for name in ("dates", "symbols", "values", "target", "label_end", "member"):
        np.testing.assert_array_equal(getattr(made, name), getattr(way.panel, name), err_msg=name)


def test_the_order_of_the_rows_does_not_matter(way):
    found, shuffled = (
        way.own()(rows, way.fold, Trace())
        for rows in (way.rows, way.rows.sample(frac=1, random_state=0))
    )
    same(shuffled, found.sort_index())


def test_a_users_feature_function_gets_rows_sorted_by_date(ready, monkeypatch):
    module = types.ModuleType("own_features")
    module.lagged = lambda rows: rows.groupby("symbol")[["f0"]].shift(1)
    monkeypatch.setitem(sys.modules, "own_features", module)
    own = replace(ready.own(), data=replace(READY, features="own_features:lagged"))
    made, shuffled = (
        own.rows.panel(rows).values
        for rows in (ready.rows, ready.rows.sample(frac=1, random_state=0))
    )
    np.testing.assert_array_equal(made, shuffled)
    np.testing.assert_array_equal(made[1:, :, 0], ready.panel.values[:-1, :, 0])


def test_labels_equal_those_of_the_panel(way):
    labels = way.own().rows.labels(way.rows.sample(frac=1, random_state=0))
    dense = labels.unstack().reindex(way.panel.dates.astype("datetime64[us]")).to_numpy()
    np.testing.assert_array_equal(dense, way.panel.target)


def test_stages_are_traced_in_order(traced):
    assert [note.stage for note in traced[1].notes] == [
        "features", "target", "input normalizer", "training"
    ]  # fmt: skip
    assert len(traced[1].batches) == 1
    assert not traced[1].not_copied


def test_traced_features_and_targets_are_cells_of_the_panel(ready, traced):
    panel, fold = ready.panel, ready.fold
    features = traced[1].table("features").frame()
    first, last = fold.train.start - NETWORK.window + 1, fold.test.stop
    dates = panel.dates[first:last].astype("datetime64[us]")
    assert set(features.index.get_level_values(0)) == set(pd.DatetimeIndex(dates))
    for k, name in enumerate(panel.features):
        wide = features[name].unstack().reindex(dates).to_numpy()
        expected = np.where(panel.member, panel.values[..., k], np.nan)[first:last]
        np.testing.assert_array_equal(wide, expected)
    table = traced[1].table("target")
    ends = pd.Series(table.ends, index=table.frame().index)
    known = ready.panel.label_end[np.searchsorted(panel.dates, ends.index.get_level_values(0))]
    np.testing.assert_array_equal(ends.to_numpy(), known)


def test_the_traced_network_computes_the_scores(ready, traced):
    scores, trace = traced
    (batch,) = trace.batches
    assert len(batch.windows) == BATCH_DATES * BATCH_SYMBOLS
    assert not batch.module.training
    with torch.no_grad():
        made = batch.module(batch.windows, batch.dates).squeeze(-1).numpy()
    dates = batch.dates.numpy().astype("datetime64[D]").astype("datetime64[us]")
    cells = pd.MultiIndex.from_arrays([dates, batch.symbols])
    scale = ready.compared().target_scale
    np.testing.assert_allclose(made * scale, scores.reindex(cells), rtol=1e-5, atol=1e-9)
    row = np.searchsorted(ready.panel.dates, dates.astype("datetime64[D]"))
    column = np.searchsorted(ready.panel.symbols, batch.symbols)
    target = ready.panel.target[row, column]
    np.testing.assert_array_equal(batch.target.numpy(), target)


def test_a_model_that_was_trained_before_scores_other_rows(ready, traced):
    """The serving test: the weights stay, all rows after a cut change."""
    cut = pd.Timestamp(ready.fold.test_dates[20])
    changed = ready.rows.copy()
    changed.loc[changed["date"] > cut, "f0"] *= -3.0
    trace = Recorder(changed, models=traced[1].reusable)
    found = ready.own()(changed, ready.fold, trace).sort_index()
    before = traced[0].sort_index()
    same(found.loc[:cut], before.loc[:cut])
    later = found.index[found.index.get_level_values(0) > cut]
    assert (found.loc[later] != before.loc[later]).mean() > 0.99


def test_statistics_are_fitted_on_the_scored_rows(ready):
    """So the planted control, whose normalizer reads all dates, moves under the same weights."""
    cut = pd.Timestamp(ready.fold.test_dates[20])
    own, trace = ready.own("full_sample_zscore"), Recorder(ready.rows)
    before = own(ready.rows, ready.fold, trace).sort_index().loc[:cut]
    changed = ready.rows.copy()
    changed.loc[changed["date"] > cut, "f0"] *= -3.0
    found = (
        own(changed, ready.fold, Recorder(changed, models=trace.reusable)).sort_index().loc[:cut]
    )
    assert found.index.equals(before.index)
    assert (found != before).mean() > 0.99


def test_dates_without_rows_are_not_forecast(ready, traced):
    cut = pd.Timestamp(ready.fold.test_dates[20])
    short = ready.rows[ready.rows["date"] <= cut]
    found = ready.own()(short, ready.fold, Trace()).sort_index()
    same(found, traced[0].sort_index().loc[:cut])
    assert found.index.get_level_values(0)[-1] == cut


def test_the_rows_around_a_fold_give_its_forecasts(ready, traced):
    rows, inside = rows_for_fold(ready.rows, ready.fold, warm_up=5, tested=15, after=3)
    assert len(rows) == (5 + inside.test.stop - inside.train.start + 3) * 12
    found = ready.own()(rows, inside, Trace()).sort_index()
    same(found, traced[0].sort_index().loc[: pd.Timestamp(ready.fold.test_dates[14])])


@pytest.mark.parametrize(
    ("sizes", "first", "tested", "last"),
    [
        ((5, 15, 3), -5, 15, 3),
        ((5, 15, 0), -5, 15, 0),
        ((10_000, 15, 3), None, 15, 3),  # there is no more before it
        ((0, 10_000, 0), 0, None, 0),  # the test block is shorter than that
        ((0, 10_000, 10_000), 0, None, None),
    ],
)
def test_the_fold_on_the_calendar_around_it_has_the_same_dates(ready, sizes, first, tested, last):
    start, stop = ready.fold.test.start, ready.fold.test.stop
    fold = replace(ready.fold, test=range(start, stop - 10))  # 10 dates come after it
    rows, inside = rows_for_fold(ready.rows, fold, *sizes)
    begin = 0 if first is None else fold.train.start + first
    count = len(fold.test) if tested is None else tested
    end = len(fold.calendar) if last is None else fold.test.start + count + last
    np.testing.assert_array_equal(inside.calendar, fold.calendar[begin:end])
    np.testing.assert_array_equal(inside.train_dates, fold.train_dates)
    np.testing.assert_array_equal(inside.validation_dates, fold.validation_dates)
    np.testing.assert_array_equal(inside.test_dates, fold.test_dates[:count])
    assert len(inside.test) == count
    held = np.unique(rows["date"].to_numpy()).astype("datetime64[D]")
    np.testing.assert_array_equal(held, inside.calendar)
    assert rows.index.equals(pd.RangeIndex(len(rows)))
    assert inside.number == fold.number


@pytest.mark.parametrize(
    ("trained", "train", "validation"),
    [
        (10, range(81, 91), range(95, 100)),
        (9, range(82, 91), range(95, 100)),
        (60, range(16, 76), range(80, 100)),  # no more than the fold validates on
        (500, range(10, 76), range(80, 100)),  # all there is
    ],
)
def test_the_newest_rows_are_as_far_apart_as_those_of_the_fold(trained, train, validation):
    fold = Fold(0, range(10, 76), range(80, 100), range(104, 120), np.arange(130).astype("M8[D]"))
    assert newest(fold, trained) == (train, validation)
    bare = replace(fold, train=range(10, 100), validation=range(100, 100))
    assert newest(bare, 20) == (range(80, 100), range(100, 100))


def test_the_rows_around_the_newest_hold_their_dates(ready):
    _, inside = rows_for_fold(ready.rows, ready.fold, warm_up=5, tested=15, after=3, trained=30)
    train, validation = newest(ready.fold, 30)
    assert (len(train), len(validation)) == (30, 15)
    calendar = ready.fold.calendar
    np.testing.assert_array_equal(inside.train_dates, calendar[list(train)])
    np.testing.assert_array_equal(inside.validation_dates, calendar[list(validation)])
    assert inside.calendar[0] == calendar[train.start - 5]
