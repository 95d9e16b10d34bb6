"""Missing later rows: the share by hand, and where taint is blind or mistaken."""

import pytest
import torch
from torch import nn

from foldproof.models.network import build
from foldproof.models.normalizers import VARIANTS
from foldproof.models.spec import NetworkSpec
from foldproof.tasks.diagnose import Verdict
from foldproof.tasks.diagnose.network.batch import FiniteDifferences
from foldproof.tasks.diagnose.network.nan_taint import nan_taint
from tests.tasks.diagnose.modules import Dated, Layer, Reader, Stepper, built, rank, trial

DATES = torch.arange(6).repeat_interleave(3)


def windows(dtype=torch.float64):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(len(DATES), 5, 3, generator=generator, dtype=torch.float64).to(dtype)


def test_the_share_by_hand():
    """Sample 0 reads the newest one: at each of 4 cuts it turns missing, 1 of 3, 6, 12, 15."""

    def first_reads_last(x):
        out = x.sum((1, 2))
        return torch.cat([out[:1] + out[-1:], out[1:]])

    one, felt = trial(Layer(first_reads_last), windows(), DATES)
    finding = nan_taint(one, felt)
    assert finding.value == pytest.approx(4 / 36, rel=1e-12)
    assert finding.verdict is Verdict.LEAK
    assert finding.witness.cut == "day 0"
    assert finding.witness.symbol == "sample 0"


def test_later_steps_by_hand():
    """f_t = x_t + x_{t+1}: after each of 4 cuts one step of 1, 2, 3, 4 turns missing."""
    ahead = Layer(lambda x: x.sum(2) + nn.functional.pad(x.sum(2)[:, 1:], (0, 1)))
    one, _ = trial(ahead, windows(), DATES)
    finding = nan_taint(one, FiniteDifferences(later=False, steps=True))
    assert finding.value == pytest.approx(18 * 4 / (36 + 18 * 10), rel=1e-12)
    assert finding.verdict is Verdict.LEAK
    assert finding.witness.cut == "step 1 of 5"
    honest, _ = trial(built(Stepper), windows(), DATES)
    finding = nan_taint(honest, FiniteDifferences(later=False, steps=False))
    assert (finding.value, finding.verdict) == (0.0, Verdict.CLEAN)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("variant", VARIANTS)
def test_no_variant_is_tainted_in_eval_mode(variant, dtype):
    network = build(VARIANTS[variant], 3, NetworkSpec(window=5, hidden=6), seed=0)
    finding = nan_taint(*trial(network, windows(dtype), DATES))
    assert (finding.value, finding.verdict) == (0.0, Verdict.CLEAN)


def test_batch_norm_is_tainted_in_training_mode():
    finding = nan_taint(*trial(Reader(nn.BatchNorm1d(6)), windows(), DATES, training=True))
    assert (finding.value, finding.verdict, finding.counts) == (1.0, Verdict.LEAK, True)


@pytest.mark.parametrize("relation", [torch.eq, torch.gt], ids=["same date", "earlier dates"])
def test_a_mask_that_multiplies_is_not_called_a_leak(relation):
    """0 times NaN is NaN: the honest module is tainted, and finite changes clear it."""
    finding = nan_taint(*trial(built(lambda: Dated(relation)), windows(), DATES))
    assert finding.value == 1.0
    assert (finding.verdict, finding.counts) == (Verdict.UNKNOWN, False)
    assert "no finite change of them is felt" in finding.detail
    assert finding.witness is not None


def test_the_same_taint_is_a_leak_where_changes_are_felt():
    finding = nan_taint(*trial(built(lambda: Dated(torch.lt)), windows(), DATES))
    assert finding.verdict is Verdict.LEAK


def test_taint_of_samples_is_not_confirmed_by_what_steps_show():
    one, _ = trial(built(lambda: Dated(torch.eq)), windows(), DATES)
    assert nan_taint(one, FiniteDifferences(later=False, steps=None)).verdict is Verdict.UNKNOWN
    by_sample = Layer(lambda x: x.sum(2) - (x.sum(2) * 0).sum(0))
    one, _ = trial(by_sample, windows(), DATES)
    assert nan_taint(one, FiniteDifferences(later=False, steps=True)).verdict is Verdict.UNKNOWN
    by_step = Layer(lambda x: x.sum(2) - (x.sum(2) * 0).sum(1, keepdim=True))
    one, _ = trial(by_step, windows(), DATES)
    assert nan_taint(one, FiniteDifferences(later=True, steps=False)).verdict is Verdict.UNKNOWN


def test_a_mean_of_what_is_not_missing_leaves_no_trace_and_that_is_said():
    module = built(lambda: Reader(Layer(lambda h: h - h.nanmean(0))))
    one, felt = trial(module, windows(), DATES)
    assert felt.later
    finding = nan_taint(one, felt)
    assert (finding.value, finding.verdict) == (0.0, Verdict.CLEAN)
    assert "yet changes of them are felt" in finding.detail


@pytest.mark.parametrize("first", [rank, torch.nan_to_num], ids=["rank", "filled"])
def test_modules_that_make_numbers_of_missing_values_are_unknown(first):
    finding = nan_taint(*trial(built(lambda: Reader(first=Layer(first))), windows(), DATES))
    assert (finding.verdict, finding.counts) == (Verdict.UNKNOWN, False)
    assert "NaN leaves no trace" in finding.evidence


def test_one_date_and_a_single_sample():
    dates = torch.zeros(6, dtype=torch.int64)
    honest = nan_taint(*trial(built(Reader), windows()[:6], dates))
    assert honest.verdict is Verdict.CLEAN
    coupled = nan_taint(*trial(Reader(nn.BatchNorm1d(6)), windows()[:6], dates, training=True))
    assert (coupled.verdict, coupled.counts) == (Verdict.UNKNOWN, False)
    assert "all samples are of one date" in coupled.evidence
    single = nan_taint(*trial(built(Reader), windows()[:1], dates[:1]))
    assert single.verdict is Verdict.UNKNOWN
