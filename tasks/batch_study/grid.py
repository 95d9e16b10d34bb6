"""The grid of the study: which cells can be trained, their units, and the scores of all cells."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from foldproof.tasks.batch_study.cell import Scored
from foldproof.tasks.batch_study.composition import Composition, why_not
from foldproof.tasks.train import Unit


class Cell(NamedTuple):
    """A cell of the grid: keys of panel and normalization, and title of the composition."""

    panel: str
    normalization: str
    composition: str


@dataclass(frozen=True, eq=False)
class DrawnData:
    """The panel of one seed on disk, and the unit of the reference on its newest fold."""

    path: Path
    unit: Unit
    symbols: int

    def unit_of(self, normalization: str, composition: Composition) -> Unit:
        """The unit of a cell on this panel."""
        training = composition.training(self.unit.training, self.symbols)
        return replace(self.unit, variant=normalization, training=training)


@dataclass(eq=False)
class GridScores:
    """The scores of each cell's networks, collected as cells finish, and their CPU seconds."""

    cells: dict[Cell, list[Scored]] = field(default_factory=dict)
    seconds: float = 0.0

    def rows(
        self,
        panels: Sequence[str],
        normalizations: Sequence[str],
        compositions: Sequence[Composition],
    ) -> pd.DataFrame:
        """One row per network: the cell and the fields of Scored, in the order of the study."""
        order = [Cell(p, n, c.title) for p, n, c in product(panels, normalizations, compositions)]
        return pd.DataFrame(
            cell._asdict() | asdict(scored) for cell in order for scored in self.cells.get(cell, [])
        )


def skipped_cells(
    normalizations: Sequence[str], compositions: Sequence[Composition]
) -> pd.DataFrame:
    """normalization, composition and reason of each combination that cannot be trained."""
    cells = [(n, c.title, why_not(n, c)) for n, c in product(normalizations, compositions)]
    table = pd.DataFrame(cells, columns=["normalization", "composition", "reason"])
    return table[table["reason"].notna()].reset_index(drop=True)
