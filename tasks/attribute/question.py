"""What an attribution method is asked, and what it answers."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Generator, Tensor

from tasks.attribute.expected import check_references
from tasks.attribute.gradients import ForwardOf
from tasks.attribute.partials import MeanPartials, broadcast_scale, partials_of
from tasks.attribute.resolved import Paths
from tasks.attribute.windows import Groups, check_counts, check_groups, filling


@dataclass(frozen=True, eq=False)
class Question:
    """Windows to explain, and what the methods hold them against.

    A method that draws takes its own generator from ``seed``, so that its answer does not depend on
    which others are asked.

    Attributes:
        forward: (points (P, T, F), rows (P,) int64) -> (P,) forecasts in target units.
        inputs: (B, T, F) windows, oldest row first.
        baseline: (B, T, F) x', one window a sample.
        references: (R, T, F) windows of the training block.
        dates: (B,) date of each sample.
        target: (B,) what was to be forecast; NaN where it is unknown.
        unit: (B, T, F) the change of a cell that counts as one: slope of the input normalizer times
            standard deviation of the feature.
        groups: Features that methods by group move together.
        nodes: Quadrature nodes on a path.
        seed: Seeds whatever is drawn.

    Raises:
        ValueError: Shapes do not fit, windows are not finite, groups overlap, or nodes is below 1.
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
        check_counts(nodes=self.nodes)
        filling(self.baseline, self.inputs)
        broadcast_scale(self.unit, self.inputs)
        check_references(self.references, self.inputs)
        check_groups(self.groups, self.inputs.shape[2])
        for name, shape in (("dates", self.dates.shape), ("target", tuple(self.target.shape))):
            if shape != (len(self.inputs),):
                raise ValueError(
                    f"{name} must have one entry for each of the {len(self.inputs)} samples; "
                    f"their shape is {shape}"
                )
        if not len(self.inputs):
            raise ValueError("a question needs at least one sample; there is none to explain")

    def generator(self) -> Generator:
        """A new generator, in the same state at every call."""
        return torch.Generator().manual_seed(self.seed)

    @cached_property
    def partials(self) -> MeanPartials:
        """Mean partial derivatives per unit, which several methods read; computed once."""
        return partials_of(self.forward, self.inputs, self.dates, scale=self.unit)


@dataclass(frozen=True, eq=False)
class Answer:
    """Attributions by lag and column, and the three ways to join samples.

    L is T for a method that tells lags apart and 1 for one that moves all lags at once; the C
    columns are features, groups of features, or the whole window. All on the CPU.

    Attributes:
        signed: (L, C) mean over samples: the direction on average.
        absolute: (L, C) mean over samples of the absolute value.
        net: (C,) mean over samples of |sum over lags|: lags that offset each other cancel.
        values: (B, L, C) per sample; None where a method knows aggregates only.
        value_error: Standard error of ``values``, of their shape; None where nothing is drawn.
        error: (C,) standard error of ``net`` from the draws; None where nothing is drawn.
        agreement: (C,) in [0, 1], how far samples agree on the sign; None where it says nothing.
        paths: How exact integrated gradients are.
        partials: The mean partials that an answer was read from.
    """

    signed: Tensor
    absolute: Tensor
    net: Tensor
    values: Tensor | None = None
    value_error: Tensor | None = None
    error: Tensor | None = None
    agreement: Tensor | None = None
    paths: Paths | None = None
    partials: MeanPartials | None = None

    @property
    def gross(self) -> Tensor:
        """(C,) mean over samples of the sum over lags of |.|: nothing cancels; never below net."""
        return self.absolute.sum(0)


def answer_of(
    values: Tensor,
    value_error: Tensor | None = None,
    sum_error: Tensor | None = None,
    paths: Paths | None = None,
) -> Answer:
    """The answer of a method that knows every sample.

    Args:
        values: (B, L, C).
        value_error: (B, L, C) standard errors.
        sum_error: (B, C) standard errors of the sums over lags, from draws that are independent
            between samples. Noise adds to |.|, so where it is as large as the value, ``net`` is
            too large by more than ``error`` says.
        paths: How exact integrated gradients are.
    """
    known = values.cpu()
    error = None if sum_error is None else sum_error.cpu().square().sum(0).sqrt() / len(known)
    return Answer(
        signed=known.mean(0),
        absolute=known.abs().mean(0),
        net=known.sum(1).abs().mean(0),
        values=known,
        value_error=None if value_error is None else value_error.cpu(),
        error=error,
        paths=paths,
    )
