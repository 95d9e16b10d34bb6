"""What a normalization variant is: up to three normalizers at three places, and what it claims."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from torch import Tensor, nn


class Scaled(NamedTuple):
    """A normalized panel and the local scale that undoes it.

    Attributes:
        values: Normalized features, (D, S, F).
        slope: d values / d input with all statistics held fixed, broadcastable to (D, S, F), in
            1 / input units. Ranks have no such derivative: their slope is 1, so that attributions
            are per unit of rank.
    """

    values: Tensor
    slope: Tensor


class InputNormalizer(Protocol):
    """Normalizes the panel before windows are cut: statistics over rows, symbols, history."""

    def fit(self, values: Tensor, member: Tensor, rows: range) -> dict[str, Tensor]:
        """Statistics from ``values`` (D, S, F), ``member`` (D, S) at ``rows`` only."""
        ...

    def apply(self, values: Tensor, member: Tensor, state: dict[str, Tensor]) -> Scaled:
        """Normalize ``values`` (D, S, F); NaN stays NaN and enters no statistic."""
        ...


class WindowNormalizer(nn.Module):
    """Normalizes windows inside the graph. Returns what is needed to undo it, stores nothing."""

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """(B, T, F) -> normalized (B, T, F), context for :meth:`inverse`."""
        raise NotImplementedError

    def inverse(self, forecast: Tensor, context: tuple[Tensor, ...]) -> Tensor:
        """(B,) forecast in normalized units -> (B,) forecast in the target's units."""
        return forecast


class HiddenNormalizer(nn.Module):
    """Normalizes the last hidden state inside the network."""

    def forward(self, hidden: Tensor, dates: Tensor) -> Tensor:
        """(B, H) hidden states and (B,) their date rows -> (B, H)."""
        raise NotImplementedError

    def start_epoch(self) -> None:
        """Called before each pass over the training block; most have nothing to do."""


@dataclass(frozen=True)
class Variant:
    """A normalization of the LSTM: what is compared. Claims are tested by the audit, not trusted.

    Attributes:
        title: A few words for tables and figures.
        formula: The normalization in one line.
        source: Paper, library or practice it is taken from.
        input: Normalizer of the panel, or None.
        window: Makes the normalizer of windows from the number of features, or None.
        hidden: Makes the normalizer of the last hidden state from its size, or None.
        batches: The batch composition that the variant needs, or None where any will do.
        causal: Claim: the scored forecast for a date uses no row dated later.
        coupling: Claim: whose rows share statistics with a sample when forecasts are scored:
            none (its own), date (its date's cross-section).
        training_coupling: The same while training; batch means whoever shares the batch.
        control: True for a variant that leaks on purpose, to prove that the audit sees.
    """

    title: str
    formula: str
    source: str
    input: InputNormalizer | None = None
    window: Callable[[int], WindowNormalizer] | None = None
    hidden: Callable[[int], HiddenNormalizer] | None = None
    batches: str | None = None
    causal: bool = True
    coupling: Literal["none", "date"] = "none"
    training_coupling: Literal["none", "date", "batch"] = "none"
    control: bool = False
