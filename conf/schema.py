"""The typed description of an experiment, for presets, the command line and flow parameters."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Annotated, ClassVar
from zoneinfo import ZoneInfo

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from foldproof.conf.compute import ComputeSpec
from foldproof.conf.form import Description
from foldproof.models.batches import BATCHES
from foldproof.models.engine import require_samples
from foldproof.models.normalizers import CONTROLS, VARIANTS, grouped_name, resolve
from foldproof.models.spec import OWN, NetworkSpec, TrainingSpec, at_least, require
from foldproof.tasks.attribute.spec import AttributionSpec
from foldproof.tasks.compare.spec import StatisticsSpec
from foldproof.tasks.data.features.target import KINDS
from foldproof.tasks.data.spec import DataSpec, TargetSpec
from foldproof.tasks.decompose.spec import DecompositionSpec
from foldproof.tasks.diagnose.spec import AuditSpec
from foldproof.tasks.operate.spec import OperationSpec
from foldproof.tasks.portfolio.spec import PortfolioSpec
from foldproof.tasks.split import CombinatorialPurged, WalkForward
from foldproof.tasks.track.spec import TrackingSpec
from foldproof.tasks.train.references import FEATURE_REFERENCE, REFERENCES, reference_of
from foldproof.tasks.train.tuning import TuningSpec


def kind_of_plan(split: object) -> object:
    """The value of ``split.plan``; walk_forward where none is set."""
    named = split.get("plan") if isinstance(split, Mapping) else getattr(split, "plan", None)
    return "walk_forward" if named is None else named


AnyPlan = Annotated[
    Annotated[WalkForward, Tag("walk_forward")]
    | Annotated[CombinatorialPurged, Tag("combinatorial")],
    Discriminator(kind_of_plan),
]
"""A plan as the settings describe it: ``plan`` says which."""


class Experiment(Description):
    """All settings of a comparison. Unknown keys are errors."""

    __bounds__: ClassVar = at_least(0, "seeds")
    __choices__: ClassVar = MappingProxyType(
        {
            "variants": (*VARIANTS, *CONTROLS, OWN),
            "references": (*REFERENCES, FEATURE_REFERENCE),
        }
    )

    name: str
    """Title of the comparison in the report and the tracker."""
    data: DataSpec = DataSpec()
    """Source and features of the panel."""
    target: TargetSpec = TargetSpec()
    """Target of the forecasts."""
    split: AnyPlan
    """Plan of the folds: walk-forward, or combinatorial with the paths of a cross-validation."""
    variants: tuple[str, ...]
    """Keys of models.normalizers.VARIANTS, or package.module:attribute for your own. Several are
    combined as cs_rank + layer_norm; zscore @ date_block trains on these batches, and
    zscore -> cs_rank on this kind of target, whatever target.kind scores. neutral_zscore ~ beta_63
    names its style columns. A mapping of features to variants, such as
    {close: price_relative, "*": cs_rank}, normalizes groups of features."""
    references: tuple[str, ...] = tuple(REFERENCES)
    """Forecasters to compare the LSTM with: keys of tasks.train.REFERENCES, or feature:<name>, such
    as feature:momentum_252_21, for one feature alone with the sign of the training block."""
    network: NetworkSpec = NetworkSpec()
    """The LSTM."""
    training: TrainingSpec = TrainingSpec()
    """How the LSTM is trained."""
    tuning: TuningSpec = TuningSpec()
    """Settings that are chosen for each variant on folds that are not scored."""
    seeds: tuple[int, ...] = Field((0,), min_length=1)
    """Seeds of the networks of each variant and fold; see statistics.ensemble."""
    attribution: AttributionSpec = AttributionSpec()
    """Attribution: which features carry the forecast."""
    audit: AuditSpec = AuditSpec()
    """Leak audit: does a forecast depend on the future."""
    statistics: StatisticsSpec = StatisticsSpec()
    """Statistics: which variant is best, and how certain that is."""
    decomposition: DecompositionSpec = DecompositionSpec()
    """Decomposition: what the forecasts are made of."""
    portfolio: PortfolioSpec = PortfolioSpec()
    """Portfolio: what books by forecast would have earned; a diagnostic, not a backtest."""
    tracking: TrackingSpec = TrackingSpec()
    """Where runs are logged."""
    operation: OperationSpec = OperationSpec()
    """Retraining, scoring and monitoring of a registered model."""
    compute: ComputeSpec = ComputeSpec()
    """Workers, and where the results of units are kept."""

    @field_validator("variants", mode="before")
    @classmethod
    def named_groups(cls, names: object) -> object:
        """A mapping of features to variants becomes the name of one variant."""
        if not isinstance(names, list | tuple):
            return names
        return tuple(grouped_name(one) if isinstance(one, Mapping) else one for one in names)

    @field_validator("variants")
    @classmethod
    def known_variants(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        """At least one variant, each of which can be imported."""
        require(bool(names), "at least one variant is needed; 'none' is the plain LSTM")
        for name in names:
            resolve(name)
        return names

    @field_validator("references")
    @classmethod
    def known_references(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        """Each is built in, or one feature; whether the panel has it is known later."""
        for name in names:
            reference_of(name)
        return names

    @model_validator(mode="after")
    def fits_together(self) -> "Experiment":
        """Conditions on several specs together."""
        require(
            self.split.validation != 0,
            "split.validation must not be 0: early stopping and the references need it",
        )
        if isinstance(self.split, CombinatorialPurged):
            self._suits_paths(self.split)
        require(
            self.statistics.base(self.variants) in self.variants,
            f"statistics.reference {self.statistics.reference!r} must be one of the variants "
            f"({', '.join(self.variants)})",
        )
        for name in self.variants:
            variant = resolve(name)
            require(
                variant.native or self.training.engine != "native",
                f"training.engine native does not run the LSTM's cell of variant {name}; set it "
                "to auto, which runs this variant in torch",
            )
            composition = variant.batches or self.training.batches
            require(
                self.training.loss != "rank_correlation" or BATCHES[composition].whole_dates,
                f"training.loss rank_correlation needs whole dates in a batch; variant {name} "
                f"trains on {composition!r}",
            )
            require_samples(name, resolve(name), self.training)
        return self

    def _suits_paths(self, split: CombinatorialPurged) -> None:
        """Conditions on the other specs where each date is forecast on several paths."""
        least = self.network.window - 1 - self.target.horizon
        require(
            split.embargo >= least,
            f"split.embargo must be at least {least} with windows of {self.network.window} rows "
            f"and a horizon of {self.target.horizon}: otherwise windows that are trained on read "
            f"dates of the test groups before them; it is {split.embargo}",
        )
        require(
            len(self.seeds) == 1 or not self.statistics.ensemble,
            "statistics.ensemble must be false with several seeds and split.plan combinatorial: "
            "the figures of a path are those of single networks",
        )
        for name in self.variants:
            require(
                not getattr(resolve(name).window, "ahead", 0),
                f"variant {name} learns from the rows after its windows, which may be tested with "
                "split.plan combinatorial: leave it out, or use walk_forward",
            )
        require(
            not self.tuning.folds,
            "tuning.folds must be 0 with split.plan combinatorial: its folds are in no order, so "
            "none is older than all that are scored",
        )

    def tonight(self, start: datetime | None = None) -> "Experiment":
        """This experiment without rows after its night.

        The night is ``operation.as_of``, or else the date of the start in ``operation.timezone``.

        Args:
            start: When the run was due to start, with a time zone; now by default.
        """
        begins = (start or datetime.now(UTC)).astimezone(ZoneInfo(self.operation.timezone))
        night = self.operation.as_of or begins.date()
        end = min(night, self.data.end or night)
        operation = replace(self.operation, as_of=night)
        return self.model_copy(update={"data": replace(self.data, end=end), "operation": operation})

    def target_of(self, variant: str) -> TargetSpec:
        """The target that a variant trains on; all are scored on ``target``."""
        kind = resolve(variant).target
        return self.target if kind is None else replace(self.target, kind=kind)

    def network_of(self, variant: str, network: NetworkSpec | None = None) -> NetworkSpec:
        """The network of a variant, by default ``network`` of the settings, for its target.

        RevIN and Dish-TS undo the normalization of a window on the forecast, by the level and
        spread of one feature. A target that compares the stocks of a date has neither, so there the
        forecast would begin with an error that training has to unlearn.
        """
        given = network or self.network
        across = KINDS[self.target_of(variant).kind].cross_sectional
        return replace(given, denormalize=False) if across else given

    @property
    def controls(self) -> tuple[str, ...]:
        """The variants that leak on purpose."""
        return tuple(name for name in self.variants if resolve(name).control)
