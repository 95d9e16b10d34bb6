"""The typed description of a study of batch statistics, and how the YAML of any study is loaded."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from foldproof.conf.compute import ComputeSpec
from foldproof.conf.form import Description
from foldproof.conf.load import ConfigError, find, load_as, study_of
from foldproof.conf.panel_study import PanelStudy
from foldproof.conf.panels import PanelSpec, require_sources
from foldproof.conf.registration import Planned, registration
from foldproof.models.normalizers import resolve
from foldproof.models.spec import NetworkSpec, TrainingSpec, at_least, require, unknown, within
from foldproof.tasks.batch_study import Composition
from foldproof.tasks.batch_study.answer import ExpectedSize, StudySettings
from foldproof.tasks.track.spec import TrackingSpec


class BatchStudy(Description):
    """Normalizations x batch compositions on several panels. Unknown keys are errors."""

    __bounds__: ClassVar = at_least(0, "seeds") | within("[0.5, 1)", "level")

    study: Literal["batch_norm"]
    """Marks the file as a study, not a comparison."""
    name: str
    """Title of the study in the figure and the tracker."""
    panels: tuple[str, ...] = Field(min_length=1)
    """Keys of sources to run on, in this order."""
    sources: dict[str, PanelSpec]
    """Panels by names of your choice."""
    normalizations: tuple[str, ...] = Field(min_length=1)
    """Keys of models.normalizers.VARIANTS, or package.module:attribute."""
    reference: str = "none"
    """The normalization that the others are compared with, in pairs of honest scores."""
    compositions: tuple[Composition, ...] = Field(min_length=1)
    """The samples that share a batch, in training and in train-mode scoring."""
    network: NetworkSpec = NetworkSpec()
    """The LSTM."""
    training: TrainingSpec = TrainingSpec()
    """How the LSTM is trained; compositions set batches and batch_size."""
    seeds: tuple[int, ...] = Field(min_length=2)
    """Seeds of the networks; at least 2, because intervals are over seeds."""
    level: float = 0.95
    """Level of each single interval; a share of 1 - level of the named cells may be chance."""
    expected: tuple[ExpectedSize, ...] = ()
    """Results of an earlier study, to confirm or correct."""
    tracking: TrackingSpec = TrackingSpec()
    """Where the run is logged."""
    compute: ComputeSpec = ComputeSpec()
    """Workers, and where the results of cells are kept."""

    @field_validator("normalizations")
    @classmethod
    def known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        """Each can be imported."""
        for name in names:
            require(
                resolve(name).target is None,
                f"normalization {name!r} states a kind of target; a study trains on the target of "
                "each panel: leave out -> and set sources.*.target.kind",
            )
        return names

    @model_validator(mode="after")
    def fits_together(self) -> "BatchStudy":
        """Conditions on several fields together."""
        require_sources(self.panels, self.sources)
        require(
            self.reference in self.normalizations,
            f"reference {self.reference!r} must be one of the normalizations "
            f"({', '.join(self.normalizations)})",
        )
        require(
            self.training.samples == "windows",
            "a study of batches needs training.samples windows: chunks have no composition",
        )
        return self

    @property
    def about(self) -> dict[str, StudySettings]:
        """Facts about each panel for the reader, in the order of ``panels``."""
        return {name: self.sources[name].about for name in self.panels}


STUDIES: Mapping[str, type[BatchStudy] | type[PanelStudy]] = MappingProxyType(
    {"batch_norm": BatchStudy, "normalization": PanelStudy}
)
"""Kinds of studies with their descriptions."""


def load_study(source: str | Path, overrides: Sequence[str] = ()) -> BatchStudy | PanelStudy:
    """The study in ``source`` with ``overrides`` such as ``seeds=[0,1]``.

    Raises:
        ConfigError: No such file or preset, broken YAML, an unknown kind of study, an unknown key,
            or a value out of bounds.
    """
    kind = study_of(source) or "batch_norm"  # whose loading reports what is wrong
    if kind not in STUDIES:
        raise ConfigError(f"{find(source)}: {unknown('kind of study', kind, STUDIES)}")
    return load_as(STUDIES[kind], source, overrides)


def load_plan(source: str | Path, overrides: Sequence[str] = ()) -> Planned:
    """A study of normalizations with its plan: the file without ``overrides``.

    Raises:
        ConfigError: As for :func:`load_study`.
    """
    study, plan = load_as(PanelStudy, source, overrides), load_as(PanelStudy, source)
    return Planned(study, registration(find(source), plan, study))
