"""Settings of the portfolios."""

from dataclasses import dataclass

from foldproof.models.spec import Spec, at_least, require_distinct, within


@dataclass(frozen=True)
class PortfolioSpec(Spec):
    """Portfolios by quantile of the forecast, before and after costs."""

    __bounds__ = at_least(2, "quantiles") | within("[0, 1000]", "costs")

    quantiles: int = 5
    """Portfolios that the stocks of a date are cut into by their forecast; 3 where that leaves
    fewer than two stocks in each."""
    costs: tuple[float, ...] = (0.0, 5.0, 10.0, 20.0)
    """Costs of a trade in basis points of its value: half spread, fees and impact."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_distinct(self.costs, "costs")

    def cut(self, names: float) -> int:
        """The number of quantiles for dates with ``names`` stocks."""
        return self.quantiles if names >= 2 * self.quantiles else min(3, self.quantiles)
