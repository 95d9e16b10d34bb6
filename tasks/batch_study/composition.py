"""Which samples share a batch in a cell of the study, and which normalizations allow it."""

from dataclasses import dataclass, replace
from typing import Literal

from foldproof.models.batches import BATCHES
from foldproof.models.normalizers import resolve
from foldproof.models.spec import Spec, TrainingSpec, at_least, require

BY_DATES = ("date_block", "chronological")
"""Compositions sized in dates; the others are sized in samples."""


@dataclass(frozen=True)
class Composition(Spec):
    """A batch composition: a key of models.batches.BATCHES with its size in samples or dates."""

    __bounds__ = at_least(1, "dates", "epochs") | at_least(2, "size")

    batches: Literal["shuffled", "date_block", "symbol", "chronological"]
    """shuffled, date_block, symbol or chronological; see models.batches."""
    size: int | None = None
    """Largest number of samples in a batch; for shuffled and symbol."""
    dates: int | None = None
    """Adjacent whole dates in a batch; for date_block and chronological."""
    epochs: int | None = None
    """Largest number of epochs, in place of training.epochs: small batches make many steps."""

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
        """Largest number of samples in a batch, on a panel of ``symbols``."""
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
    """Why a normalization cannot be trained on these batches; None if it can.

    A variant with its own ``batches`` would silently overrule the composition.
    """
    variant, batches = resolve(normalization), BATCHES[composition.batches]
    if variant.batches in (None, composition.batches):
        return None
    if variant.training_coupling == "date" and not batches.whole_dates:
        return (
            f"takes its statistics over one date, and {composition.title} splits dates: a sample "
            "alone on its date is normalized to a constant"
        )
    needed = str(variant.batches)
    return f"is trained only on {needed} batches ({BATCHES[needed].description})"
