"""Panels that a study names: their data, target and folds."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from foldproof.models.spec import Spec, require
from foldproof.tasks.batch_study.answer import StudySettings
from foldproof.tasks.data import DRAWN
from foldproof.tasks.data.spec import DataSpec, TargetSpec
from foldproof.tasks.split import WalkForward


@dataclass(frozen=True)
class PanelSpec(Spec):
    """A panel of a study."""

    title: str
    """A few words for tables and figures."""
    split: WalkForward
    """Plan of the walk-forward folds; a study of batch statistics uses the newest."""
    data: DataSpec = DataSpec()  # noqa: RUF009  # frozen
    """Source of the rows; a study of batch statistics draws synthetic ones again for each seed."""
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


def require_sources(panels: tuple[str, ...], sources: Mapping[str, PanelSpec]) -> None:
    """Raise ValueError unless each of ``panels`` is a key of ``sources``."""
    unknown = [name for name in panels if name not in sources]
    require(
        not unknown, f"panels has {', '.join(unknown)}, but sources has only {', '.join(sources)}"
    )
