"""Settings of the comparison."""

from collections.abc import Sequence
from dataclasses import dataclass

from foldproof.models.spec import Spec, at_least, within


@dataclass(frozen=True)
class StatisticsSpec(Spec):
    """Intervals and the confidence set over the daily rank IC."""

    __bounds__ = at_least(100, "draws") | within("(0, 1]", "margin") | within("[0.5, 1)", "level")

    reference: str | None = None
    """The variant that gains are measured against; null: zscore, else the first variant."""
    level: float = 0.95
    """Joint level of the intervals over all variants, and of the confidence set."""
    margin: float = 0.005
    """Largest difference in mean daily rank IC that does not matter: within it a variant is
    equivalent to the reference."""
    ensemble: bool = True
    """With several seeds: the forecaster is the mean forecast over seeds, and is registered as
    such; false: it is one network, compared by means over seeds."""
    draws: int = 1000
    """Bootstrap draws of dates, and of seeds if there are several."""
    seed: int = 0
    """Seeds the bootstrap."""

    def base(self, variants: Sequence[str]) -> str:
        """The reference among ``variants``.

        Raw inputs are a straw man: their scales differ by a factor of 80 on the bundled panel, so
        the network reads few of them. By default gains are therefore those over ``zscore``.
        """
        default = "zscore" if "zscore" in variants else variants[0]
        return default if self.reference is None else self.reference
