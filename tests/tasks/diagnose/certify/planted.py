"""Variants of which one claim is false, or one promise is broken: each for one probe."""

from dataclasses import dataclass

import torch

from foldproof.models.normalizers import HiddenNormalizer, Scaled, Variant, WindowNormalizer
from foldproof.models.normalizers.cross_section import CrossSectionZScore
from foldproof.models.normalizers.hidden import HiddenBatchNorm, HiddenLayerNorm
from foldproof.models.normalizers.history import ExpandingZScore
from foldproof.models.normalizers.pooled import FullSampleZScore, ZScore
from foldproof.models.normalizers.window import InstanceNorm


class BatchMean(HiddenNormalizer):
    """Subtracts the mean of whoever shares the pass, scoring included."""

    def __init__(self, size):
        super().__init__()

    def forward(self, hidden, dates):
        return hidden - hidden.mean(0).detach()


class DetachedInstanceNorm(WindowNormalizer):
    """Instance norm whose statistics have no gradient."""

    def __init__(self, n_features):
        super().__init__()

    def forward(self, x):
        spread, mean = torch.std_mean(x.detach(), dim=1, correction=0, keepdim=True)
        return (x - mean) / (spread + 1e-3), ()


class Ranked(HiddenNormalizer):
    """Ranks of the units, which have no derivative."""

    def __init__(self, size):
        super().__init__()

    def forward(self, hidden, dates):
        return hidden.argsort(1).argsort(1).to(hidden.dtype)


class MovingBuffer(HiddenNormalizer):
    """Counts passes in a buffer, scoring included."""

    def __init__(self, size):
        super().__init__()
        self.register_buffer("passes", torch.zeros(()))

    def forward(self, hidden, dates):
        self.passes += 1
        return hidden


class DrawnWeights(HiddenNormalizer):
    """Random weights that are not parameters, so no file has them."""

    def __init__(self, size):
        super().__init__()
        self.drawn = torch.rand(size) + 0.5

    def forward(self, hidden, dates):
        return hidden * self.drawn.to(hidden.dtype)


class Counting(HiddenNormalizer):
    """Grows with each training pass by a count that is not a buffer: a rebuilt network lacks it."""

    def __init__(self, size):
        super().__init__()
        self.passes = 0

    def forward(self, hidden, dates):
        self.passes += self.training
        return hidden * (1 + 0.01 * self.passes)


@dataclass(frozen=True)
class Unguarded(ZScore):
    """A z-score that divides by a standard deviation of 0."""

    def apply(self, values, member, state):
        slope = (1 / state["spread"]).to(values.dtype)
        return Scaled((values - state["center"].to(values.dtype)) * slope, slope)


class WrongAxis(CrossSectionZScore):
    """A cross-sectional z-score that claims to read one symbol at a time."""

    independent = "symbols"


def planted(**claims):
    return Variant("planted", "planted", "test", **({"input": ZScore()} | claims))


READS_ALL_ROWS = planted(input=FullSampleZScore())
DENIES_DATE = planted(input=CrossSectionZScore())
DENIES_BATCH = planted(hidden=HiddenBatchNorm)
CLAIMS_TOO_MUCH = planted(hidden=HiddenLayerNorm, coupling="date", training_coupling="date")
MIXES_DATES = planted(hidden=BatchMean, training_coupling="batch")
DENIES_STEPS = planted(window=InstanceNorm)
HARMLESS_CONTROL = planted(causal=False, control=True)
WRONG_AXIS = planted(input=WrongAxis(), coupling="date", training_coupling="date")
DETACHED = planted(window=DetachedInstanceNorm, causal_steps=False)
NO_DERIVATIVE = planted(hidden=Ranked)
NEVER_FORGETS = planted(input=ExpandingZScore())
MOVES_A_BUFFER = planted(hidden=MovingBuffer)
DRAWS_WEIGHTS = planted(hidden=DrawnWeights)
FORGETS = planted(hidden=Counting)
UNGUARDED = planted(input=Unguarded())


@dataclass(frozen=True)
class AllMissing(ZScore):
    """No value is left to train on."""

    def apply(self, values, member, state):
        return Scaled(values * torch.nan, torch.ones(()))


UNTRAINABLE = planted(input=AllMissing())
