"""A normalization variant: up to four normalizers at four places, and its claims."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple, Protocol

from torch import Tensor, nn

from foldproof.models.date_rows import Rows
from foldproof.models.spec import TargetName, require


class Scaled(NamedTuple):
    """A normalized panel and the derivative of the normalization.

    Attributes:
        values: Normalized features, (D, S, F).
        slope: d values / d input with fixed statistics, broadcastable to (D, S, F), in 1 / input
            units. Ranks have no derivative: their slope is 1, so attributions are per unit of rank.
    """

    values: Tensor
    slope: Tensor


Axis = Literal["dates", "symbols"]
"""A direction of the panel in which it can be cut into parts."""


class InputNormalizer(Protocol):
    """Normalizes the panel before windows are cut, with statistics over rows or symbols.

    One that normalizes each date, or each symbol, without reading the others may say so with an
    attribute ``independent``: "dates" or "symbols". It then gets parts of a large panel, and must
    not write to what it gets.

    One that needs the names of the features has a method ``named``, which gets them and returns the
    normalizer to fit. Its state keeps what it needs of them, and ``with_state`` returns the same
    from the state.
    """

    def fit(self, values: Tensor, member: Tensor, rows: Rows) -> dict[str, Tensor]:
        """Statistics of ``values`` (D, S, F) and ``member`` (D, S) at ``rows`` only."""
        ...

    def apply(self, values: Tensor, member: Tensor, state: dict[str, Tensor]) -> Scaled:
        """Normalize ``values`` (D, S, F); NaN stays NaN and is in no statistic."""
        ...


def independent(normalizer: InputNormalizer | None) -> Axis | None:
    """The axis along which parts of a panel are normalized without reading one another.

    A class that overrides ``apply`` does not inherit the claim of the method that it replaces.
    """
    if normalizer is None:
        return "dates"
    for kind in type(normalizer).__mro__:
        if "independent" in vars(kind):
            claim: Axis | None = normalizer.independent  # type: ignore[attr-defined]
            return claim
        if "apply" in vars(kind):
            break
    return None


class WindowNormalizer(nn.Module):
    """Normalizes windows inside the graph. It returns what its inverse needs and stores nothing.

    Attributes:
        ahead: The rows after a window that :meth:`ahead_loss` reads; 0 if there is no such loss.
        purged: Whether only windows whose ``ahead`` rows are in the training block count; all but
            leaky controls need it.
    """

    ahead: ClassVar[int] = 0
    purged: ClassVar[bool] = True

    def ahead_loss(self, x: Tensor, later: Tensor) -> Tensor:
        """The loss () that trains all parameters of the normalizer before the network's training.

        Args:
            x: (B, T, F) windows.
            later: (B, ahead, F) the rows that follow them.
        """
        raise NotImplementedError

    def set_length(self, length: int) -> None:
        """Make parameters for each of the T rows of a window; called once, before the first pass.

        By default there are none.
        """

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """(B, T, F) -> normalized (B, T, F), context for :meth:`inverse`."""
        raise NotImplementedError

    def inverse(self, forecast: Tensor, context: tuple[Tensor, ...]) -> Tensor:
        """(B,) forecast in normalized units -> (B,) forecast in the target's units."""
        return forecast

    def only_reads(self) -> bool:
        """Whether it learns nothing, keeps nothing and leaves the forecast as it is."""
        state = [*self.parameters(), *self.buffers()]
        return not state and type(self).inverse is WindowNormalizer.inverse


class HiddenNormalizer(nn.Module):
    """Normalizes the last hidden state inside the network."""

    def forward(self, hidden: Tensor, dates: Tensor) -> Tensor:
        """(B, H) hidden states and (B,) their date rows -> (B, H)."""
        raise NotImplementedError

    settles: ClassVar[bool] = False
    """Whether :meth:`settle` is called after each pass over the training block."""

    def start_epoch(self) -> None:
        """Called before each pass over the training block; by default it does nothing."""

    def settle(self, states: Iterable[Tensor]) -> None:
        """Estimate statistics from the hidden states (B, H) of all training samples, in batches."""


