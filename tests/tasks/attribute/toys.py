"""Small functions and windows that several attribution tests share."""

import torch
from torch import Tensor, nn


class Recurrent(nn.Module):
    """An LSTM with a dropout that must be off, in double precision, the same at every call."""

    def __init__(self, features: int = 3, hidden: int = 6) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(3)
            self.lstm = nn.LSTM(features, hidden, batch_first=True)
            self.dropout = nn.Dropout(0.5)
            self.head = nn.Linear(hidden, 1)
        self.double()

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.dropout(self.lstm(x)[0][:, -1])).squeeze(-1)


def windows(samples: int = 7, length: int = 5, features: int = 3, seed: int = 11) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(samples, length, features, generator=generator, dtype=torch.float64)
