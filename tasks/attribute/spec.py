"""How much attribution an experiment asks for."""

from dataclasses import dataclass
from types import MappingProxyType

from foldproof.models.spec import Spec, at_least, require, require_distinct, within
from foldproof.tasks.attribute.baselines.catalogue import BASELINES
from foldproof.tasks.attribute.methods.catalogue import ATTRIBUTIONS, DEFAULT, check_methods


@dataclass(frozen=True)
class AttributionSpec(Spec):
    """By which methods, and on how many windows, every unit's forecasts are attributed."""

    __bounds__ = (
        at_least(0, "samples", "origins", "canaries", "permuted_labels")
        | at_least(1, "nodes")
        | within("[0, 1]", "drift_alert")
    )
    __choices__ = MappingProxyType({"methods": ATTRIBUTIONS, "baselines": BASELINES})

    samples: int = 400
    """Test windows attributed per unit, spread evenly over its dates; 0 leaves attribution out."""
    nodes: int = 20
    """Gauss-Legendre nodes on the path; doubled for samples whose completeness gap is too wide."""
    methods: tuple[str, ...] = DEFAULT
    """Keys of tasks.attribute.ATTRIBUTIONS; integrated_gradients must be among them."""
    groups: tuple[tuple[str, ...], ...] = ()
    """Features that shapley and occlusion_by_group move together; () for each feature alone."""

    origins: int = 2
    """Forecasts of each variant's newest unit that are taken back through the input normalizer's
    statistics to the supplied features: own window, rows before, other symbols; 0 leaves it out."""

    prices: bool = False
    """Whether these forecasts are taken on to the daily returns that price features are made of: a
    second each, up to a minute where a normalizer mixes stocks or looks far back."""

    baselines: tuple[str, ...] = ("train_draw", "cs_median")
    """Keys of tasks.attribute.BASELINES: the ranking of the newest unit's features against the
    first is compared with that against the others; () leaves that out."""
    drift_alert: float = 0.2
    """Least share of the importance that must move to other features, or to the other direction,
    from a fold to the next for an alert, if resampled dates do not explain it; 1 for no alert."""
    trust: bool = True
    """Whether each variant's newest unit is checked: does its attribution deserve belief."""

    canaries: int = 0
    """Columns of noise beside the features that the newest unit is trained with once more: what is
    not above them is not believed. A training a variant; 20 tell one feature among empty ones."""
    permuted_labels: int = 0
    """Trainings of the newest unit on labels permuted within dates: a ranking that they share was
    not learned. Each costs a training; 2 or 3 tell."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            self.origins > 0 or not self.prices,
            "prices takes the forecasts of origins further: set origins to 1 or more, or prices to "
            "false",
        )
        for name in ("canaries", "permuted_labels"):
            require(
                self.trust or not getattr(self, name),
                f"{name} is a check: set trust to true, or it to 0",
            )
        check_methods(self.methods)
        require(all(self.groups), f"no group may be empty; they are {self.groups}")
        members = [name for group in self.groups for name in group]
        require_distinct(members, "features in groups, which must be disjoint")
