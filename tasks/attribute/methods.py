"""The attribution methods: what each measures and what it cannot see."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Method:
    """One way to say how much a feature carries the forecast.

    Attributes:
        title: A few words for tables and figures.
        formula: The importance of a feature in one line.
        unit: What one unit of the importance is.
        source: Paper or practice.
        blind_to: What can be there without being seen.
    """

    title: str
    formula: str
    unit: str
    source: str
    blind_to: str


ATTRIBUTIONS: Mapping[str, Method] = MappingProxyType(
    {
        "integrated_gradients": Method(
            "integrated gradients",
            "sum over lags of the mean over samples of |(x - x') ∫ ∂f/∂x(x' + α(x - x')) dα|, "
            "x' a window drawn from the training block",
            "the target's unit",
            "Sundararajan, Taly & Yan 2017 (ICML)",
            "what other baselines would show; lags that cancel each other count in full",
        ),
        "citic": Method(
            "mean partial derivative",
            "sum over lags of the mean over dates of |mean over stocks of ∂f/∂x|",
            "the target's unit per standard deviation of the feature",
            "a broker's note on factor optimisation, known by an excerpt; reading A",
            "effects whose sign differs across stocks: symmetric non-linearity, interactions",
        ),
        "citic_abs": Method(
            "mean absolute partial derivative",
            "sum over lags of the mean over dates and stocks of |∂f/∂x|",
            "the target's unit per standard deviation of the feature",
            "reading B of the same note; as Chen, Pelger & Zhu 2024 (Management Science 70:714)",
            "direction; anything away from the observed points",
        ),
    }
)
