"""Occlusion: how the forecast changes when cells of its window are replaced by a baseline's."""

import torch
from torch import Tensor

from foldproof.tasks.attribute.methods.checks import (
    Groups,
    alone,
    check_counts,
    check_groups,
    filling,
    row_blocks,
)
from foldproof.tasks.attribute.network.gradients import (
    CHUNK,
    Forward,
    ForwardOf,
    by_sample,
    outputs_at,
)


def occlusion(
    forward: Forward,
    inputs: Tensor,
    baseline: Tensor | float,
    masks: Tensor,
    *,
    chunk: int = CHUNK,
    rows: Tensor | None = None,
) -> Tensor:
    """The effect of each mask's cells on the forecast: f(x) - f(x with those cells from x').

    Feature ablation with any fill (Zeiler & Fergus 2014 covered patches of an image with grey).
    Exact, without a gradient; masks come from :func:`feature_masks`, :func:`lag_masks` or
    :func:`group_masks`.

    .. warning::

        A window that is half observed and half baseline may resemble no observed window; a fill
        from the training block at least keeps each half realistic. Two cells that can replace each
        other both get zero.

    Args:
        forward: (B, T, F) -> (B,). An nn.Module is put in eval mode for the call.
        inputs: (B, T, F), any floating-point type; everything is computed in it.
        baseline: x', broadcastable to ``inputs``: the values of occluded cells.
        masks: (M, T, F) bool, True where cells are occluded.
        chunk: Points per forward pass.
        rows: (B,) sample numbers that ``forward`` takes as a second argument; None if it does not.

    Returns:
        (B, M) in the forecast's unit.

    Raises:
        ValueError: Inputs are not finite windows, the baseline or the masks do not fit them,
            forward does not return finite (B,), or chunk is below 1.

    Example:
        >>> import torch
        >>> x = torch.tensor([[[1.0, 2.0], [3.0, 4.0]]])
        >>> f = lambda x: x[:, 0, 0] * x[:, 1, 1]
        >>> occlusion(f, x, 0.0, feature_masks(2, 2)).tolist()
        [[4.0, 4.0]]
    """
    with by_sample(forward, inputs, rows) as of_sample:
        check_counts(chunk=chunk)
        fill = filling(baseline, inputs)
        check_masks(masks, inputs)
        covered = masks.to(inputs.device)
        change = inputs.new_zeros(len(inputs), len(masks))
        observed = outputs_at(of_sample, inputs, chunk)
        for block in row_blocks(inputs, chunk // max(1, len(masks))):
            for some in torch.arange(len(masks), device=inputs.device).split(int(chunk)):
                left = mixed(of_sample, inputs, fill, block, covered[some])
                change[block.unsqueeze(1), some] = observed[block].unsqueeze(1) - left
        return change


def mixed(forward: ForwardOf, inputs: Tensor, fill: Tensor, rows: Tensor, masks: Tensor) -> Tensor:
    """(rows, M) forecasts with masked cells from the fill; masks broadcast to (rows, M, T, F)."""
    observed, other = inputs[rows].unsqueeze(1), fill[rows].unsqueeze(1)
    points = torch.where(masks, other, observed)  # (rows, M, T, F)
    samples = rows.repeat_interleave(points.shape[1])
    flat = points.flatten(0, 1)
    outputs = outputs_at(lambda some, at: forward(some, samples[at]), flat, len(flat) or 1)
    return outputs.view(points.shape[:2])


def feature_masks(length: int, features: int) -> Tensor:
    """(F, T, F): each feature at all lags."""
    return group_masks(length, features, alone(features))


def lag_masks(length: int, features: int) -> Tensor:
    """(T, T, F): all features of each step, oldest first."""
    return torch.eye(length, dtype=torch.bool).unsqueeze(-1).expand(length, length, features)


def group_masks(length: int, features: int, groups: Groups) -> Tensor:
    """(G, T, F): each group's features at all lags.

    Raises:
        ValueError: Groups overlap, are empty or name unknown features.
    """
    check_groups(groups, features)
    member = torch.zeros(len(groups), features, dtype=torch.bool)
    for number, group in enumerate(groups):
        member[number, list(group)] = True
    return member.unsqueeze(1).expand(len(groups), length, features)


def check_masks(masks: Tensor, inputs: Tensor) -> None:
    """Raise ValueError unless masks are bool (M, T, F) for inputs (B, T, F)."""
    if masks.dtype != torch.bool or masks.dim() != 3 or masks.shape[1:] != inputs.shape[1:]:
        raise ValueError(
            f"masks must be bool of shape (M, {', '.join(map(str, inputs.shape[1:]))}), True where "
            f"a cell is occluded; they are {masks.dtype} of shape {tuple(masks.shape)}"
        )
