"""Windows of returns that nothing forecasts, in time order symbol by symbol, and a batch norm."""

import torch
from torch import Tensor, nn

DAYS, SYMBOLS, STEPS = 80, 12, 4


def noise_panel(seed: int = 0) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(B, 4, 1) windows, their dates, symbols and next returns: independent normals."""
    generator = torch.Generator().manual_seed(seed + 7)
    returns = torch.randn(SYMBOLS, DAYS + STEPS, generator=generator, dtype=torch.float64)
    windows = returns[:, :-1].unfold(1, STEPS, 1).flatten(0, 1).unsqueeze(-1)
    dates, symbols = torch.arange(DAYS).repeat(SYMBOLS), torch.arange(SYMBOLS)
    return windows, dates, symbols.repeat_interleave(DAYS), returns[:, STEPS:].flatten()


class Contrarian(nn.Module):
    """Minus the normalized returns of the window, added up.

    In a batch of adjacent windows of one symbol the mean holds the returns that come next: what
    lies below it is followed by what lies above.
    """

    def __init__(self, norm: nn.Module | None = None) -> None:
        super().__init__()
        self.norm = norm or nn.BatchNorm1d(STEPS, affine=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 4, 1) -> (B,)."""
        return -self.norm(x[:, :, 0]).sum(1)