class CellNormalizer(nn.Module):
    """Runs the LSTM with a normalization inside its recurrence.

    Attributes:
        native: Whether the native LSTM can run it.
    """

    native: ClassVar[bool] = False

    def forward(self, lstm: nn.LSTM, x: Tensor, native: bool = True) -> Tensor:
        """The top layer's last hidden state (B, H) of windows (B, T, F), with the LSTM's weights.

        ``native`` False keeps the native LSTM from running.
        """
        raise NotImplementedError

    def states(self, lstm: nn.LSTM, x: Tensor) -> Tensor:
        """The top layer's hidden state after each step, (B, T, H)."""
        raise NotImplementedError


@dataclass(frozen=True)
class Scoring:
    """A way to score in which samples of several dates depend on each other: for controls only.

    Attributes:
        batches: Key of ``foldproof.models.batches.BATCHES``: the samples that share a pass.
        size: Largest number of samples in a pass; for batches of whole dates, the number of dates
            that can have as many samples.
        training: Whether the normalizers run in training mode: a forgotten ``eval()``.
        refreshed: Whether running statistics are first estimated again on the samples to score.
    """

    batches: str
    size: int
    training: bool = False
    refreshed: bool = False


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
        unbounded: Claim: values depend on all earlier rows, so scoring needs the rows since the
            first one of the training panel.
        cell: Makes what runs the LSTM from the LSTM and the rows of a window, or None.
        batches: The batch composition that the variant needs; None for any.
        target: The kind of target that it trains on; None for the kind of the settings. Forecasts
            are scored on the kind of the settings whatever they were trained on.
        causal: Claim: the forecast for a date uses no later row.
        coupling: Claim: the samples that share statistics with a sample at scoring: none, or those
            of its date; batch, all that are scored together, is for controls.
        training_coupling: The same in training; batch means all samples of the batch.
        causal_steps: Claim: at scoring, a normalized step of a window uses no later step of it. The
            network reads the last step only, so this is no leak; a network with an output at each
            step needs it.
        control: Whether it leaks on purpose, to prove that the audit detects it.
        scoring: How a control is scored; None for eval mode, each date for itself.
        statistics: The rows or samples that its statistics come from, in a few words.
        good_for: The data or the question that it suits, in one line.
        trap: The mistake that users make with it, in one line.
        groups: The features of each group, as written, where it normalizes groups of features
            differently.
        kinks: Where its slopes jump or are steep, so that integrated gradients may miss the
            tolerance; empty where they add up. Where they miss it, attributions to raw rows are
            Shapley values.
        positive: Whether it is meant for positive features only, such as prices, because it divides
            by them. Its other claims hold for those.
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
    coupling: Literal["none", "date", "batch"] = "none"
    training_coupling: Literal["none", "date", "batch"] = "none"
    causal_steps: bool = True
    control: bool = False
    scoring: Scoring | None = None
    statistics: str = ""
    good_for: str = ""
    trap: str = ""
    kinks: str = ""
    positive: bool = False
    unbounded: bool = False
    groups: tuple[str, ...] = ()
    cell: Callable[[nn.LSTM, int], CellNormalizer] | None = None

    def __post_init__(self) -> None:
        require(
            self.control or (self.scoring is None and self.coupling != "batch"),
            f"variant {self.title!r}: only a control may set scoring, or claim coupling batch: its "
            "forecasts depend on whatever shares a pass with them",
        )

    @property
    def native(self) -> bool:
        """Whether the native LSTM can run it: all but those with a cell that runs in torch only."""
        return self.cell is None or bool(getattr(self.cell, "native", False))

    @property
    def place(self) -> Literal["input", "window", "cell", "hidden"]:
        """The last place that it normalizes, by which the catalogue is sorted."""
        if self.hidden is not None:
            return "hidden"
        if self.cell is not None:
            return "cell"
        return "input" if self.window is None else "window"

    def window_for(self, n_features: int, length: int) -> WindowNormalizer | None:
        """A new normalizer of windows (B, length, n_features), or None."""
        if self.window is None:
            return None
        made = self.window(n_features)
        made.set_length(length)
        return made
