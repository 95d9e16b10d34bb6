"""The training-mode gap: size under dependence, a planted gap."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.signal import lfilter
from torch import nn

from foldproof.tasks.diagnose import Verdict
from foldproof.tasks.diagnose.network.mode_gap import above_zero, mode_gap
from foldproof.tasks.diagnose.network.scoring import Labels
from tests.tasks.diagnose.modules import Layer, module_batch
from tests.tasks.diagnose.noise_panel import Contrarian, noise_panel


@pytest.mark.parametrize(("dates", "horizon"), [(60, 1), (60, 5), (40, 10)])
@pytest.mark.parametrize("level", [0.05, 0.01])
def test_the_size_of_the_test_under_overlap(dates, horizon, level):
    """Gaps whose dependence is that of labels over ``horizon`` days: 2,000 of them."""
    draws = np.random.default_rng(1).standard_normal((2000, dates + horizon))
    null = lfilter(np.ones(horizon), 1, draws, axis=1)[:, horizon:]
    rate = np.mean([above_zero(one, horizon) <= level for one in null])
    assert abs(rate - level) < 3 * np.sqrt(level * (1 - level) / 2000)


def test_the_size_of_the_test_under_autocorrelation():
    """Daily gaps that persist, as those of lagging running statistics do: 2,000 of 80 dates."""
    draws = np.random.default_rng(2).standard_normal((2000, 130))
    null = lfilter([1], [1, -0.5], draws, axis=1)[:, 50:]
    rate = np.mean([above_zero(one, 1) <= 0.05 for one in null])
    assert rate < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 2000)


def test_a_positive_gap_is_significant_and_a_negative_one_is_not():
    daily = np.random.default_rng(2).normal(0.1, 0.2, 60)
    assert above_zero(daily, 1) < 0.01
    assert above_zero(-daily, 1) > 0.99
    assert above_zero(0 * daily, 1) == 1.0
    assert above_zero(np.full(60, 0.1), 1) < 1e-50


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
    assert finding.detail == "both modes rank equally well"


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
