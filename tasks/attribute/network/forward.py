"""The trained network as a function of one sample's window, its companions held fixed."""

import torch
from torch import Tensor, nn

from foldproof.models.network import Forecaster
from foldproof.models.normalizers import HiddenNormalizer
from foldproof.tasks.attribute.network.fast_lstm import use_fast_lstm
from foldproof.tasks.attribute.network.gradients import CHUNK, ForwardOf


class Accompanied(HiddenNormalizer):
    """A date-coupled normalizer for points that each stand alone beside fixed companions.

    Each point takes the place of its sample in that sample's cross-section; the others stay as
    observed. So a forecast is a function of its own window only, as attribution needs, and equals
    the scored forecast where the point is the observed window.
    """

    def __init__(self, normalizer: HiddenNormalizer, hidden: Tensor, dates: Tensor) -> None:
        super().__init__()
        self.normalizer = normalizer
        self.observed = hidden
        self.dates = dates

    def companions(self, row: int) -> Tensor:
        """Rows of the other samples of the date of sample ``row``."""
        same = self.dates == self.dates[row]
        same[row] = False
        return same.nonzero().squeeze(1)

    def forward(self, hidden: Tensor, rows: Tensor) -> Tensor:
        """(P, H) points, (P,) rows of the samples whose place they take -> (P, H)."""
        others = [self.companions(row) for row in rows.tolist()]
        place = torch.arange(len(rows), device=hidden.device)
        counts = torch.tensor([len(other) for other in others], device=hidden.device)
        together = torch.cat([hidden, self.observed[torch.cat(others)]])
        return self.normalizer(together, torch.cat([place, place.repeat_interleave(counts)]))[
            : len(rows)
        ]


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
    """As :func:`scorer` for a network whose hidden normalizer reads the date's cross-section.

    Args:
        network: In eval mode; its hidden normalizer is replaced, its weights get no gradient.
        windows: (B, T, F) all samples of the dates in question, in the network's type and place.
        dates: (B,) their date rows.
        scale: Target units per unit of the network.
    """
    normalizer = network.hidden
    assert normalizer is not None  # what couples is the hidden normalizer
    network.hidden = Accompanied(normalizer, hidden_states(network, windows, dates), dates)
    use_fast_lstm(network)
    return lambda points, rows: network(points, rows) * scale


def hidden_states(network: Forecaster, windows: Tensor, dates: Tensor) -> Tensor:
    """(B, H) what the hidden normalizer is given, detached."""
    seen: list[Tensor] = []

    def note(_: nn.Module, given: tuple[Tensor, ...]) -> None:
        seen.append(given[0])

    assert network.hidden is not None  # see coupled_scorer
    handle = network.hidden.register_forward_pre_hook(note)
    with torch.no_grad():
        for window, date in zip(windows.split(CHUNK), dates.split(CHUNK), strict=True):
            network(window, date)
    handle.remove()
    return torch.cat(seen)
