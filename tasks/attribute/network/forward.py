"""A trained network as a function of one sample's window, with the other samples held fixed."""

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor, nn

from foldproof.models.network import Ensemble, Forecaster
from foldproof.models.normalizers import HiddenNormalizer
from foldproof.tasks.attribute.network.fast_lstm import use_fast_lstm
from foldproof.tasks.attribute.network.gradients import CHUNK, ForwardOf


class FixedCompanions(HiddenNormalizer):
    """A date-coupled normalizer that normalizes each point among its date's observed samples.

    Each point replaces its own sample in that sample's cross-section; the companions stay as
    observed. So a forecast is a function of its own window only, as attribution requires, and
    equals the scored forecast where the point is the observed window.
    """

    def __init__(self, normalizer: HiddenNormalizer, hidden: Tensor, dates: Tensor) -> None:
        super().__init__()
        self.normalizer = normalizer
        self.observed = hidden
        self.dates = dates

    def companions(self, row: int) -> Tensor:
        """Rows of the other samples on the date of sample ``row``."""
        same = self.dates == self.dates[row]
        same[row] = False
        return same.nonzero().squeeze(1)

    def forward(self, hidden: Tensor, rows: Tensor) -> Tensor:
        """(P, H) points and (P,) rows of the samples that they replace -> (P, H)."""
        others = [self.companions(row) for row in rows.tolist()]
        place = torch.arange(len(rows), device=hidden.device)
        counts = torch.tensor([len(other) for other in others], device=hidden.device)
        together = torch.cat([hidden, self.observed[torch.cat(others)]])
        groups = torch.cat([place, place.repeat_interleave(counts)])
        return self.normalizer(together, groups)[: len(rows)]


def forward_of(
    network: Forecaster | Ensemble,
    coupled: bool,
    samples: Tensor,
    available: Tensor,
    days: int,
    windows: Callable[[Tensor], Tensor],
    scale: float,
) -> ForwardOf:
    """Forecasts in target units as a function of points and the places of their samples.

    A network that couples the samples of a date keeps the companions of a point as observed.

    Args:
        network: In eval mode, or an ensemble of such; its hidden normalizer may be replaced, its
            weights get no gradient.
        coupled: Whether the variant couples the samples of a date.
        samples: (B,) samples s * ``days`` + d that the points belong to.
        available: (N,) all samples with a whole window, the companions among them.
        days: Date rows of the panel.
        windows: Samples (B,) -> their windows (B, T, F), of the network's type and device.
        scale: Target units per unit of the network.
    """
    if isinstance(network, Ensemble):
        shared = (coupled, samples, available, days, windows, scale)
        each = [forward_of(cast("Forecaster", one), *shared) for one in network.members]
        return lambda points, rows: torch.stack([one(points, rows) for one in each]).mean(dim=0)
    network.requires_grad_(False)
    device = next(network.parameters()).device
    if network.hidden is None or not coupled:
        dates = (samples % days).to(device)
        use_fast_lstm(network)
        return lambda points, rows: network(points, dates[rows]) * scale
    rest = available[torch.isin(available % days, samples % days)]
    everyone = torch.cat([samples, rest[~torch.isin(rest, samples)]])
    dates = (everyone % days).to(device)
    hidden = hidden_states(network, network.hidden, windows(everyone), dates)
    network.hidden = FixedCompanions(network.hidden, hidden, dates)
    use_fast_lstm(network)
    return lambda points, rows: network(points, rows) * scale


def hidden_states(
    network: Forecaster, normalizer: HiddenNormalizer, windows: Tensor, dates: Tensor
) -> Tensor:
    """(B, H) inputs of the network's hidden normalizer, detached."""
    found: list[Tensor] = []

    def keep_input(_: nn.Module, given: tuple[Tensor, ...]) -> None:
        found.append(given[0])

    handle = normalizer.register_forward_pre_hook(keep_input)
    with torch.no_grad():
        for window, date in zip(windows.split(CHUNK), dates.split(CHUNK), strict=True):
            network(window, date)
    handle.remove()
    return torch.cat(found)
