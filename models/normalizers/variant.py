"""A normalization variant: up to three normalizers at three places, and its claims."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from torch import Tensor, nn

from foldproof.models.spec import TargetName


class Scaled(NamedTuple):
    """A normalized panel and the derivative of the normalization.

    Attributes:
        values: Normalized features, (D, S, F).
        slope: d values / d input with fixed statistics, broadcastable to (D, S, F), in 1 / input
            units. Ranks have no derivative: their slope is 1, so attributions are per unit of rank.
    """

    values: Tensor
    slope: Tensor


class InputNormalizer(Protocol):
    """Normalizes the panel before windows are cut, with statistics over rows or symbols."""

    def fit(self, values: Tensor, member: Tensor, rows: range) -> dict[str, Tensor]:
        """Statistics of ``values`` (D, S, F) and ``member`` (D, S) at ``rows`` only."""
        ...

    def apply(self, values: Tensor, member: Tensor, state: dict[str, Tensor]) -> Scaled:
        """Normalize ``values`` (D, S, F); NaN stays NaN and is in no statistic."""
        ...


class WindowNormalizer(nn.Module):
    """Normalizes windows inside the graph. It returns what its inverse needs and stores nothing."""

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
        """Called before each pass over the training block; by default it does nothing."""


@dataclass(frozen=True)
class Variant:
    """A normalization of the LSTM. The audit tests its claims.

    Attributes:
        title: A few words for tables and figures.
        formula: The normalization in one line.
        source: Paper, library or practice that it comes from.
        input: Normalizer of the panel, or None.
        window: Makes the normalizer of windows from the number of features, or None.
        hidden: Makes the normalizer of the last hidden state from its size, or None.
        batches: The batch composition that the variant needs; None for any.
        target: The kind of target that it trains on; None for the kind of the settings. Forecasts
            are scored on the kind of the settings whatever they were trained on.
        causal: Claim: the forecast for a date uses no later row.
        coupling: Claim: the samples that share statistics with a sample at scoring: none, or those
            of its date.
        training_coupling: The same in training; batch means all samples of the batch.
        control: Whether it leaks on purpose, to prove that the audit detects it.
        statistics: The rows or samples that its statistics come from, in a few words.
        trap: The mistake that users make with it, in one line.
    """

    title: str
    formula: str
    source: str
    input: InputNormalizer | None = None
    window: Callable[[int], WindowNormalizer] | None = None
    hidden: Callable[[int], HiddenNormalizer] | None = None
    batches: str | None = None
    target: TargetName | None = None
    causal: bool = True
    coupling: Literal["none", "date"] = "none"
    training_coupling: Literal["none", "date", "batch"] = "none"
    control: bool = False
    statistics: str = ""
    trap: str = ""
