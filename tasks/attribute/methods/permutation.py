"""Permutation importance: the rank IC that is lost when a feature changes hands within its date."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Generator, Tensor

from foldproof.tasks.attribute.methods.checks import (
    Groups,
    alone,
    check_counts,
    check_groups,
    check_windows,
    standard_error,
)
from foldproof.tasks.attribute.methods.occlusion import group_masks
from foldproof.tasks.attribute.network.gradients import (
    CHUNK,
    Forward,
    ForwardOf,
    eval_mode,
    outputs_at,
)
from foldproof.tasks.statistics.rank_ic import LEAST_NAMES, rank_ics

REPEATS = 10
"""Permutations of every date."""


@dataclass(frozen=True, eq=False)
class Permuted:
    """What the forecasts' rank IC loses when the stocks of a date swap a feature's history.

    Attributes:
        dates: (N,) the dates that are counted, in order.
        rank_ic: (N,) of the forecasts as they are.
        lost: (N, G) rank IC less the mean rank IC after permuting group g.
        importance: (G,) mean of ``lost`` over dates; below 0 where the feature does harm.
        error: (G,) Monte Carlo standard error of the importance, over repeats: how sure the
            figure is for these dates, not how it would be for others. NaN for a single repeat.
    """

    dates: np.ndarray
    rank_ic: Tensor
    lost: Tensor
    importance: Tensor
    error: Tensor


def permutation_importance(
    forward: Forward,
    inputs: Tensor,
    dates: ArrayLike | Tensor,
    target: Tensor,
    groups: Groups | None = None,
    *,
    generator: Generator,
    repeats: int = REPEATS,
    chunk: int = CHUNK,
) -> Permuted:
    """How much rank IC rests on each group of features: permuted within dates, at all lags at once.

    Breiman 2001 (Machine Learning 45:5), with two changes for a panel: stocks swap within a date,
    so that the market's level on the date stays where it is, and the loss is the drop of the date's
    Spearman correlation with the target, ties by their mean rank. Samples without a target are
    left out; dates with fewer than 3 others say too little about ranks and are left out, as in
    training. A date on which forecasts do not differ has a rank IC of 0.

    .. warning::

        A permuted window pairs one stock's feature with another's companions: where features are
        correlated that was never observed, and of two copies of a feature neither is missed. It
        needs targets, so it is known only when these are. Whole cross-sections are meant.

    Args:
        forward: (B, T, F) -> (B,). An nn.Module is put in eval mode for the call.
        inputs: (B, T, F), any floating-point type.
        dates: (B,) the date of each sample, in any order.
        target: (B,) what was to be forecast; NaN where it is unknown.
        groups: Features that change hands together; None for each feature alone.
        generator: Draws the permutations: the same for every group, so that groups compare.
        repeats: Permutations of every date.
        chunk: Samples per forward pass.

    Raises:
        ValueError: Inputs are no finite windows; dates or target are not (B,); no date has 3
            samples with a target; groups overlap or are empty; repeats or chunk is below 1.
    """
    with eval_mode(forward):
        return permutation_of(
            lambda points, _: forward(points),
            inputs,
            dates,
            target,
            groups,
            generator=generator,
            repeats=repeats,
            chunk=chunk,
        )


def permutation_of(
    forward: ForwardOf,
    inputs: Tensor,
    dates: ArrayLike | Tensor,
    target: Tensor,
    groups: Groups | None = None,
    *,
    generator: Generator,
    repeats: int = REPEATS,
    chunk: int = CHUNK,
) -> Permuted:
    """As :func:`permutation_importance` for a forward that is told the rows of its samples."""
    check_counts(repeats=repeats, chunk=chunk)
    check_windows(inputs)
    parts = alone(inputs.shape[2]) if groups is None else groups
    check_groups(parts, inputs.shape[2])
    masks = group_masks(1, inputs.shape[2], parts).to(inputs.device)  # (G, 1, F)
    named, rows = ranked_samples(dates, target, len(inputs))
    present, group = np.unique(named, return_inverse=True)
    date = torch.from_numpy(group.reshape(-1))
    windows, there = inputs[rows.to(inputs.device)], rows.to(inputs.device)
    wanted = target.to("cpu", torch.float64)[rows].numpy()

    def rank_ic(points: Tensor) -> Tensor:
        outputs = outputs_at(lambda some, at: forward(some, there[at]), points, chunk)
        return torch.from_numpy(rank_ics(outputs[None].cpu().numpy(), wanted, group)[0])

    whole = rank_ic(windows)
    lost = torch.zeros(len(present), repeats, len(parts), dtype=torch.float64)
    for repeat in range(repeats):
        other = windows[swapped(date, generator).to(inputs.device)]
        for number, mask in enumerate(masks):
            lost[:, repeat, number] = whole - rank_ic(torch.where(mask, other, windows))
    by_repeat = lost.mean(0).unsqueeze(0)  # (1, repeats, G)
    return Permuted(
        present, whole, lost.mean(1), lost.mean((0, 1)), standard_error(by_repeat).squeeze(0)
    )


def swapped(date: Tensor, generator: Generator) -> Tensor:
    """(B,) for each sample another, or itself, of the same date: a random permutation."""
    shuffled = torch.randperm(len(date), generator=generator)
    mixed = shuffled[date[shuffled].argsort(stable=True)]  # by date, in random order within
    order = torch.empty_like(mixed)
    order[date.argsort(stable=True)] = mixed
    return order


def ranked_samples(
    dates: ArrayLike | Tensor, target: Tensor, samples: int
) -> tuple[np.ndarray, Tensor]:
    """Dates and numbers of the samples that count: target known, 3 such on the date at least."""
    days = dates.cpu().numpy() if isinstance(dates, Tensor) else np.asarray(dates)
    for name, shape in (("dates", days.shape), ("target", tuple(target.shape))):
        if shape != (samples,):
            raise ValueError(
                f"{name} must have one entry for each of the {samples} samples, shape "
                f"({samples},); their shape is {shape}"
            )
    known = target.isfinite().cpu().numpy()
    _, group = np.unique(days, return_inverse=True)
    enough = np.bincount(group.reshape(-1), weights=known, minlength=1) >= LEAST_NAMES
    counted = known & enough[group.reshape(-1)] if samples else known
    if not counted.any():
        raise ValueError(
            f"no date has {LEAST_NAMES} samples with a known target among {samples} samples: "
            "give whole cross-sections whose targets are known"
        )
    return days[counted], torch.from_numpy(counted.nonzero()[0])
