"""Permutation importance: the rank IC lost when a feature is shuffled across a date's stocks."""

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
    check_per_sample,
    check_windows,
    date_array,
    standard_error,
)
from foldproof.tasks.attribute.methods.occlusion import group_masks
from foldproof.tasks.attribute.network.gradients import CHUNK, Forward, by_sample, outputs_at
from foldproof.tasks.statistics.rank_ic import LEAST_NAMES, rank_ics

REPEATS = 10
"""Permutations of every date."""


@dataclass(frozen=True, eq=False)
class Permuted:
    """The rank IC that the forecasts lose when the stocks of a date exchange a feature's history.

    Attributes:
        dates: (N,) the dates that count, in order.
        rank_ic: (N,) of the forecasts on unchanged inputs.
        lost: (N, G) rank IC less the mean rank IC after permuting group g.
        importance: (G,) mean of ``lost`` over dates; below 0 where the feature does harm.
        error: (G,) Monte Carlo standard error of the importance over repeats. It measures the noise
            of the draws on these dates, not the variation between dates. NaN for a single repeat.
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
    rows: Tensor | None = None,
) -> Permuted:
    """Rank IC that depends on each group of features, permuted within dates at all lags at once.

    Breiman 2001 (Machine Learning 45:5), with two changes for a panel. Stocks are exchanged within
    a date, so that the market's level on the date is unchanged. The loss is the drop of the date's
    Spearman correlation with the target, ties at their mean rank. Samples without a target are left
    out, and so are dates with fewer than 3 samples, as in training. A date whose forecasts are all
    equal has a rank IC of 0.

    .. warning::

        A permuted window combines one stock's feature with another stock's other features; where
        features are correlated, no such window was observed. If two features are copies, shuffling
        one costs nothing. The method needs targets, so it is available only once these are known.
        Give whole
        cross-sections.

    Args:
        forward: (B, T, F) -> (B,). An nn.Module is put in eval mode for the call.
        inputs: (B, T, F), any floating-point type.
        dates: (B,) the date of each sample, in any order.
        target: (B,) the realised target; NaN where it is unknown.
        groups: Features that are permuted together; None for each feature alone.
        generator: Draws the permutations: the same for every group, so that groups compare.
        repeats: Permutations of every date.
        chunk: Samples per forward pass.
        rows: (B,) sample numbers that ``forward`` takes as a second argument; None if it does not.

    Raises:
        ValueError: Inputs are not finite windows; dates or target are not (B,); no date has 3
            samples with a target; groups overlap or are empty; repeats or chunk is below 1.
    """
    with by_sample(forward, inputs, rows) as of_sample:
        check_counts(repeats=repeats, chunk=chunk)
        check_windows(inputs)
        parts = alone(inputs.shape[2]) if groups is None else groups
        check_groups(parts, inputs.shape[2])
        masks = group_masks(1, inputs.shape[2], parts).to(inputs.device)  # (G, 1, F)
        counted_dates, counted = ranked_samples(dates, target, len(inputs))
        present, group = np.unique(counted_dates, return_inverse=True)
        date = torch.from_numpy(group.reshape(-1))
        there = counted.to(inputs.device)
        windows = inputs[there]
        known = target.to("cpu", torch.float64)[counted].numpy()

        def rank_ic(points: Tensor) -> Tensor:
            outputs = outputs_at(lambda some, at: of_sample(some, there[at]), points, chunk)
            return torch.from_numpy(rank_ics(outputs[None].cpu().numpy(), known, group)[0])

        whole = rank_ic(windows)
        lost = torch.zeros(len(present), repeats, len(parts), dtype=torch.float64)
        for repeat in range(repeats):
            other = windows[shuffled_within_dates(date, generator).to(inputs.device)]
            for number, mask in enumerate(masks):
                lost[:, repeat, number] = whole - rank_ic(torch.where(mask, other, windows))
        error = standard_error(lost.mean(0).unsqueeze(0)).squeeze(0)
        return Permuted(present, whole, lost.mean(1), lost.mean((0, 1)), error)


def shuffled_within_dates(date: Tensor, generator: Generator) -> Tensor:
    """(B,) for each sample a sample of the same date: a random permutation within dates."""
    shuffled = torch.randperm(len(date), generator=generator)
    by_date = shuffled[date[shuffled].argsort(stable=True)]  # by date, in random order within
    order = torch.empty_like(by_date)
    order[date.argsort(stable=True)] = by_date
    return order


def ranked_samples(
    dates: ArrayLike | Tensor, target: Tensor, samples: int
) -> tuple[np.ndarray, Tensor]:
    """Dates and numbers of the samples with a target, on dates with at least 3 of them."""
    days = date_array(dates)
    check_per_sample(samples, dates=days.shape, target=tuple(target.shape))
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
