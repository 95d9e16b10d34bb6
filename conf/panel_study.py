"""The typed description of a study of normalizations on several panels."""

from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from foldproof.conf.compute import ComputeSpec
from foldproof.conf.form import Description
from foldproof.conf.panels import PanelSpec, require_sources
from foldproof.conf.schema import Experiment
from foldproof.models.normalizers import resolve
from foldproof.models.spec import NetworkSpec, TrainingSpec, at_least, require
from foldproof.tasks.attribute.spec import AttributionSpec
from foldproof.tasks.compare.spec import StatisticsSpec
from foldproof.tasks.decompose.spec import DecompositionSpec
from foldproof.tasks.diagnose.spec import AuditSpec
from foldproof.tasks.panel_study.tables import Role
from foldproof.tasks.portfolio.spec import PortfolioSpec
from foldproof.tasks.track.spec import TrackingSpec
from foldproof.tasks.train.tuning import TuningSpec

SHARED = (
    "variants", "references", "network", "training", "tuning", "seeds", "attribution", "audit",
    "statistics", "decomposition", "portfolio", "tracking", "compute",
)  # fmt: skip
"""Settings that the comparisons of all panels share."""


@dataclass(frozen=True)
class StudyPanel(PanelSpec):
    """A panel of the study, which is compared by itself and then pooled with others."""

    role: Role = Role.REAL
    """real: its gains are pooled; planted: a known family must win; noise: nothing may."""
    expected: tuple[str, ...] = ()
    """Planted panels: one of these variants should be the best."""
    without: tuple[str, ...] = ()
    """Variants that this panel cannot have, such as neutral_zscore where no column is a style."""

    def __post_init__(self) -> None:
        require(
            bool(self.expected) == (self.role is Role.PLANTED),
            f"expected names the variants that a planted signal favours; role is {self.role}",
        )


class PanelStudy(Description):
    """Variants x panels x seeds, each panel by a comparison. Unknown keys are errors."""

    __bounds__: ClassVar = at_least(0, "seeds")

    study: Literal["normalization"]
    """Marks the file as a study, not a comparison."""
    name: str
    """Title of the study."""
    question: str
    """What the study asks, stated so that it can fail; shown above the answer."""
    panels: tuple[str, ...] = Field(min_length=1)
    """Keys of sources to run on, in this order."""
    sources: dict[str, StudyPanel]
    """Panels by names of your choice."""
    variants: tuple[str, ...] = Field(min_length=2)
    """Keys of models.normalizers.VARIANTS, as in a comparison."""
    references: tuple[str, ...] = ("zero",)
    """Forecasters without an LSTM, as in a comparison."""
    network: NetworkSpec = NetworkSpec()
    """The LSTM."""
    training: TrainingSpec = TrainingSpec()
    """How the LSTM is trained."""
    tuning: TuningSpec = TuningSpec()
    """Settings that are chosen for each variant on the oldest folds, which are not scored."""
    seeds: tuple[int, ...] = Field(min_length=2)
    """Seeds of the networks, the same for all; at least 2, because intervals are over seeds."""
    attribution: AttributionSpec = AttributionSpec(samples=0)
    """Attribution of each panel's variants; off by default."""
    audit: AuditSpec = AuditSpec()
    """Leak audit of each panel's variants."""
    statistics: StatisticsSpec = StatisticsSpec(ensemble=False)
    """Reference, margin and level of the verdicts. The reference is the same on every panel."""
    decomposition: DecompositionSpec = DecompositionSpec()
    """Styles of the neutral rank IC."""
    portfolio: PortfolioSpec = PortfolioSpec()
    """Portfolios of each panel's report."""
    tracking: TrackingSpec = TrackingSpec()
    """Where the runs are logged."""
    compute: ComputeSpec = ComputeSpec()
    """Workers, and where the results of units are kept."""

    @model_validator(mode="after")
    def fits_together(self) -> "PanelStudy":
        """Conditions on several fields together, those of a comparison included."""
        require_sources(self.panels, self.sources)
        for name, source in self.sources.items():
            self._suits(f"sources.{name}", source)
        require(
            not self.statistics.ensemble,
            "a study compares single networks: set statistics.ensemble to false",
        )
        for name in self.panels:
            self.experiment_of(name)
        return self

    def _suits(self, place: str, source: StudyPanel) -> None:
        """Whether the variants that a panel names are known, and it has the reference.

        They need not be among the variants: a part of a plan is run with fewer of them.
        """
        for field, names in (("expected", source.expected), ("without", source.without)):
            for name in names:
                try:
                    resolve(name)
                except ValueError as error:
                    raise ValueError(f"{place}.{field}: {error}") from error
        base = self.inference.reference
        require(
            base not in source.without,
            f"{place}.without must not have {base}, the reference: every panel's gains are over it",
        )

    @property
    def inference(self) -> StatisticsSpec:
        """The statistics, with the reference that is the same on every panel."""
        return replace(self.statistics, reference=self.statistics.base(self.variants))

    def experiment_of(self, panel: str) -> Experiment:
        """The comparison on one panel."""
        source = self.sources[panel]
        shared: dict[str, Any] = {name: getattr(self, name) for name in SHARED}
        shared["variants"] = tuple(v for v in self.variants if v not in source.without)
        shared["statistics"] = self.inference
        return Experiment(
            name=f"{self.name}: {source.title}", data=source.data, target=source.target,
            split=source.split, **shared,
        )  # fmt: skip
