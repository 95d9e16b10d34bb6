"""Which samples share a batch in a cell of the study, and which normalizations that suits."""

from dataclasses import dataclass, replace
from typing import Literal

from foldproof.models.batches import BATCHES
from foldproof.models.normalizers import resolve
from foldproof.models.spec import Spec, TrainingSpec, at_least, require

BY_DATES = ("date_block", "chronological")
"""Compositions whose size is counted in dates; that of the others in samples."""


@dataclass(frozen=True)
class Composition(Spec):
    """A way to batch: a key of models.batches.BATCHES with its size in samples or in dates."""

    __bounds__ = at_least(1, "dates", "epochs") | at_least(2, "size")

    batches: Literal["shuffled", "date_block", "symbol", "chronological"]
    """shuffled, date_block, symbol or chronological; see models.batches."""
    size: int | None = None
    """Samples in a batch at most; for shuffled and symbol."""
    dates: int | None = None
    """Whole adjacent dates in a batch; for date_block and chronological. 1 is one date."""
    epochs: int | None = None
    """Passes at most, in place of training.epochs: small batches make many steps a pass."""

    def __post_init__(self) -> None:
        super().__post_init__()
        counted, other = ("dates", "size") if self.batches in BY_DATES else ("size", "dates")
        require(
            getattr(self, counted) is not None and getattr(self, other) is None,
            f"{self.batches} batches are sized by {counted} alone; size is {self.size} and dates "
            f"is {self.dates}",
        )

    @property
    def title(self) -> str:
        """A few words for tables and figures."""
        if self.batches == "shuffled":
            return f"shuffled {self.size}"
        if self.batches == "symbol":
            return f"one symbol, {self.size} days"
        number = "one date" if self.dates == 1 else f"{self.dates} dates"
        return number if self.batches == "date_block" else f"{number} in time order"

    def samples(self, symbols: int) -> int:
        """Samples in a batch at most, on a panel of so many symbols."""
        return self.size if self.size is not None else (self.dates or 1) * symbols

    def training(self, spec: TrainingSpec, symbols: int) -> TrainingSpec:
        """``spec`` with these batches."""
        return replace(
            spec,
            batches=self.batches,
            batch_size=self.samples(symbols),
            epochs=self.epochs or spec.epochs,
        )


def why_not(normalization: str, composition: Composition) -> str | None:
    """Why a normalization cannot be trained on these batches, in one sentence; None where it can.

    A variant that brings ``batches`` of its own would overrule the composition in silence.
    """
    variant, batches = resolve(normalization), BATCHES[composition.batches]
    if variant.batches in (None, composition.batches):
        return None
    if variant.training_coupling == "date" and not batches.whole_dates:
        return (
            f"takes its statistics over one date, and {composition.title} cuts dates: alone on its "
            "date, a sample comes out as a constant"
        )
    wanted = BATCHES[str(variant.batches)]
    return f"is trained on {wanted.name} batches alone ({wanted.description})"
