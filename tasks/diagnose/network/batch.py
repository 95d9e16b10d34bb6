"""A module in one mode with the batch that it is tested on, and what finite changes have shown."""

import copy
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from foldproof.tasks.diagnose.findings.catalogue import DIAGNOSTICS
from foldproof.tasks.diagnose.findings.finding import Finding, Verdict
from foldproof.tasks.diagnose.network.calls import fresh_call, run
from foldproof.tasks.diagnose.network.coupling import some

STEPS = 6
"""Steps of a window after which everything is changed."""
DATES = 8
"""Dates that a thinned batch keeps."""
MEMBERS = 32
"""Samples that it keeps of each."""
ONE_DATE = "all samples are of one date: companions of later dates could not be tried"


@dataclass(frozen=True, eq=False)
class TestBatch:
    """A module in one mode, with the batch that it is tested on.

    Attributes:
        module: A copy, dropout off.
        windows: (B, T, F) in the module's precision.
        dates: (B,) int64.
        texts: (B,) the dates for reading.
        seed: Of random numbers within the module and of changes.
        tolerance: LEAK above it, in sd.
        mode: training mode or eval mode.
        counts: Whether it is the mode that the module came in.
        places: Where the samples stand in the batch that was given; nothing where they are all.
    """

    module: nn.Module
    windows: Tensor
    dates: Tensor
    texts: list[str]
    seed: int
    tolerance: float
    mode: str
    counts: bool
    places: tuple[int, ...] = ()

    @property
    def stage(self) -> str:
        """Where its findings belong."""
        return f"network in {self.mode}"

    @property
    def one_date(self) -> bool:
        """Whether no sample is dated later than another."""
        return len(self.dates.unique()) < 2

    def name(self, sample: int) -> str:
        """What a witness calls a sample."""
        return f"sample {self.places[sample] if self.places else sample}"

    def thinned(self) -> "TestBatch":
        """A batch of 8 dates with 32 samples each, evenly spread, where there are more samples."""
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
            places=places,
        )

    def forward(self, windows: Tensor, dates: Tensor) -> Tensor:
        """Outputs of a fresh copy, the random numbers the same each time."""
        return fresh_call(self.module, windows, dates, self.seed)

    def traced(self, windows: Tensor) -> Tensor:
        """Outputs of a fresh copy with their graph; see :func:`~tasks.diagnose.network.gradients`.

        Raises:
            ValueError: They are not finite floating-point numbers.
        """
        outputs = run(copy.deepcopy(self.module), windows, self.dates.clone(), self.seed)
        if not outputs.is_floating_point() or not bool(outputs.isfinite().all()):
            raise ValueError("outputs must be finite floating-point numbers to be differentiated")
        return outputs

    def one_each(self, outputs: Tensor, steps: int = 1) -> Tensor:
        """(B, ...) outputs -> (B, steps): their combination with fixed random weights.

        A combination depends on whatever any of its parts depends on, but for cases of
        probability 0. An output that is single stays as it is.
        """
        parts = outputs.reshape(len(outputs), steps, -1)
        if parts.shape[2] == 1:
            return parts[:, :, 0]
        generator = torch.Generator().manual_seed(self.seed)
        weights = torch.randn(parts.shape[2], generator=generator, dtype=torch.float64)
        return parts @ weights.to(parts)


@dataclass(frozen=True)
class FiniteDifferences:
    """What finite changes of the inputs have shown, which sees more than derivatives do.

    Attributes:
        later: An output moves when samples dated later change.
        steps: A step's output moves when later steps change; None where there is not one a step.
    """

    later: bool
    steps: bool | None = None


def unknown(trial: TestBatch, test: str, reason: str, counts: bool) -> Finding:
    """The answer of ``test`` on a module that it could not test in a mode."""
    entry = DIAGNOSTICS[test]
    return Finding(
        entry.key, trial.stage, Verdict.UNKNOWN, reason, entry.statistic,
        float("nan"), entry.threshold, "nothing", detail=reason, counts=counts,
    )  # fmt: skip
