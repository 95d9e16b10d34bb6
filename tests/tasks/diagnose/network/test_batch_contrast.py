"""The composition contrast: size, a planted contrast, honest ones beside it."""

import numpy as np
import pytest
import torch
from scipy.fft import dct
from scipy.stats import t
from torch import nn

from foldproof.tasks.diagnose import Verdict
from foldproof.tasks.diagnose.network.batch_contrast import composition_contrast, contrast_p, cuts
from foldproof.tasks.diagnose.network.scoring import Labels
from tests.tasks.diagnose.modules import Layer, module_batch
from tests.tasks.diagnose.noise_panel import DAYS, SYMBOLS, Contrarian, noise_panel


def labels_of(target, symbols, horizon=1, batch_size=8):
    return Labels.of(target, symbols, horizon, batch_size, len(target))


def test_the_contrast_has_its_size():
    """Compositions that share most of a date's luck, and five-day overlap: 1,000, level 10%."""
    draw = np.random.default_rng(0)
    rejected = 0
    for _ in range(1000):
        noise = np.cumsum(draw.normal(size=(85, 5)), axis=0)
        moved = noise[5:] - noise[:-5]
        rejected += contrast_p(moved[:, :4] + moved[:, 4:], 5) <= 0.1
    assert 0.05 < rejected / 1000 < 0.1 + 3 * np.sqrt(0.09 / 1000)


def test_the_contrast_by_the_t_value_written_out():
    """Three contrasts, of which the last one is largest: three times its one-sided p."""
    draw = np.random.default_rng(1)
    table = draw.normal(size=(60, 4)) + np.array([0, -1, 0.1, 0.5])
    gain = table[:, 3] - table[:, 0]
    waves = dct(gain, type=2, norm="ortho")[1:7]  # 0.41 * 60 ** (2 / 3) = 6.3
    error = np.sqrt((waves**2).mean() / 60)
    assert contrast_p(table, 1) == pytest.approx(3 * t.sf(gain.mean() / error, 6), rel=1e-10)
    assert contrast_p(table[:, [0, 0, 0]], 1) == 1.0


def test_batches_match_their_names():
    windows, dates, symbols, target = noise_panel()
    batch, _ = module_batch(Contrarian(), windows, dates)
    found = cuts(batch, labels_of(target, symbols))
    assert list(found) == ["date", "shuffled", "date_block", "symbol"]
    for batches in found.values():
        assert sorted(torch.cat(batches).tolist()) == list(range(len(windows)))
    assert {len(dates[batch].unique()) for batch in found["date"]} == {1}
    assert {len(dates[batch].unique()) for batch in found["date_block"]} == {5}
    assert {len(symbols[batch].unique()) for batch in found["symbol"]} == {1}
    assert {len(batch) for batch in found["symbol"]} == {8}
    assert "symbol" not in cuts(batch, labels_of(target, None))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_batch_norm_ranks_noise_in_batches_of_one_symbol(seed):
    windows, dates, symbols, target = noise_panel(seed)
    batch, differences = module_batch(Contrarian(), windows, dates, training=True)
    finding = composition_contrast(batch, differences, labels_of(target, symbols))
    assert finding.verdict is Verdict.LEAK
    assert finding.value > 0.15
    assert finding.p_value < 0.01
    assert "symbol +0." in finding.detail
    evaluated, differences = module_batch(Contrarian(), windows, dates)
    finding = composition_contrast(evaluated, differences, labels_of(target, symbols))
    assert (finding.value, finding.p_value, finding.verdict) == (0.0, 1.0, Verdict.CLEAN)
    assert finding.detail == "forecasts are the same whatever other samples are in the batch"


def test_without_symbols_mixed_dates_do_not_rank_noise_better():
    windows, dates, _, target = noise_panel()
    batch, differences = module_batch(Contrarian(), windows, dates, training=True)
    finding = composition_contrast(batch, differences, labels_of(target, None, batch_size=64))
    assert finding.verdict is Verdict.CLEAN
    assert "symbol" not in finding.detail


def test_a_norm_that_needs_the_whole_date_is_no_leak():
    """Centred by date: mixed batches lose the cross-section and rank worse, or the same."""

    class ByDate(nn.Module):
        def forward(self, x, dates):
            same = (dates[:, None] == dates).to(x.dtype)
            market = same @ x[:, -1, 0] / same.sum(1)
            return x[:, -1, 0] - market

    windows, dates, symbols, _ = noise_panel()
    target = windows[:, -1, 0]
    batch, differences = module_batch(ByDate(), windows, dates, training=True)
    finding = composition_contrast(batch, differences, labels_of(target, symbols))
    assert finding.verdict is Verdict.CLEAN
    assert finding.value == 0.0  # blocks of whole dates; the others lose
    assert finding.p_value > 0.5


def test_a_better_rank_without_later_dates_is_no_leak():
    """Worse the more date mates there are, on purpose: mixed batches rank better."""

    class Crowded(nn.Module):
        def forward(self, x, dates):
            mates = (dates[:, None] == dates).sum(1)
            return torch.where(mates > 6, x[:, 0, 0], x[:, -1, 0])

    windows, dates, symbols, _ = noise_panel()
    batch, differences = module_batch(Crowded(), windows, dates, training=True)
    finding = composition_contrast(batch, differences, labels_of(windows[:, -1, 0], symbols))
    assert not differences.later
    assert finding.p_value < 0.01
    assert finding.verdict is Verdict.CLEAN
    assert "no later date moves a forecast" in finding.detail


def test_too_few_dates_are_unknown_and_inform_only():
    windows, dates, symbols, target = noise_panel()
    rows = dates < 9
    batch, differences = module_batch(Contrarian(), windows[rows], dates[rows], training=True)
    finding = composition_contrast(batch, differences, labels_of(target[rows], symbols[rows]))
    assert (finding.verdict, finding.counts) == (Verdict.UNKNOWN, False)
    assert finding.evidence == "9 dates with a rank IC are too few for labels over 1"


def test_outputs_per_step_have_no_rank_ic():
    windows, dates, symbols, target = noise_panel()
    batch, differences = module_batch(Layer(lambda x: x.sum(2)), windows, dates)
    with pytest.raises(ValueError, match="one output per sample"):
        composition_contrast(batch, differences, labels_of(target, symbols))
    assert len(windows) == DAYS * SYMBOLS
