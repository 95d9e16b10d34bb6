"""Choice of the windows that are attributed, and of the windows that they are compared with."""

import torch
from torch import Generator, Tensor


def cut(values: Tensor, samples: Tensor, length: int) -> Tensor:
    """Windows (B, T, F) of ``values`` (D, S, F), oldest row first; sample = s * D + d."""
    steps = torch.arange(1 - length, 1)
    dates, symbols = samples % len(values), samples // len(values)
    return values[dates.unsqueeze(1) + steps, symbols.unsqueeze(1)]


def spread_samples(available: Tensor, count: int, generator: Generator) -> Tensor:
    """At most ``count`` samples, one drawn from each of as many equal stretches of ``available``.

    ``available`` is sorted by date, so the draw is even over dates; a fixed stride would pick the
    same few symbols on every date.
    """
    n = len(available)
    if count >= n:
        return available
    places = torch.rand(count, generator=generator, dtype=torch.float64)
    stretch = (torch.arange(count) + places) * n / count
    return available[stretch.long().clamp_max(n - 1)]


def spread_cross_sections(available: Tensor, days: int, dates: int, budget: int) -> Tensor:
    """Whole cross-sections of evenly spread dates: at most ``dates``, within ``budget`` samples.

    Args:
        available: (N,) samples s * ``days`` + d, sorted by date.
        days: D, date rows of the panel.
        dates: Dates at most.
        budget: Samples at most; one date is used whatever its size.
    """
    date = available % days
    present, count = date.unique(return_counts=True)
    take = max(1, min(dates, len(present), int(budget // count.double().mean())))
    places = (torch.arange(take) + 0.5) * len(present) / take
    return available[torch.isin(date, present[places.long()])]


def draw(available: Tensor, count: int, generator: Generator) -> Tensor:
    """``count`` of the available samples, drawn with replacement."""
    return available[torch.randint(len(available), (count,), generator=generator)]
