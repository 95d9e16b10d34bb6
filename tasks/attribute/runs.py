"""Each attribution method as an answer to the one question that all are asked."""

from torch import Tensor

from tasks.attribute.expected import expected_gradients_of
from tasks.attribute.occlusion import feature_masks, group_masks, lag_masks, occlusion_of
from tasks.attribute.permutation import REPEATS, permutation_of
from tasks.attribute.pointwise import squared_of, times_input_of
from tasks.attribute.question import Answer, Question, answer_of
from tasks.attribute.resolved import resolved_paths
from tasks.attribute.shapley import shapley_of
from tasks.attribute.temporal import temporal_of

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
