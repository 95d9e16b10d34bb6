"""Probes of the network: coupling between samples, later dates, later steps of a window."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from foldproof.models.network import Forecaster
from foldproof.tasks.diagnose.certify.measurement import Measurement, compared, size_text, yes
from foldproof.tasks.diagnose.certify.panel import TEST
from foldproof.tasks.diagnose.certify.subject import Subject
from foldproof.tasks.diagnose.network import calls
from foldproof.tasks.diagnose.network.batch import STEPS
from foldproof.tasks.diagnose.network.composition import ORDER
from foldproof.tasks.diagnose.network.coupling import Probe, worst
from foldproof.tasks.train.inputs import tensors

PROBED_ROW, PROBED_SYMBOL = TEST.start + 60, 3
"""The cells that the probe of the input normalizer changes."""


def coupling_probe(training: bool) -> Callable[[Subject], Measurement]:
    """The samples that share statistics with a sample: none, those of its date, or the batch."""

    def probe(subject: Subject) -> Measurement:
        """The stronger of the coupling in the network and in the input normalizer."""
        found, tolerance = subject.couplings[training]
        kinds = found.kind(tolerance), input_coupling(subject)
        variant = subject.variant
        claim = variant.training_coupling if training else variant.coupling
        size = max(found.ahead.size, found.earlier.size, found.same.size, found.composition.size)
        detail = f"in the network {kinds[0]} ({size:.2g} sd), in the input normalizer {kinds[1]}"
        return compared(claim, max(kinds, key=ORDER.index), size, detail)

    return probe


def input_coupling(subject: Subject) -> str:
    """none, or date if the cells of one symbol move normalized cells of another.

    The fitted statistics stay as they are: training rows are known to everyone.
    """
    normalizer = subject.variant.input
    if normalizer is None:
        return "none"
    values, member = tensors(subject.panel)
    member[PROBED_ROW] = True
    steps = torch.arange(len(subject.panel.symbols), dtype=values.dtype)
    # a power of its own for each feature, so that no feature is explained by others
    ladder = steps.unsqueeze(1) ** (1 + torch.arange(values.shape[-1]) / 2)
    values[PROBED_ROW] = ladder
    state = {name: torch.from_numpy(array) for name, array in subject.trained.statistics.items()}
    before = normalizer.apply(values, member, state).values
    values[PROBED_ROW, PROBED_SYMBOL] = 2 * ladder[-1] + 1  # from the middle to the top
    after = normalizer.apply(values, member, state).values
    moved = ~torch.isclose(before, after, rtol=0, atol=0, equal_nan=True)
    moved[:, PROBED_SYMBOL] = False
    return "date" if moved.any() else "none"


def later_dates_probe(training: bool) -> Callable[[Subject], Measurement]:
    """The largest move of a forecast when the samples of its batch with later dates change."""

    def probe(subject: Subject) -> Measurement:
        """In sd of the forecasts; statistics of the batch may move forecasts in training."""
        found, tolerance = subject.couplings[training]
        variant, size = subject.variant, found.ahead.size
        allowed = variant.training_coupling == "batch" if training else not variant.causal
        measured = size_text(size, tolerance)
        return compared("" if allowed else "none", measured, size, "largest move of a forecast")

    return probe


class StepStates(nn.Module):
    """The LSTM's state at each step of the normalized windows, without the hidden normalizer."""

    def __init__(self, network: Forecaster) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor, dates: Tensor) -> Tensor:
        """(B, T, F) windows -> (B, T, H)."""
        return self.network.states(x)


def steps_probe(training: bool) -> Callable[[Subject], Measurement]:
    """Whether the state after a step of a window depends on no later step."""

    def probe(subject: Subject) -> Measurement:
        """Later steps of all windows of the batch are perturbed."""
        samples, windows = subject.batch
        dates, values, seed = windows.date(samples), windows.gather(samples), subject.seed
        states = StepStates(subject.network)
        module, values, tolerance = calls.precise(states, values, dates, seed)
        calls.dropout_off(module).train(training)
        batch = Probe.of(lambda x, d: calls.fresh_call(module, x, d, seed), values, dates, seed)
        size = worst(list(batch.later_steps(STEPS))).size
        variant = subject.variant
        free = training and (variant.training_coupling == "batch" or not variant.causal_steps)
        claim = "" if free else yes(variant.causal_steps)
        return compared(claim, yes(size <= tolerance), size, "largest move of a step's state [sd]")

    return probe
