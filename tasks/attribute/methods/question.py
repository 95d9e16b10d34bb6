"""What an attribution method is asked, and what it answers."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Generator, Tensor

from foldproof.tasks.attribute.methods.adaptive import Paths, resolved_paths
from foldproof.tasks.attribute.methods.checks import Groups, check_counts, check_groups, filling
from foldproof.tasks.attribute.methods.expected import check_references, expected_gradients_of
from foldproof.tasks.attribute.methods.local_gradients import squared_of, times_input_of
from foldproof.tasks.attribute.methods.occlusion import (
    feature_masks,
    group_masks,
    lag_masks,
    occlusion_of,
)
from foldproof.tasks.attribute.methods.partials import MeanPartials, broadcast_scale, partials_of
from foldproof.tasks.attribute.methods.permutation import REPEATS, permutation_of
from foldproof.tasks.attribute.methods.shapley import shapley_of
from foldproof.tasks.attribute.methods.temporal import temporal_of
from foldproof.tasks.attribute.network.gradients import ForwardOf


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


PERMUTED = 16_000
"""Windows scored per feature by permutation at most: with thousands of samples few repeats do."""


def integrated(question: Question) -> Answer:
    """Values (B, T, F), completeness error within tolerance or told in ``paths``."""
    paths = resolved_paths(question.forward, question.inputs, question.baseline, question.nodes)
    return answer_of(paths.attributions, paths=paths)


def expected(question: Question) -> Answer:
    """Values (B, T, F) with their standard errors."""
    found = expected_gradients_of(
        question.forward, question.inputs, question.references, generator=question.generator()
    )
    return answer_of(found.attributions, found.error, found.lag_error)


def temporal(question: Question) -> Answer:
    """Values (B, T, F), each step's own."""
    values, _ = temporal_of(question.forward, question.inputs, question.baseline, question.nodes)
    return answer_of(values)


def times_input(question: Question) -> Answer:
    """Values (B, T, F), to first order."""
    return answer_of(times_input_of(question.forward, question.inputs, question.baseline))


def squared(question: Question) -> Answer:
    """Values (B, T, F), none below 0, per squared unit."""
    return answer_of(squared_of(question.forward, question.inputs, scale=question.unit))


def mean_partial(question: Question) -> Answer:
    """Reading A: aggregates over dates only."""
    partials = question.partials
    return Answer(
        signed=partials.signed.mean(0).cpu(),
        absolute=partials.by_lag("citic").cpu(),
        net=partials.importance("citic").cpu(),
        agreement=partials.consistency("abs_sum").cpu(),
        partials=partials,
    )


def mean_absolute_partial(question: Question) -> Answer:
    """Reading B: aggregates over dates only."""
    partials = question.partials
    return Answer(
        signed=partials.signed.mean(0).cpu(),
        absolute=partials.by_lag("citic_abs").cpu(),
        net=partials.importance("citic_abs").cpu(),
        agreement=partials.consistency("abs_sum").cpu(),
        partials=partials,
    )


def occluded_features(question: Question) -> Answer:
    """Values (B, 1, F): each feature at all lags at once."""
    return answer_of(covered(question, feature_masks(*question.inputs.shape[1:])).unsqueeze(1))


def occluded_lags(question: Question) -> Answer:
    """Values (B, T, 1): all features of each step."""
    return answer_of(covered(question, lag_masks(*question.inputs.shape[1:])).unsqueeze(2))


def occluded_groups(question: Question) -> Answer:
    """Values (B, 1, G): each group at all lags at once."""
    _, length, features = question.inputs.shape
    masks = group_masks(length, features, question.groups)
    return answer_of(covered(question, masks).unsqueeze(1))


def covered(question: Question, masks: Tensor) -> Tensor:
    """(B, M) changes of the forecast."""
    return occlusion_of(question.forward, question.inputs, question.baseline, masks)


def permuted(question: Question) -> Answer:
    """Mean rank IC lost, below 0 where a feature does harm, which ``absolute`` counts as nothing.

    The mean of the dates' absolute losses would count the noise of each date as importance.
    """
    found = permutation_of(
        question.forward,
        question.inputs,
        question.dates,
        question.target,
        generator=question.generator(),
        repeats=max(2, min(REPEATS, PERMUTED // len(question.inputs))),
    )
    return Answer(
        signed=found.importance.unsqueeze(0),
        absolute=found.importance.clamp_min(0).unsqueeze(0),
        net=found.importance,
        error=found.error,
    )


def shapley(question: Question) -> Answer:
    """Values (B, 1, G), exact for few groups, else with standard errors."""
    found = shapley_of(
        question.forward,
        question.inputs,
        question.baseline,
        question.groups,
        generator=question.generator(),
    )
    return answer_of(found.values.unsqueeze(1), found.error.unsqueeze(1), found.error)
