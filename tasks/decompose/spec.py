"""Settings of the decomposition."""

from dataclasses import dataclass

from foldproof.models.spec import STYLES, Spec, at_least, require_distinct


@dataclass(frozen=True)
class DecompositionSpec(Spec):
    """What the rank IC is decomposed by."""

    __bounds__ = at_least(1, "horizons") | at_least(0, "delays")

    styles: tuple[str, ...] | None = None
    """Features that the neutral rank IC is neutral to; null: those of momentum_252_21,
    volatility_63, return_5 and beta_63 that the panel has; [] for none."""
    horizons: tuple[int, ...] = (1, 2, 5, 10, 21)
    """Trading days of the forward returns that the same forecasts are scored on; [] for none."""
    delays: tuple[int, ...] = (0, 1, 2, 3, 4, 5)
    """Trading days after which the forecasts are used: the return over target.horizon starts that
    much later; [] for none."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("styles", "horizons", "delays"):
            require_distinct(getattr(self, name) or (), name)

    def chosen(self, features: tuple[str, ...]) -> tuple[str, ...]:
        """The style columns among the ``features`` of a panel.

        Raises:
            ValueError: A style is not a feature.
        """
        if self.styles is None:
            return tuple(name for name in STYLES if name in features)
        unknown = [name for name in self.styles if name not in features]
        if unknown:
            raise ValueError(
                f"decomposition.styles names {unknown[0]!r}, which is not a feature of the panel; "
                f"there are {', '.join(features)}"
            )
        return self.styles
