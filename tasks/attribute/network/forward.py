"""A trained network as a function of one sample's window, with the other samples held fixed."""

import torch
from torch import Tensor, nn

from foldproof.models.network import Forecaster
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


def scorer(network: Forecaster, dates: Tensor, scale: float) -> ForwardOf:
    """Forecasts in target units as a function of points and the rows of their samples.

    Args:
        network: In eval mode; not coupled between samples. Its weights get no gradient any more.
        dates: (B,) date rows of the samples.
        scale: Target units per unit of the network.
    """
    use_fast_lstm(network)
    return lambda points, rows: network(points, dates[rows]) * scale


def coupled_scorer(network: Forecaster, windows: Tensor, dates: Tensor, scale: float) -> ForwardOf:
    """As :func:`scorer`, for a network whose hidden normalizer reads the date's cross-section.

    Args:
        network: In eval mode; its hidden normalizer is replaced, its weights get no gradient.
        windows: (B, T, F) all samples of the dates in question, of the network's type and device.
        dates: (B,) their date rows.
        scale: Target units per unit of the network.
    """
    normalizer = network.hidden
    assert normalizer is not None  # only the hidden normalizer couples samples
    network.hidden = FixedCompanions(normalizer, hidden_states(network, windows, dates), dates)
    use_fast_lstm(network)
    return lambda points, rows: network(points, rows) * scale


def hidden_states(network: Forecaster, windows: Tensor, dates: Tensor) -> Tensor:
    """(B, H) inputs of the hidden normalizer, detached."""
    found: list[Tensor] = []

    def keep_input(_: nn.Module, given: tuple[Tensor, ...]) -> None:
        found.append(given[0])

    assert network.hidden is not None  # see coupled_scorer
    handle = network.hidden.register_forward_pre_hook(keep_input)
    with torch.no_grad():
        for window, date in zip(windows.split(CHUNK), dates.split(CHUNK), strict=True):
            network(window, date)
    handle.remove()
    return torch.cat(found)
