"""Chunks: stretches of a symbol along which the LSTM runs once, with a loss on each day.

A window of T rows costs T steps for a single label. A chunk of n labelled days costs T - 1 + n
steps: T - 1 days of burn-in, then a loss on each day. The forecast on a day then has the memory of
all earlier days of its chunk, at least T - 1. Networks are scored on windows, however they were
trained.
"""

from typing import NamedTuple

import torch
from torch import Generator, Tensor

from foldproof.models.normalizers.variant import Variant
from foldproof.models.windows import Windows


class Chunks(NamedTuple):
    """Some chunks of equal length, the shorter ones filled up with days that do not count.

    Attributes:
        x: (B, T - 1 + n, F) features, burn-in first.
        samples: (B, n) the samples whose labels count.
        counts: (B, n) bool, False on days that only fill up.
    """

    x: Tensor
    samples: Tensor
    counts: Tensor


def why_not(variant: Variant) -> str:
    """Why a variant cannot be trained on chunks; empty if it can."""
    if variant.window is not None:
        return "it normalizes each window on its own, and a chunk has no windows"
    if variant.cell is not None:
        return "it normalizes inside the LSTM at each step of a window"
    if variant.batches is not None:
        return f"it is trained on {variant.batches} batches, and a batch of chunks is none"
    if variant.training_coupling == "batch":
        return "its statistics are those of a batch of windows"
    return ""


def stretches(samples: Tensor, days: int, length: int) -> list[Tensor]:
    """Samples (N,) cut into runs of consecutive days of one symbol, at most ``length`` long.

    Each sample is in exactly one run.

    Args:
        samples: Numbered as in :mod:`~foldproof.models.windows`, in any order.
        days: D, the date rows of the panel.
        length: Days in a run.
    """
    ordered = samples.sort().values
    new = torch.ones_like(ordered, dtype=torch.bool)
    new[1:] = (ordered[1:] != ordered[:-1] + 1) | (ordered[1:] % days == 0)
    place = torch.arange(len(ordered), device=ordered.device)
    start = torch.where(new, place, 0).cummax(dim=0).values
    cut = ((place - start) % length == 0).nonzero().flatten().tolist()
    sizes = [stop - first for first, stop in zip(cut, [*cut[1:], len(ordered)], strict=True)]
    return list(ordered.split(sizes))


def batches_of(runs: list[Tensor], size: int, generator: Generator) -> list[Tensor]:
    """The runs in a new order, in batches of about ``size`` days: each (B, n), -1 where filled up.

    So an epoch has as many steps as one of windows in batches of ``size``.
    """
    order = torch.randperm(len(runs), generator=generator).tolist()
    mixed = [runs[n] for n in order]
    ends = torch.tensor([len(run) for run in mixed]).cumsum(dim=0)
    counts = ((ends - 1) // size).unique_consecutive(return_counts=True)[1].tolist()
    filled = torch.nn.utils.rnn.pad_sequence(mixed, batch_first=True, padding_value=-1)
    return [part[:, : int((part >= 0).sum(dim=1).max())] for part in filled.split(counts)]


def gathered(windows: Windows, batch: Tensor) -> Chunks:
    """The features of a batch (B, n) of :func:`batches_of`."""
    counts = batch >= 0
    last = batch.max(dim=1, keepdim=True).values
    samples = torch.where(counts, batch, last)  # the last day again: its forecast does not count
    ends = torch.arange(1 - windows.length, batch.shape[1], device=batch.device)
    rows = torch.minimum(samples[:, :1] + ends, last)
    return Chunks(windows.features(rows), samples, counts)
