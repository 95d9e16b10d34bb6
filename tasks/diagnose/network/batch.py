"""A module in one mode with the batch it is tested on, and the results of finite perturbations."""

import copy
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from foldproof.tasks.diagnose.findings.catalogue import DIAGNOSTICS
from foldproof.tasks.diagnose.findings.finding import Finding, Verdict
from foldproof.tasks.diagnose.findings.verdicts import statistical_finding
from foldproof.tasks.diagnose.network.calls import fresh_call, run
from foldproof.tasks.diagnose.network.coupling import some

STEPS = 6
"""Steps of a window after which all later steps are perturbed."""
DATES = 8
"""Dates kept in a thinned batch."""
MEMBERS = 32
"""Samples kept of each of these dates."""
ONE_DATE = "all samples are of one date, so companions of later dates could not be perturbed"


@dataclass(frozen=True, eq=False)
class TestBatch:
    """A module in one mode, with the batch it is tested on.

    Attributes:
        module: A copy with dropout off.
        windows: (B, T, F) in the module's precision.
        dates: (B,) int64.
        texts: (B,) the dates as text.
        seed: Seed of random numbers within the module and of perturbations.
        tolerance: LEAK above this value, in sd.
        mode: training mode or eval mode.
        counts: Whether the module was given in this mode; the other mode informs only.
        symbols: (B,) the symbol of each sample as text; empty where unknown.
        places: Positions of the samples in the original batch; empty where none was dropped.
    """

    module: nn.Module
    windows: Tensor
    dates: Tensor
    texts: list[str]
    seed: int
    tolerance: float
    mode: str
    counts: bool
    symbols: tuple[str, ...] = ()
    places: tuple[int, ...] = ()

    @property
    def stage(self) -> str:
        """Stage of the findings on this batch."""
        return f"network in {self.mode}"

    @property
    def one_date(self) -> bool:
        """Whether no sample is dated later than another."""
        return len(self.dates.unique()) < 2

    def name(self, sample: int) -> str:
        """Name of a sample in a witness: its symbol, or its position in the original batch."""
        if self.symbols:
            return self.symbols[sample]
        return f"sample {self.places[sample] if self.places else sample}"

    def thinned(self) -> "TestBatch":
        """The batch cut to 8 evenly spread dates of 32 samples each, if it is larger."""
        if len(self.dates) <= DATES * MEMBERS:
            return self
        days = some(self.dates.unique(), DATES)
        kept = [some(torch.nonzero(self.dates == day).flatten(), MEMBERS) for day in days]
        chosen = torch.cat(kept).sort().values
        places = tuple(chosen.tolist())
        return replace(
            self,
            windows=self.windows[chosen],
            dates=self.dates[chosen],
            texts=[self.texts[place] for place in places],
            symbols=tuple(self.symbols[place] for place in places) if self.symbols else (),
            places=places,
        )

    def forward(self, windows: Tensor, dates: Tensor) -> Tensor:
        """Outputs of a fresh copy, with the same random numbers on every call."""
        return fresh_call(self.module, windows, dates, self.seed)

    def traced(self, windows: Tensor) -> Tensor:
        """Outputs of a fresh copy with their autograd graph.

        Call it within :func:`~foldproof.tasks.diagnose.network.calls.gradients`.

        Raises:
            ValueError: The outputs are not finite floating-point numbers.
        """
        outputs = run(copy.deepcopy(self.module), windows, self.dates.clone(), self.seed)
        if not outputs.is_floating_point() or not bool(outputs.isfinite().all()):
            raise ValueError("outputs must be finite floating-point numbers to be differentiated")
        return outputs

    def one_each(self, outputs: Tensor, steps: int = 1) -> Tensor:
        """Combine (B, ...) outputs into (B, steps) with fixed random weights.

        The combination depends on whatever any of its parts depends on, except with probability 0.
        A single output is returned unchanged.
        """
        parts = outputs.reshape(len(outputs), steps, -1)
        if parts.shape[2] == 1:
            return parts[:, :, 0]
        generator = torch.Generator().manual_seed(self.seed)
        weights = torch.randn(parts.shape[2], generator=generator, dtype=torch.float64)
        return parts @ weights.to(parts)


@dataclass(frozen=True)
class FiniteDifferences:
    """Results of finite perturbations, which also detect paths without a derivative.

    Attributes:
        later: An output moves when samples dated later are perturbed.
        steps: A step's output moves when later steps are perturbed; None unless outputs are one
            per step.
    """

    later: bool
    steps: bool | None = None

    @property
    def any(self) -> bool:
        """Whether perturbing any later row moves an output."""
        return self.later or bool(self.steps)


def rank_ic_finding(
    batch: TestBatch, test: str, value: float, p: float, later: bool, tested: str, detail: str
) -> Finding:
    """The finding on a gain in rank IC: a LEAK only if later dates move forecasts (``later``)."""
    level = DIAGNOSTICS[test].threshold
    finding = statistical_finding(test, batch.stage, value, p, level, tested, detail)
    verdict = finding.verdict if later else Verdict.CLEAN
    return replace(finding, verdict=verdict, counts=batch.counts)
