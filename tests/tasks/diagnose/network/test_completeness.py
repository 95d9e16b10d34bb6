"""The completeness split: captum's batch gradient, and later dates on their own."""

import pytest
import torch
from captum.attr import IntegratedGradients
from torch import nn

from foldproof.models.network import build
from foldproof.models.normalizers import VARIANTS
from foldproof.models.spec import NetworkSpec
from foldproof.tasks.diagnose import Verdict
from foldproof.tasks.diagnose.network.completeness import (
    attributions_of_sum,
    completeness_split,
    elsewhere,
    refined,
)
from tests.tasks.diagnose.modules import Dated, Layer, Reader, built, module_batch, rank
from tests.variants import BATCH, EVERY_VARIANT, STEEP

DATES = torch.arange(6).repeat_interleave(3)


def windows(dtype=torch.float64):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(len(DATES), 5, 3, generator=generator, dtype=torch.float64).to(dtype)


def test_the_gaps_of_a_batch_mean_equal_a_hand_calculation():
    """f_i = s_i - mean s: attributions of the sum are 0, so a sample's gap is its own change."""
    x = windows()
    batch, differences = module_batch(
        Layer(lambda x: x.sum((1, 2)) - x.sum((1, 2)).mean()), x, DATES
    )
    start = elsewhere(x, 0)
    change = (x - start).sum((1, 2))
    change = change - change.mean()
    split = refined(batch, start, 1.0, 1e-6)
    assert split.own == pytest.approx(float(change.abs().max()), rel=1e-10)
    assert split.whole == pytest.approx(0.0, abs=1e-12)
    finding = completeness_split(batch, differences)
    later = [(x - start)[DATES.gt(cut)].sum() / 18 for cut in (0, 1, 3, 4)]  # four cuts of five
    expected = max(abs(float(move)) for move in later) / float(change.abs().mean())
    assert finding.value == pytest.approx(expected, rel=1e-10)
    assert finding.verdict is Verdict.LEAK
    assert "samples share statistics" in finding.detail
    assert "through derivatives" in finding.detail


def test_attributions_of_the_batch_equal_captum():
    """Oracle: one point of the path per forward, the whole batch in it, the gradient summed."""
    x = windows()
    batch, _ = module_batch(built(lambda: Reader(nn.BatchNorm1d(6))), x, DATES, training=True)
    start = elsewhere(x, 0)
    ours = attributions_of_sum(batch, start, torch.ones(18, dtype=torch.bool), 20)
    oracle = IntegratedGradients(lambda points: batch.traced(points))
    theirs = oracle.attribute(x, start, n_steps=20, internal_batch_size=18)
    torch.testing.assert_close(ours, theirs.flatten(1).sum(1).detach(), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("variant", EVERY_VARIANT)
def test_every_variant(variant, training, dtype):
    network = build(VARIANTS[variant], 3, NetworkSpec(window=5, hidden=6, dropout=0.2), seed=0)
    x = (0.05 * windows(dtype)).exp() if variant in STEEP else windows(dtype)
    finding = completeness_split(*module_batch(network, x, DATES, training))
    leaks = training and variant in BATCH
    assert finding.verdict is (Verdict.LEAK if leaks else Verdict.CLEAN)
    assert (finding.value > 0.1) if leaks else (finding.value == 0.0)
    shared = leaks or variant == "batch_norm_date" or (training and variant == "causal_batch_norm")
    said = "samples share statistics" if shared else "explained by its own window"
    if VARIANTS[variant].kinks:  # the quadrature may not resolve it
        said = ""
    assert said in finding.detail


@pytest.mark.parametrize("relation", [torch.eq, torch.gt], ids=["same date", "earlier dates"])
def test_coupling_to_known_dates_is_no_look_ahead(relation):
    finding = completeness_split(*module_batch(built(lambda: Dated(relation)), windows(), DATES))
    assert (finding.value, finding.verdict) == (0.0, Verdict.CLEAN)
    assert "samples share statistics" in finding.detail
    assert "not look-ahead" in finding.detail


def test_a_detached_batch_mean_is_a_leak_beyond_derivatives():
    module = built(lambda: Reader(Layer(lambda h: h - h.mean(0).detach())))
    finding = completeness_split(*module_batch(module, windows(), DATES))
    assert finding.verdict is Verdict.LEAK
    assert "something is detached" in finding.detail
    assert "beyond derivatives" in finding.detail
    assert finding.witness.before != finding.witness.after


def test_a_detached_statistic_of_the_own_window_is_no_leak():
    first = Layer(
        lambda x: (x - x.mean(1, keepdim=True).detach()) / x.std(1, keepdim=True).detach()
    )
    finding = completeness_split(
        *module_batch(built(lambda: Reader(first=first)), windows(), DATES)
    )
    assert (finding.value, finding.verdict) == (0.0, Verdict.CLEAN)
    assert "something is detached" in finding.detail
    assert "not look-ahead" in finding.detail


def test_kinks_are_not_reported_as_detached_statistics():
    network = built(
        lambda: nn.Sequential(nn.Flatten(), nn.Linear(15, 40), nn.ReLU(), nn.Linear(40, 1))
    )
    finding = completeness_split(*module_batch(network, windows(), DATES))
    assert (finding.value, finding.verdict) == (0.0, Verdict.CLEAN)
    assert "which has kinks" in finding.detail


def test_one_date_and_a_single_sample():
    dates = torch.zeros(6, dtype=torch.int64)
    honest = completeness_split(*module_batch(built(Reader), windows()[:6], dates))
    assert honest.verdict is Verdict.CLEAN
    assert honest.value < 1e-6
    coupled = completeness_split(
        *module_batch(built(lambda: Reader(nn.BatchNorm1d(6))), windows()[:6], dates, training=True)
    )
    assert (coupled.verdict, coupled.counts) == (Verdict.UNKNOWN, False)
    assert "all samples are of one date" in coupled.evidence
    assert completeness_split(*module_batch(built(Reader), windows()[:1], dates[:1])).verdict is (
        Verdict.CLEAN
    )


def test_the_path_never_starts_at_an_affine_image_of_the_data():
    """Windows drawn from seed 0, the seed of the audit: batch norm would take the change out."""
    x = torch.randn(18, 5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    batch, differences = module_batch(
        build(VARIANTS["batch_norm"], 3, NetworkSpec(window=5), 0), x, DATES, True
    )
    assert completeness_split(batch, differences).value < 100


def test_a_constant_output_is_unknown_and_one_without_derivative_is_refused():
    constant, differences = module_batch(Layer(lambda x: 0 * x.sum((1, 2))), windows(), DATES)
    assert completeness_split(constant, differences).verdict is Verdict.UNKNOWN
    ranked, differences = module_batch(built(lambda: Reader(first=Layer(rank))), windows(), DATES)
    with pytest.raises(ValueError, match="does not depend on the inputs through the autograd"):
        completeness_split(ranked, differences)
    with pytest.raises(ValueError, match="must be floating-point"):
        elsewhere(windows().long(), 0)
