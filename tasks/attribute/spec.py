"""Settings of the attribution of an experiment."""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import BeforeValidator

from foldproof.models.spec import Spec, at_least, require, require_distinct, within
from foldproof.tasks.attribute.baselines.catalogue import BASELINES
from foldproof.tasks.attribute.methods.catalogue import (
    ATTRIBUTIONS,
    DEFAULT,
    FORMER_KEYS,
    check_methods,
)
from foldproof.tasks.attribute.trust.spec import TrustSpec


def trust_spec(value: Any) -> Any:
    """``true`` means the default checks, ``false`` none, as in configurations before the spec."""
    return {True: TrustSpec(), False: None}[value] if isinstance(value, bool) else value


@dataclass(frozen=True)
class AttributionSpec(Spec):
    """By which methods, and on how many windows, every unit's forecasts are attributed."""

    __bounds__ = (
        at_least(0, "samples", "seeds", "origins", "canaries", "permuted_labels")
        | at_least(1, "nodes")
        | within("[0, 1]", "drift_alert")
    )
    __choices__ = MappingProxyType({"methods": ATTRIBUTIONS, "baselines": BASELINES})

    samples: int = 400
    """Test windows attributed per unit, spread evenly over its dates; 0 for no attribution."""
    seeds: int = 2
    """Seeds whose units are attributed, the smallest ones, 0 for all; two show how stable the
    rankings are over seeds."""
    nodes: int = 20
    """Gauss-Legendre nodes per path; doubled for samples whose completeness error is too large."""
    methods: tuple[str, ...] = DEFAULT
    """Keys of tasks.attribute.ATTRIBUTIONS; integrated_gradients must be among them."""
    groups: tuple[tuple[str, ...], ...] = ()
    """Features that shapley and occlusion_by_group move together; () for each feature alone."""

    origins: int = 2
    """Forecasts of each variant's newest unit that are attributed, through the input normalizer's
    statistics, to the supplied features: own window, rows before, other symbols; 0 for none."""

    prices: bool = False
    """Whether these forecasts are also attributed to the daily returns that price features are made
    of: a second each, up to a minute where a normalizer mixes stocks or looks far back."""

    baselines: tuple[str, ...] = ("train_draw", "cs_median")
    """Keys of tasks.attribute.BASELINES: the feature ranking of the newest unit against the first
    one is compared with the rankings against the others; () for no comparison."""
    drift_alert: float = 0.2
    """Least share of the importance that must move to other features, or to the other direction,
    from a fold to the next for an alert, if resampled dates do not explain it; 1 for no alert."""
    trust: Annotated[
        TrustSpec | None,
        BeforeValidator(trust_spec, json_schema_input_type=TrustSpec | bool | None),
    ] = TrustSpec()  # noqa: RUF009  # frozen
    """Checks of the attribution of each variant's newest unit; null for none."""

    canaries: int = 0
    """Noise columns added to the features for one more training of the newest unit: features that
    do not rank above them are not reliable. One training per variant; 20 columns can separate one
    feature."""
    permuted_labels: int = 0
    """Trainings of the newest unit on labels permuted within dates: a ranking that these share was
    not learned. Each costs a training; 2 or 3 are enough."""

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "methods", tuple(FORMER_KEYS.get(name, name) for name in self.methods)
        )
        super().__post_init__()
        require(
            self.origins > 0 or not self.prices,
            "prices uses the forecasts of origins: set origins to 1 or more, or prices to false",
        )
        for name in ("canaries", "permuted_labels"):
            require(
                self.trust is not None or not getattr(self, name),
                f"{name} is a check: set trust to true, or {name} to 0",
            )
        check_methods(self.methods)
        require(all(self.groups), f"no group may be empty; they are {self.groups}")
        members = [name for group in self.groups for name in group]
        require_distinct(members, "features in groups, which must be disjoint")
