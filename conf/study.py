"""The typed description of a study of batch statistics, and how its YAML is loaded."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal

import yaml
from pydantic import Field, field_validator, model_validator

from foldproof.conf.compute import ComputeSpec
from foldproof.conf.form import Description
from foldproof.conf.load import find, load_as
from foldproof.models.normalizers import resolve
from foldproof.models.spec import NetworkSpec, Spec, TrainingSpec, at_least, require, within
from foldproof.tasks.batch_study import Composition
from foldproof.tasks.batch_study.answer import ExpectedSize, StudySettings
from foldproof.tasks.data import DRAWN
from foldproof.tasks.data.spec import DataSpec, TargetSpec
from foldproof.tasks.split import WalkForward
from foldproof.tasks.track.spec import TrackingSpec


@dataclass(frozen=True)
class PanelSpec(Spec):
    """A panel of the study, with the plan whose newest fold is trained and tested."""

    title: str
    """A few words for tables and figures."""
    split: WalkForward
    """Plan of the newest fold."""
    data: DataSpec = DataSpec()  # noqa: RUF009  # frozen
    """Source of the rows. Synthetic panels are drawn again for each seed of the study."""
    target: TargetSpec = TargetSpec()  # noqa: RUF009  # frozen
    """Target of the forecasts."""

    def drawn(self, seed: int) -> DataSpec:
        """The data for one seed of the study."""
        if self.data.source not in DRAWN:
            return self.data
        size = self.data.synthetic
        return replace(self.data, synthetic=replace(size, seed=size.seed + seed))

    @property
    def about(self) -> StudySettings:
        """Title and the best possible rank IC, which is known for jointly normal draws."""
        if self.data.source == "noise":
            return StudySettings(self.title, 0.0)
        if self.data.source != "echo":
            return StudySettings(self.title, None)
        return StudySettings(self.title, 6 / math.pi * math.asin(self.data.synthetic.signal / 2))


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
        unknown = [name for name in self.panels if name not in self.sources]
        require(
            not unknown,
            f"panels has {', '.join(unknown)}, but sources has only {', '.join(self.sources)}",
        )
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


def study_of(source: str | Path) -> str | None:
    """The kind of study that a file describes; None for a comparison or a file that is not YAML.

    Raises:
        ConfigError: No such file or preset.
    """
    file = find(source)
    try:
        tree = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError):
        return None  # loading it reports what is wrong
    kind = tree.get("study") if isinstance(tree, dict) else None
    return None if kind is None else str(kind)


def load_study(source: str | Path, overrides: Sequence[str] = ()) -> BatchStudy:
    """The study in ``source`` with ``overrides`` such as ``seeds=[0,1]``.

    Raises:
        ConfigError: No such file or preset, broken YAML, an unknown key, or a value out of bounds.
    """
    return load_as(BatchStudy, source, overrides)
