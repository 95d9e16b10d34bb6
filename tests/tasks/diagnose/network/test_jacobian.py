"""The share of derivatives on later rows: known by hand, 0 where honest, blind where it says so."""

import pytest
import torch
from torch import nn

from foldproof.models.network import build
from foldproof.models.normalizers import VARIANTS
from foldproof.models.spec import NetworkSpec
from foldproof.tasks.diagnose import Verdict
from foldproof.tasks.diagnose.network.batch import FiniteDifferences
from foldproof.tasks.diagnose.network.jacobian import jacobian
from tests.tasks.diagnose.modules import Dated, Layer, Reader, Stepper, built, module_batch, rank
from tests.variants import BATCH, EVERY_VARIANT

DATES = torch.arange(6).repeat_interleave(3)


def windows(dtype=torch.float64, features=3):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(len(DATES), 5, features, generator=generator, dtype=torch.float64).to(dtype)


class Linear(nn.Module):
    """f_i = sum of x_i + c * mean of the sums of samples ``relation`` to i."""

    def __init__(self, c, relation):
        super().__init__()
        self.c, self.relation = c, relation

    def forward(self, x, dates):
        own = x.sum((1, 2))
        related = self.relation(dates.unsqueeze(0), dates.unsqueeze(1)).to(x.dtype)
        return own + self.c * (related @ own) / related.sum(1).clamp_min(1)


@pytest.mark.parametrize("c", [0.5, -2.0])
def test_the_share_equals_a_hand_calculation(c):
    """Rows of the first five dates put |c| on later samples and 1 on their own; the last only 1."""
    batch, differences = module_batch(Linear(c, torch.gt), windows(), DATES)
    finding = jacobian(batch, differences)
    assert finding.value == pytest.approx(15 * abs(c) / (15 * abs(c) + 18), rel=1e-12)
    assert finding.verdict is Verdict.LEAK
    assert finding.ahead == 5
    assert finding.counts


def test_same_or_earlier_dates_are_no_leak():
    for relation in (torch.eq, torch.lt):
        batch, differences = module_batch(Linear(0.5, relation), windows(), DATES)
        finding = jacobian(batch, differences)
        assert (finding.value, finding.verdict) == (0.0, Verdict.CLEAN)


def test_the_witness_is_the_largest_derivative_to_a_later_row():
    def first_reads_last(x):
        out = x.sum((1, 2))
        return torch.cat([out[:1] + 7 * x[-2, 3, 1] + 2 * x[-1, 0, 0], out[1:]])

    batch, differences = module_batch(Layer(first_reads_last), windows(), DATES)
    finding = jacobian(batch, differences)
    assert finding.value == pytest.approx(9 / (18 * 15 + 9), rel=1e-12)
    witness = finding.witness
    assert (witness.date, witness.symbol) == ("day 0", "sample 0")
    assert witness.column == "derivative 7 to sample 16 of day 5, step 4"


def test_later_steps_of_the_own_window_equal_a_hand_calculation():
    """f_t = x_t + x_{t+1}: 4 of 5 steps put half of their derivatives ahead."""
    ahead = Layer(lambda x: x.sum(2) + nn.functional.pad(x.sum(2)[:, 1:], (0, 1)))
    batch, _ = module_batch(ahead, windows(), DATES)
    finding = jacobian(batch, FiniteDifferences(later=False, steps=True))
    assert finding.value == pytest.approx(4 / 9, rel=1e-12)
    assert finding.witness.symbol == "sample 0, step 1"
    assert finding.ahead is None
    assert (
        jacobian(batch, FiniteDifferences(later=False)).verdict is Verdict.CLEAN
    )  # read as one output a sample
    honest, _ = module_batch(built(Stepper), windows(), DATES)
    assert jacobian(honest, FiniteDifferences(later=False, steps=False)).value == 0.0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("variant", EVERY_VARIANT)
def test_every_variant(variant, training, dtype):
    network = build(VARIANTS[variant], 3, NetworkSpec(window=5, hidden=6, dropout=0.2), seed=0)
    batch, differences = module_batch(network, windows(dtype), DATES, training)
    finding = jacobian(batch, differences)
    leaks = training and variant in BATCH
    assert finding.verdict is (Verdict.LEAK if leaks else Verdict.CLEAN)
    assert (finding.value > 0.05) if leaks else (finding.value == 0.0)


@pytest.mark.parametrize(
    "layer", [lambda h: h - h.mean(0).detach(), lambda h: h + rank(h)], ids=["detached", "rank"]
)
def test_paths_without_a_derivative_are_missed_and_the_finding_says_so(layer):
    batch, differences = module_batch(built(lambda: Reader(Layer(layer))), windows(), DATES)
    assert differences.later
    finding = jacobian(batch, differences)
    assert (finding.value, finding.verdict) == (0.0, Verdict.CLEAN)
    assert finding.evidence == "exact"
    assert "perturbing those rows moves outputs" in finding.detail


def test_derivatives_of_rounding_size_are_no_leak_unless_perturbations_move_outputs():
    mixed = torch.linalg.qr(
        torch.randn(18, 18, generator=torch.Generator().manual_seed(0)).double()
    )
    there = mixed.Q.contiguous()
    module = Layer(lambda x: there.T @ (there @ x.sum((1, 2))))  # there and back: the identity
    batch, differences = module_batch(module, windows(), DATES)
    finding = jacobian(batch, differences)
    assert 0 < finding.value < finding.threshold
    assert finding.verdict is Verdict.CLEAN
    assert jacobian(batch, FiniteDifferences(later=True)).verdict is Verdict.LEAK


def test_one_date_can_only_prove_that_samples_are_not_coupled():
    dates = torch.zeros(6, dtype=torch.int64)
    honest, differences = module_batch(built(Reader), windows()[:6], dates)
    assert jacobian(honest, differences).verdict is Verdict.CLEAN
    coupled, differences = module_batch(Linear(1.0, torch.eq), windows()[:6], dates)
    finding = jacobian(coupled, differences)
    assert (finding.verdict, finding.counts) == (Verdict.UNKNOWN, False)
    assert "all samples are of one date" in finding.evidence


def test_a_single_sample():
    batch, differences = module_batch(built(Reader), windows()[:1], DATES[:1])
    assert jacobian(batch, differences).verdict is Verdict.CLEAN


def test_without_any_derivative_it_is_unknown():
    batch, differences = module_batch(Layer(lambda x: x.detach().sum((1, 2))), windows(), DATES)
    finding = jacobian(batch, differences)
    assert (finding.verdict, finding.counts) == (Verdict.UNKNOWN, False)
    assert finding.evidence == "the outputs have no derivative"


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: x.sum((1, 2)) / 0, "outputs must be finite"),
        (lambda x: (x * 0).sum((1, 2)).sqrt(), "derivatives are not finite"),
    ],
)
def test_values_that_are_not_finite_are_refused(function, message):
    batch, differences = module_batch(Layer(function), windows(), DATES)
    with pytest.raises(ValueError, match=message):
        jacobian(batch, differences)


def test_the_combination_of_several_outputs_depends_on_each():
    two = Layer(lambda x: torch.stack([x.sum((1, 2)), x.sum((1, 2)).flip(0)], dim=1))
    batch, differences = module_batch(two, windows(), DATES)
    assert jacobian(batch, differences).verdict is Verdict.LEAK
    dated, differences = module_batch(built(lambda: Dated(torch.eq)), windows(), DATES)
    assert jacobian(dated, differences).value == 0.0
