"""The forecaster: an LSTM with normalizers of its windows, its cell and its last hidden state."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from foldproof.models.native.kernel import (
    Kernel,
    Place,
    hidden_states,
    kernel,
    kernel_for_rows,
    last_hidden,
    last_hidden_at,
    supports,
)
from foldproof.models.normalizers.variant import (
    CellNormalizer,
    HiddenNormalizer,
    Variant,
    WindowNormalizer,
)
from foldproof.models.spec import NetworkSpec
from foldproof.models.windows import Windows


class Forecaster(nn.Module):
    """Window normalizer -> LSTM -> last step -> hidden normalizer -> dropout -> linear head.

    A cell normalizer runs the LSTM in place of nn.LSTM, with the same weights.

    The LSTM and the head draw their weights first, so that all variants start from the same
    weights; see :func:`build`.

    Attributes:
        native: Whether the native LSTM may run.
        scoring: How a leaky control is scored; None for all others.
    """

    def __init__(
        self, variant: Variant, n_features: int, spec: NetworkSpec, native: bool = True
    ) -> None:
        super().__init__()
        self.native = native
        self.scoring = variant.scoring
        between = spec.dropout if spec.layers > 1 else 0.0
        self.lstm = nn.LSTM(n_features, spec.hidden, spec.layers, batch_first=True, dropout=between)
        self.head = nn.Linear(spec.hidden, 1)
        self.dropout = nn.Dropout(spec.dropout)
        self.denormalizes = spec.denormalize
        self.window: WindowNormalizer | None = variant.window_for(n_features, spec.window)
        self.cell: CellNormalizer | None = variant.cell and variant.cell(self.lstm, spec.window)
        self.hidden: HiddenNormalizer | None = variant.hidden and variant.hidden(spec.hidden)

    def forward(self, x: Tensor, dates: Tensor) -> Tensor:
        """(B, T, F) windows and the (B,) date rows at which they end -> (B,) forecasts."""
        context: tuple[Tensor, ...] = ()
        if self.window is not None:
            x, context = self.window(x)
        forecast = self.answer(self._last(x), dates)
        if self.window is None or not self.denormalizes:
            return forecast
        return self.window.inverse(forecast, context)

    def answer(self, last: Tensor, dates: Tensor) -> Tensor:
        """The forecasts (B,) of last hidden states (B, H), before a window normalizer undoes."""
        if self.hidden is not None:
            last = self.hidden(last, dates)
        forecast: Tensor = self.head(self.dropout(last)).squeeze(-1)
        return forecast

    @property
    def runs_natively(self) -> bool:
        """Whether the kernel runs the LSTM on windows on the CPU, in the present precision."""
        dtype = self.lstm.weight_ih_l0.dtype
        return self.native and supports(self.lstm) and kernel(dtype) is not None

    def kernel_for(self, windows: Windows) -> Kernel | None:
        """The kernel if it can run the LSTM on ``windows`` without a call of this module.

        Nothing may listen to the parts of the network then.
        """
        watched = any(
            part._forward_hooks or part._forward_pre_hooks or "forward" in vars(part)
            for part in self.modules()
        )
        plain = type(self).forward is Forecaster.forward and self.cell is None and not watched
        return kernel_for_rows(self.lstm, windows.rows) if self.native and plain else None

    def kernel_for_rows(self, windows: Windows) -> Kernel | None:
        """The kernel if it can read the windows where they are, which saves a copy of each."""
        return None if self.window is not None else self.kernel_for(windows)

    def at(self, windows: Windows, samples: Tensor) -> Tensor:
        """The forecasts (B,) of ``samples`` (B,): :meth:`forward` of their windows."""
        dates = windows.date(samples)
        found = self.kernel_for_rows(windows)
        if found is None:
            return self(windows.gather(samples), dates)
        return self.answer(self.last_at(found, windows, samples), dates)

    def last_at(self, found: Kernel, windows: Windows, samples: Tensor) -> Tensor:
        """The last hidden states (B, H) of ``samples`` (B,), by the kernel of the windows."""
        place = Place(windows.starts(samples), windows.length)
        return last_hidden_at(found, self.lstm, windows.rows, place)

    def along(self, x: Tensor, dates: Tensor) -> Tensor:
        """Forecasts (B, n) at the last n steps of stretches (B, T, F), with their dates (B, n).

        Each is the forecast of a window that begins with the stretch. The network must have no
        normalizer of windows or of the cell, and a hidden normalizer that reads one sample at a
        time.
        """
        states = hidden_states(self.lstm, x, dates.shape[1], self.native)
        if self.hidden is not None:
            states = self.hidden(states.flatten(0, 1), dates.flatten()).view_as(states)
        forecasts: Tensor = self.head(self.dropout(states)).squeeze(-1)
        return forecasts

    def _last(self, x: Tensor) -> Tensor:
        """The last hidden state (B, H) of normalized windows."""
        if self.cell is not None:
            return self.cell(self.lstm, x, self.native)
        return last_hidden(self.lstm, x, self.native)

    def states(self, x: Tensor) -> Tensor:
        """The LSTM's hidden state after each step (B, T, H) of windows (B, T, F), by torch."""
        normalized = x if self.window is None else self.window(x)[0]
        if self.cell is not None:
            return self.cell.states(self.lstm, normalized)
        return self.lstm(normalized)[0]

    def start_epoch(self) -> None:
        """Reset the hidden normalizer at the start of a pass over the training block."""
        if self.hidden is not None:
            self.hidden.start_epoch()

    def end_epoch(self, windows: Iterable[Tensor]) -> None:
        """Let the hidden normalizer settle on the training windows (B, T, F), where it does so."""
        if self.hidden is None or not self.hidden.settles:
            return
        self.eval()
        with torch.no_grad():
            self.hidden.settle(
                self._last(x if self.window is None else self.window(x)[0]) for x in windows
            )
        self.train()


class Ensemble(nn.Module):
    """Networks of one variant that differ in their seeds; the forecast is the mean of theirs."""

    def __init__(self, members: Iterable[Forecaster]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, x: Tensor, dates: Tensor) -> Tensor:
        """(B, T, F) windows and the (B,) date rows at which they end -> (B,) forecasts."""
        return torch.stack([member(x, dates) for member in self.members]).mean(dim=0)


def build(
    variant: Variant, n_features: int, spec: NetworkSpec, seed: int, engine: str = "auto"
) -> Forecaster:
    """A new network; with the same seed, all variants have the same initial LSTM and head.

    The global random state is restored. ``engine`` torch keeps the native LSTM from running; so
    do dropout between layers and most normalizers of the cell, which it lacks: scoring uses the
    engine of the training.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        native = engine != "torch" and variant.native and not (spec.dropout and spec.layers > 1)
        return Forecaster(variant, n_features, spec, native)
