"""Scoring that leaks, for the controls: passes in which forecasts depend on later dates."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from foldproof.models.batches import BATCHES
from foldproof.models.network import Forecaster
from foldproof.models.normalizers.variant import Scoring
from foldproof.models.windows import Windows

REFRESHED_TOGETHER = 512
"""Largest number of samples in a pass that refreshes running statistics, if more than one date."""


def scored_leaking(
    network: Forecaster, windows: Windows, samples: Tensor, scoring: Scoring
) -> Tensor:
    """Forecasts (N,) of ``samples`` (N,) in the passes and the mode of ``scoring``.

    .. warning::

        This is the mistake that the control makes. Running statistics of ``network`` change.
    """
    chronological = without_singles(
        batches_of(windows, samples, "chronological", REFRESHED_TOGETHER)
    )
    prepare(network, ((windows.gather(one), windows.date(one)) for one in chronological))
    whole_dates = BATCHES[scoring.batches].whole_dates
    size = scoring.size * windows.symbols if whole_dates else scoring.size
    order = without_singles(batches_of(windows, samples, scoring.batches, size))
    return in_passes(network, windows, samples, order)


def without_singles(order: list[Tensor]) -> list[Tensor]:
    """Batches in which one of a single sample joins the one before, as batch norm needs two."""
    joined: list[Tensor] = []
    for batch in order:
        if joined and 1 in (len(batch), len(joined[-1])):
            joined[-1] = torch.cat([joined[-1], batch])
        else:
            joined.append(batch)
    return joined


def batches_of(
    windows: Windows, samples: Tensor, batches: str, size: int, seed: int = 0
) -> list[Tensor]:
    """``samples`` (N,) cut by a key of BATCHES, at most ``size`` in a batch."""
    generator = torch.Generator().manual_seed(seed)
    cut = BATCHES[batches].cut
    return cut(samples, windows.date(samples), windows.symbol(samples), size, generator)


def in_passes(
    network: Forecaster, windows: Windows, samples: Tensor, order: Iterable[Tensor]
) -> Tensor:
    """Forecasts (N,) of ``samples`` (N,), which are in ``order``, without gradients.

    The network runs in the mode that it has.
    """
    forecast = windows.target.new_full(windows.target.shape, torch.nan)  # (S * D,), by sample
    with torch.no_grad():
        for batch in order:
            forecast[batch] = network(windows.gather(batch), windows.date(batch))
    return forecast[samples]


def prepare(network: Forecaster, passes: Iterable[tuple[Tensor, Tensor]]) -> None:
    """Put ``network`` in the mode that it scores in: eval mode, unless it is a leaky control.

    Args:
        network: It changes in place.
        passes: Windows (B, T, F) and dates (B,) to score, which a control may estimate its running
            statistics on.
    """
    network.eval()
    if network.scoring is None:
        return
    if network.scoring.refreshed:
        _refresh(network, passes)
    _normalizers_train(network, network.scoring.training)


def _refresh(network: Forecaster, passes: Iterable[tuple[Tensor, Tensor]]) -> None:
    """Estimate the running statistics again, as ``torch.optim.swa_utils.update_bn`` does."""
    norms = [part for part in network.modules() if isinstance(part, nn.BatchNorm1d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean over all passes
    _normalizers_train(network, True)
    with torch.no_grad():
        for x, dates in passes:
            network(x, dates)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


def _normalizers_train(network: Forecaster, training: bool) -> None:
    """Set the mode of the normalizers; dropout stays off."""
    for part in (network.window, network.cell, network.hidden):
        if part is not None:
            part.train(training)
