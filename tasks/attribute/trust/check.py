"""The outcome of a check of an attribution."""

from dataclasses import dataclass

import numpy as np

from tasks.attribute.trust.catalogue import TRUST


@dataclass(frozen=True)
class Check:
    """What a check of an attribution found.

    Attributes:
        name: Key of :data:`~tasks.attribute.trust.catalogue.TRUST`.
        value: The statistic, in the check's unit.
        low: Lower end of its 95 % interval; NaN where it has none.
        high: Upper end.
        mark: The pass mark.
        passed: None where the check cannot tell; ``detail`` says why.
        detail: One sentence for people, without a full stop.
    """

    name: str
    value: float
    low: float
    high: float
    mark: float
    passed: bool | None
    detail: str

    def __post_init__(self) -> None:
        if self.name not in TRUST:
            raise ValueError(f"{self.name!r} is not a check; there are {', '.join(TRUST)}")


def check(
    name: str,
    value: float,
    mark: float,
    passed: bool | None,
    detail: str,
    interval: tuple[float, float] = (np.nan, np.nan),
) -> Check:
    """A :class:`Check` of plain Python numbers, whatever they were computed with."""
    low, high = (float(end) for end in interval)
    told = None if passed is None else bool(passed)
    return Check(name, float(value), low, high, float(mark), told, detail)
