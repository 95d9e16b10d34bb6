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
from tests.tasks.diagnose.modules import Dated, Layer, Reader, Stepper, built, module_batch, rank
from tests.variants import EVERY_VARIANT

DATES = torch.arange(6).repeat_interleave(3)


def windows(dtype=torch.float64):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(len(DATES), 5, 3, generator=generator, dtype=torch.float64).to(dtype)


def test_the_share_equals_a_hand_calculation():
    """Sample 0 reads the newest one: at each of 4 cuts it turns missing, 1 of 3, 6, 12, 15."""

    def first_reads_last(x):
        out = x.sum((1, 2))
        return torch.cat([out[:1] + out[-1:], out[1:]])

    batch, differences = module_batch(Layer(first_reads_last), windows(), DATES)
    finding = nan_taint(batch, differences)
    assert finding.value == pytest.approx(4 / 36, rel=1e-12)
    assert finding.verdict is Verdict.LEAK
    assert finding.witness.cut == "day 0"
    assert finding.witness.symbol == "sample 0"


def test_later_steps_equal_a_hand_calculation():
    """f_t = x_t + x_{t+1}: after each of 4 cuts one step of 1, 2, 3, 4 turns missing."""
    ahead = Layer(lambda x: x.sum(2) + nn.functional.pad(x.sum(2)[:, 1:], (0, 1)))
    batch, _ = module_batch(ahead, windows(), DATES)
    finding = nan_taint(batch, FiniteDifferences(later=False, steps=True))
    assert finding.value == pytest.approx(18 * 4 / (36 + 18 * 10), rel=1e-12)
    assert finding.verdict is Verdict.LEAK
    assert finding.witness.cut == "step 1 of 5"
    honest, _ = module_batch(built(Stepper), windows(), DATES)
    finding = nan_taint(honest, FiniteDifferences(later=False, steps=False))
    assert (finding.value, finding.verdict) == (0.0, Verdict.CLEAN)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("variant", EVERY_VARIANT)
def test_no_variant_is_tainted_in_eval_mode(variant, dtype):
    network = build(VARIANTS[variant], 3, NetworkSpec(window=5, hidden=6), seed=0)
    finding = nan_taint(*module_batch(network, windows(dtype), DATES))
    assert (finding.value, finding.verdict) == (0.0, Verdict.CLEAN)


def test_batch_norm_is_tainted_in_training_mode():
    finding = nan_taint(*module_batch(Reader(nn.BatchNorm1d(6)), windows(), DATES, training=True))
    assert (finding.value, finding.verdict, finding.counts) == (1.0, Verdict.LEAK, True)


@pytest.mark.parametrize("relation", [torch.eq, torch.gt], ids=["same date", "earlier dates"])
def test_a_multiplying_mask_is_no_leak(relation):
    """0 times NaN is NaN: the honest module is tainted, and finite changes clear it."""
    finding = nan_taint(*module_batch(built(lambda: Dated(relation)), windows(), DATES))
    assert finding.value == 1.0
    assert (finding.verdict, finding.counts) == (Verdict.UNKNOWN, False)
    assert "no finite perturbation of them moves an output" in finding.detail
    assert finding.witness is not None


def test_the_same_taint_is_a_leak_if_perturbations_move_outputs():
    finding = nan_taint(*module_batch(built(lambda: Dated(torch.lt)), windows(), DATES))
    assert finding.verdict is Verdict.LEAK


def test_taint_of_samples_is_not_confirmed_by_steps_or_the_reverse():
    batch, _ = module_batch(built(lambda: Dated(torch.eq)), windows(), DATES)
    assert nan_taint(batch, FiniteDifferences(later=False, steps=None)).verdict is Verdict.UNKNOWN
    by_sample = Layer(lambda x: x.sum(2) - (x.sum(2) * 0).sum(0))
    batch, _ = module_batch(by_sample, windows(), DATES)
    assert nan_taint(batch, FiniteDifferences(later=False, steps=True)).verdict is Verdict.UNKNOWN
    by_step = Layer(lambda x: x.sum(2) - (x.sum(2) * 0).sum(1, keepdim=True))
    batch, _ = module_batch(by_step, windows(), DATES)
    assert nan_taint(batch, FiniteDifferences(later=True, steps=False)).verdict is Verdict.UNKNOWN


def test_a_mean_of_present_values_hides_the_path_and_the_finding_says_so():
    module = built(lambda: Reader(Layer(lambda h: h - h.nanmean(0))))
    batch, differences = module_batch(module, windows(), DATES)
    assert differences.later
    finding = nan_taint(batch, differences)
    assert (finding.value, finding.verdict) == (0.0, Verdict.CLEAN)
    assert "yet perturbing them moves outputs" in finding.detail


@pytest.mark.parametrize("first", [rank, torch.nan_to_num], ids=["rank", "filled"])
def test_modules_that_replace_missing_values_are_unknown(first):
    finding = nan_taint(*module_batch(built(lambda: Reader(first=Layer(first))), windows(), DATES))
    assert (finding.verdict, finding.counts) == (Verdict.UNKNOWN, False)
    assert "NaN leaves no trace" in finding.evidence


def test_one_date_and_a_single_sample():
    dates = torch.zeros(6, dtype=torch.int64)
    honest = nan_taint(*module_batch(built(Reader), windows()[:6], dates))
    assert honest.verdict is Verdict.CLEAN
    coupled = nan_taint(
        *module_batch(Reader(nn.BatchNorm1d(6)), windows()[:6], dates, training=True)
    )
    assert (coupled.verdict, coupled.counts) == (Verdict.UNKNOWN, False)
    assert "all samples are of one date" in coupled.evidence
    single = nan_taint(*module_batch(built(Reader), windows()[:1], dates[:1]))
    assert single.verdict is Verdict.UNKNOWN
