"""Networks that look ahead within a batch or along a sequence."""

import torch
from torch import Tensor, nn


def update_statistics(network: nn.Module, x: Tensor, dates: Tensor) -> None:
    """Refresh the running statistics in a training-mode pass over the test windows."""
    network.train()
    with torch.no_grad():
        network(x, dates)
    network.eval()


class BatchMean(nn.Module):
    """Hidden state less its detached mean over the batch."""

    def __init__(self, size: int) -> None:
        super().__init__()

    def forward(self, hidden: Tensor, dates: Tensor) -> Tensor:
        """(B, H), (B,) -> (B, H)."""
        return hidden - hidden.mean(dim=0).detach()

    def start_epoch(self) -> None:
        """Nothing to do."""


class BatchRank(BatchMean):
    """Hidden state plus its rank within the batch, which has no derivative."""

    def forward(self, hidden: Tensor, dates: Tensor) -> Tensor:
        """(B, H), (B,) -> (B, H)."""
        ranks = hidden.argsort(dim=0).argsort(dim=0).to(hidden.dtype)
        return hidden + ranks / len(hidden)


class OverTime(nn.Module):
    """An LSTM with an output per step on a sequence normalized over time.

    ``instance``: by mean and sd over all steps, including later ones. ``cumulative``: by those of
    the steps so far (cLN of Luo & Mesgarani 2019).
    """

    def __init__(self, features: int, kind: str, both_ways: bool = False) -> None:
        super().__init__()
        self.kind = kind
        self.lstm = nn.LSTM(features, 8, batch_first=True, bidirectional=both_ways)
        self.head = nn.Linear(16 if both_ways else 8, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, F) -> (B, T)."""
        return self.head(self.lstm(self.normalized(x))[0]).squeeze(-1)

    def normalized(self, x: Tensor) -> Tensor:
        """(B, T, F) -> (B, T, F)."""
        if self.kind == "none":
            return x
        if self.kind == "instance":
            return (x - x.mean(1, keepdim=True)) / (x.std(1, keepdim=True) + 1e-3)
        count = torch.arange(1, x.shape[1] + 1, dtype=x.dtype).view(1, -1, 1)
        mean = x.cumsum(1) / count
        spread = ((x.square().cumsum(1) / count) - mean.square()).clamp_min(0).sqrt()
        return (x - mean) / (spread + 0.1)
