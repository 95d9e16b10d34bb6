"""The input and the result of an attribution method, in one form for all methods."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Generator, Tensor

from foldproof.tasks.attribute.methods.adaptive import Paths
from foldproof.tasks.attribute.methods.checks import Groups, check_windows
from foldproof.tasks.attribute.methods.partials import MeanPartials, mean_partial_derivatives
from foldproof.tasks.attribute.network.gradients import ForwardOf


@dataclass(frozen=True, eq=False)
class Question:
    """Windows to explain, with the baselines, targets and settings that the methods need.

    A method that draws takes a new generator from ``seed``, so that its answer does not depend on
    which other methods run.

    Attributes:
        forward: (points (P, T, F), rows (P,) int64) -> (P,) forecasts in target units.
        inputs: (B, T, F) windows, oldest row first.
        baseline: (B, T, F) x', one window per sample.
        references: (R, T, F) windows of the training block.
        dates: (B,) date of each sample.
        target: (B,) realised target; NaN where it is unknown.
        unit: (B, T, F) the change of a cell that counts as one: slope of the input normalizer times
            standard deviation of the feature.
        groups: Features that methods by group move together.
        nodes: Quadrature nodes on a path.
        seed: Seed of all draws.

    Raises:
        ValueError: The windows are not finite or there is none. A method checks the other arguments
            that it uses.
    """

    forward: ForwardOf
    inputs: Tensor
    baseline: Tensor
    references: Tensor
    dates: np.ndarray
    target: Tensor
    unit: Tensor
    groups: Groups
    nodes: int = 20
    seed: int = 0

    def __post_init__(self) -> None:
        check_windows(self.inputs)
        if not len(self.inputs):
            raise ValueError("there is no sample to explain; give at least one")

    @property
    def rows(self) -> Tensor:
        """(B,) numbers of the samples."""
        return torch.arange(len(self.inputs))

    def generator(self) -> Generator:
        """A new generator, in the same state at every call."""
        return torch.Generator().manual_seed(self.seed)

    @cached_property
    def partials(self) -> MeanPartials:
        """Mean partial derivatives per unit, computed once for the methods that use them."""
        return mean_partial_derivatives(
            self.forward, self.inputs, self.dates, scale=self.unit, rows=self.rows
        )


@dataclass(frozen=True, eq=False)
class Answer:
    """Attributions by lag and column, and three ways to aggregate them over samples.

    L is T for a method that separates lags and 1 for a method that moves all lags at once. The C
    columns are features, groups of features, or the whole window. Everything is on the CPU.

    Attributes:
        signed: (L, C) mean over samples: the average direction.
        absolute: (L, C) mean over samples of the absolute value.
        net: (C,) mean over samples of |sum over lags|: lags that offset each other cancel.
        values: (B, L, C) per sample; None where a method gives aggregates only.
        error: (C,) standard error of ``net`` from the draws; None where nothing is drawn.
        agreement: (C,) in [0, 1], how far samples agree on the sign; None where it has no meaning.
        paths: Accuracy of integrated gradients.
        partials: The mean partials that the answer was computed from.
    """

    signed: Tensor
    absolute: Tensor
    net: Tensor
    values: Tensor | None = None
    error: Tensor | None = None
    agreement: Tensor | None = None
    paths: Paths | None = None
    partials: MeanPartials | None = None

    @property
    def gross(self) -> Tensor:
        """(C,) mean over samples of the sum of sizes over lags: nothing cancels; at least net."""
        return self.absolute.sum(0)


def answer_of(
    values: Tensor, sum_error: Tensor | None = None, paths: Paths | None = None
) -> Answer:
    """The answer of a method that gives a value per sample.

    Args:
        values: (B, L, C).
        sum_error: (B, C) standard errors of the sums over lags, from draws that are independent
            between samples. Noise inflates the absolute value, so where it is as large as the
            value, ``net`` is too large by more than ``error`` says.
        paths: Accuracy of integrated gradients.
    """
    known = values.cpu()
    error = None if sum_error is None else sum_error.cpu().square().sum(0).sqrt() / len(known)
    return Answer(
        signed=known.mean(0),
        absolute=known.abs().mean(0),
        net=known.sum(1).abs().mean(0),
        values=known,
        error=error,
        paths=paths,
    )
