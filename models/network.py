"""The forecaster: an LSTM with normalizers of its windows and of its last hidden state."""

import torch
from torch import Tensor, nn

from foldproof.models.normalizers.variant import HiddenNormalizer, Variant, WindowNormalizer
from foldproof.models.spec import NetworkSpec


class Forecaster(nn.Module):
    """Window normalizer -> LSTM -> last step -> hidden normalizer -> dropout -> linear head.

    The LSTM and the head draw their weights first, so that all variants start from the same
    weights; see :func:`build`.
    """

    def __init__(self, variant: Variant, n_features: int, spec: NetworkSpec) -> None:
        super().__init__()
        between = spec.dropout if spec.layers > 1 else 0.0
        self.lstm = nn.LSTM(n_features, spec.hidden, spec.layers, batch_first=True, dropout=between)
        self.head = nn.Linear(spec.hidden, 1)
        self.dropout = nn.Dropout(spec.dropout)
        self.window: WindowNormalizer | None = variant.window and variant.window(n_features)
        self.hidden: HiddenNormalizer | None = variant.hidden and variant.hidden(spec.hidden)

    def forward(self, x: Tensor, dates: Tensor) -> Tensor:
        """(B, T, F) windows and the (B,) date rows at which they end -> (B,) forecasts."""
        context: tuple[Tensor, ...] = ()
        if self.window is not None:
            x, context = self.window(x)
        last = self.lstm(x)[1][0][-1]  # (B, H): the top layer after the last step
        if self.hidden is not None:
            last = self.hidden(last, dates)
        forecast = self.head(self.dropout(last)).squeeze(-1)
        return forecast if self.window is None else self.window.inverse(forecast, context)

    def start_epoch(self) -> None:
        """Reset the hidden normalizer at the start of a pass over the training block."""
        if self.hidden is not None:
            self.hidden.start_epoch()


def build(variant: Variant, n_features: int, spec: NetworkSpec, seed: int) -> Forecaster:
    """A new network; with the same seed, all variants have the same initial LSTM and head.

    The global random state is restored.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return Forecaster(variant, n_features, spec)
