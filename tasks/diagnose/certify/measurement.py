"""One claim of a variant against what was measured."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Measurement:
    """The result of one probe.

    Attributes:
        claim: What the variant claims, in the terms of ``measured``; empty if it claims nothing.
        measured: What was measured.
        holds: Whether the claim holds; None if the probe could not decide.
        value: The measured size; NaN where there is none.
        detail: One sentence for a reader: the unit of the value, or what went wrong.
    """

    claim: str
    measured: str
    holds: bool | None
    value: float = float("nan")
    detail: str = ""

    @property
    def text(self) -> str:
        """What was measured, and the claim where it does not hold."""
        if self.holds is None:
            return "not measured"
        return self.measured if self.holds else f"{self.measured}, claimed {self.claim}"


def compared(claim: str, measured: str, value: float, detail: str) -> Measurement:
    """The measurement of a claim that holds only if it is exactly what was measured."""
    return Measurement(claim, measured, not claim or claim == measured, value, detail)


def yes(holds: bool) -> str:
    """``yes`` or ``no``."""
    return "yes" if holds else "no"


def size_text(size: float, tolerance: float) -> str:
    """A move as text: ``none`` up to the tolerance, else its size in sd."""
    return f"{size:.2g} sd" if size > tolerance else "none"
