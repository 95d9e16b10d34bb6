"""Networks of the benchmark: windows, batches, the traced batch, the data read in training."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch

from foldproof.models.normalizers import VARIANTS
from foldproof.tasks.benchmark.honest.forecaster import (
    HONEST,
    before_test,
    honest_features,
    next_close,
)
from foldproof.tasks.benchmark.honest.market import Market
from foldproof.tasks.benchmark.honest.networks import (
    Scoring,
    fit_sequences,
    fit_windows,
    lagged,
    lstm,
    network_parts,
    numbered,
    score_sequences,
    tensor,
    traced_batch,
)
from foldproof.tasks.benchmark.leaks.networks import OverTime
from foldproof.tasks.diagnose.trace.trace import Recorder, Trace

MARKET = Market(symbols=8, days=100)


@pytest.fixture(scope="module")
def made():
    rows = MARKET.rows(0).set_index(["date", "symbol"]).sort_index()
    x, y = honest_features(rows), next_close(rows)
    return x, y, before_test(x, y, MARKET.fold)


def test_a_window_holds_the_last_five_rows_of_its_stock_oldest_first(made):
    x = made[0]
    windows = lagged(x)
    sample = pd.MultiIndex.from_tuples([(x.index.levels[0][30], "S02")])
    own = x.xs("S02", level=1).to_numpy()[26:31]
    assert np.array_equal(tensor(windows, sample, torch.float64)[0].numpy(), own)
    first = windows.xs("S02", level=1)
    assert first.iloc[:4].isna().any(axis=1).all()
    assert first.iloc[4:].notna().all(axis=1).all()


def test_dates_and_symbols_are_numbered_in_order(made):
    dates, symbols = numbered(made[2])
    assert (dates.diff() >= 0).all()
    assert symbols.max() == len(made[2].get_level_values(1).unique()) - 1


@pytest.mark.parametrize("batches", ["shuffled", "date_block"])
def test_training_is_reproducible_and_keeps_the_global_random_state(made, batches):
    x, y, samples = made
    fit = partial(fit_windows, lstm(VARIANTS["none"]), batches, 64, lagged(x), y, samples)
    before = torch.random.get_rng_state()
    one, two = fit(MARKET.fold).state_dict(), fit(MARKET.fold).state_dict()
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert torch.equal(before, torch.random.get_rng_state())


def test_training_reads_training_samples_and_chooses_on_validation(made):
    x, y, samples = made
    fit = partial(fit_windows, lstm(VARIANTS["none"]), "shuffled", 64)
    inputs, fold = lagged(x), MARKET.fold
    base = fit(inputs, y, samples, fold).state_dict()

    def moved(dates):
        changed = y.copy()
        changed.loc[changed.index.get_level_values(0).isin(dates), "target"] *= -1
        other = fit(inputs, changed, samples, fold).state_dict()
        return any(not torch.equal(base[name], other[name]) for name in base)

    assert moved(fold.train_dates)
    assert not moved(fold.test_dates)


def test_scores_by_date_do_not_depend_on_batches_without_batch_statistics(made):
    parts = network_parts(lstm(VARIANTS["none"]))
    data = MARKET.rows(0)
    by_date = parts.forecaster(data, MARKET.fold, Trace())
    other = network_parts(lstm(VARIANTS["none"]), Scoring("symbol", 16))
    by_symbol = other.forecaster(data, MARKET.fold, Trace())
    np.testing.assert_allclose(by_date, by_symbol, atol=1e-6)


def test_training_mode_scores_depend_on_batches_and_eval_mode_scores_do_not():
    data = MARKET.rows(0)
    batch_norm = lstm(VARIANTS["batch_norm_hidden"])
    runs = {
        (mode, kind): network_parts(batch_norm, Scoring(kind, 16, training=mode)).forecaster(
            data, MARKET.fold, Trace()
        )
        for mode in (True, False)
        for kind in ("symbol", "date")
    }
    apart = {
        mode: (runs[mode, "symbol"] - runs[mode, "date"]).abs().max() for mode in (True, False)
    }
    assert apart[True] > 0.01
    assert apart[False] < 1e-6


def test_the_traced_batch_holds_several_dates():
    dates = torch.arange(6).repeat_interleave(4)
    single = list(torch.arange(24).split(4))
    assert len(dates[traced_batch(single, dates)].unique()) == 3
    mixed = [torch.arange(4), torch.arange(4, 24)]
    assert traced_batch(mixed, dates).tolist() == list(range(4, 24))
    assert len(traced_batch([torch.arange(1000)], torch.arange(1000))) <= 96


def test_a_network_is_traced_once_with_its_batch():
    data = MARKET.rows(0)
    trace = Recorder(data)
    network_parts(lstm(VARIANTS["none"])).forecaster(data, MARKET.fold, trace)
    assert len(trace.batches) == 1
    assert len(trace.batches[0].windows) == len(trace.batches[0].dates)


@pytest.mark.parametrize(("kind", "honest"), [("cumulative", True), ("instance", False)])
def test_a_sequence_model_is_causal_only_with_cumulative_statistics(made, kind, honest):
    x, y, samples = made
    fold = MARKET.fold
    model = fit_sequences(lambda f: OverTime(f, kind), x, y, samples, fold)
    test = x.index[x.index.get_level_values(0).isin(fold.test_dates)]
    cut = fold.test_dates[10]
    changed = x.copy()
    changed[changed.index.get_level_values(0) > cut] += 3.0
    one, two = (score_sequences(model, z, test, fold, Trace(), y) for z in (x, changed))
    early = one.index.get_level_values(0) <= cut
    assert np.allclose(one[early], two[early], atol=1e-6) is honest
    assert not np.allclose(one[~early], two[~early], atol=1e-6)


def test_network_parts_keep_the_other_parts():
    parts = network_parts(lstm(VARIANTS["none"]))
    assert parts.features is HONEST.features
    assert parts.windows is lagged
