"""The training-mode gap: its error against statsmodels, its size under overlap, a planted gap."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.signal import lfilter
from statsmodels.api import OLS
from torch import nn

from foldproof.tasks.diagnose import Verdict
from foldproof.tasks.diagnose.network.mode_gap import above_zero, mode_gap, newey_west_t
from foldproof.tasks.diagnose.network.scoring import Labels
from tests.tasks.diagnose.modules import Layer, module_batch
from tests.tasks.diagnose.noise_panel import Contrarian, noise_panel


@pytest.mark.parametrize("horizon", [1, 5, 40])
def test_the_t_value_equals_statsmodels(horizon):
    daily = np.random.default_rng(0).normal(0.1, 1, (3, 30))
    lags = {"maxlags": min(2 * horizon, 29), "use_correction": False}
    fits = [OLS(row, np.ones(30)).fit(cov_type="HAC", cov_kwds=lags) for row in daily]
    expected = [float(fit.tvalues[0]) for fit in fits]
    np.testing.assert_allclose(newey_west_t(daily, horizon), expected, rtol=1e-9)


@pytest.mark.parametrize(("dates", "horizon"), [(60, 1), (60, 5), (40, 10)])
def test_the_test_keeps_its_level_under_overlap(dates, horizon):
    """Gaps whose dependence is that of labels over ``horizon`` days: 400 of them, level 5%.

    Held against draws that do not overlap, the last would be rejected in 10% of the cases.
    """
    draws = np.random.default_rng(1).standard_normal((400, dates + horizon))
    null = lfilter(np.ones(horizon), 1, draws, axis=1)[:, horizon:]
    rate = np.mean([above_zero(one, horizon, seed) <= 0.05 for seed, one in enumerate(null)])
    assert abs(rate - 0.05) < 3 * np.sqrt(0.05 * 0.95 / 400)


def test_a_positive_gap_is_significant_and_a_negative_one_is_not():
    daily = np.random.default_rng(2).normal(0.1, 0.2, 60)
    assert above_zero(daily, 1, 0) < 0.01
    assert above_zero(-daily, 1, 0) > 0.99
    assert above_zero(0 * daily, 1, 0) == 1.0
    assert above_zero(np.full(60, 0.1), 1, 0) == 1 / 2000


def labels_of(target, horizon=1, batch_size=8):
    return Labels.of(target, None, horizon, batch_size, len(target))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_batch_norm_in_training_mode_ranks_pure_noise(seed):
    windows, dates, _, target = noise_panel(seed)
    batch, differences = module_batch(Contrarian(), windows, dates, training=True)
    finding = mode_gap(batch, differences, labels_of(target))
    assert finding.verdict is Verdict.LEAK
    assert finding.value > 0.15
    assert finding.p_value < 0.01
    assert finding.counts
    informs = mode_gap(replace(batch, counts=False), differences, labels_of(target))
    assert (informs.verdict, informs.counts) == (Verdict.LEAK, False)


def test_there_is_no_gap_in_shuffled_batches():
    windows, dates, _, target = noise_panel()
    order = torch.randperm(len(windows), generator=torch.Generator().manual_seed(0))
    batch, differences = module_batch(Contrarian(), windows[order], dates[order], training=True)
    finding = mode_gap(batch, differences, labels_of(target[order], batch_size=32))
    assert differences.later
    assert finding.verdict is Verdict.CLEAN
    assert finding.detail == "training mode ranks no better"


def test_honest_norms_rank_alike_in_both_modes():
    windows, dates, _, target = noise_panel()
    batch, differences = module_batch(Contrarian(nn.LayerNorm(4)), windows, dates, training=True)
    finding = mode_gap(batch, differences, labels_of(target))
    assert (finding.value, finding.p_value, finding.verdict) == (0.0, 1.0, Verdict.CLEAN)
    assert finding.detail == "both modes rank alike"


def test_stale_running_statistics_are_no_leak():
    """Training mode reads the target off the window, eval mode does not: no later date in it."""

    class Skewed(nn.Module):
        def forward(self, x):
            return x[:, -1, 0] if self.training else x[:, 0, 0]

    windows, dates, _, _ = noise_panel()
    batch, differences = module_batch(Skewed(), windows, dates, training=True)
    finding = mode_gap(batch, differences, labels_of(windows[:, -1, 0]))
    assert finding.p_value < 0.01
    assert finding.verdict is Verdict.CLEAN
    assert "no later date moves a forecast" in finding.detail


def test_too_few_dates_or_names_are_unknown_and_inform_only():
    windows, dates, _, target = noise_panel()
    few = dates < 9
    for rows, horizon in ((few, 1), (dates < 30, 8), (torch.arange(len(dates)) < 80, 1)):
        batch, differences = module_batch(Contrarian(), windows[rows], dates[rows], training=True)
        finding = mode_gap(batch, differences, labels_of(target[rows], horizon))
        assert (finding.verdict, finding.counts, finding.p_value) == (Verdict.UNKNOWN, False, None)
        assert "too few" in finding.evidence


def test_outputs_per_step_have_no_rank_ic():
    windows, dates, _, target = noise_panel()
    batch, differences = module_batch(Layer(lambda x: x.sum(2)), windows, dates, training=True)
    with pytest.raises(ValueError, match="one output per sample"):
        mode_gap(batch, differences, labels_of(target))
