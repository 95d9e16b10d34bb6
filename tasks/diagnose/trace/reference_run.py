"""What the comparisons of an audit start from: a forecaster, its fold, and a first run."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import pandas as pd

from foldproof.tasks.diagnose.perturb.attempt import attempt
from foldproof.tasks.diagnose.perturb.compare import difference, forecast_scale, tolerance_of
from foldproof.tasks.diagnose.perturb.rows import change_rows, late_cells
from foldproof.tasks.diagnose.trace.run import BoundForecaster, Run
from foldproof.tasks.diagnose.trace.stages import steadied
from foldproof.tasks.diagnose.trace.trace import Note


@dataclass(frozen=True, eq=False)
class ReferenceRun:
    """What every comparison of an audit starts from.

    Attributes:
        subject: The forecaster on its fold.
        data: Long rows.
        known_at: Column -> column of the date on which its cell becomes known.
        seed: Of changes.
        base: The run on the data as they are.
        rounding: Moves of scores up to this many cross-sectional sd are rounding.
    """

    subject: BoundForecaster
    data: pd.DataFrame
    known_at: Mapping[str, str]
    seed: int
    base: Run
    rounding: float

    @classmethod
    def of(
        cls,
        subject: BoundForecaster,
        data: pd.DataFrame,
        known_at: Mapping[str, str],
        seed: int,
        tolerance: float | None,
    ) -> "ReferenceRun":
        """Run the forecaster once."""
        base = subject.run(data)
        if tolerance is None:
            tolerance = tolerance_of(base.scores, forecast_scale(base.scores))
        return cls(subject, data, known_at, seed, base, tolerance)

    @property
    def dates(self) -> np.ndarray:
        """(D,) the data's dates, ascending."""
        return np.unique(self.data["date"].to_numpy())

    @property
    def scale(self) -> float:
        """Cross-sectional sd of the forecasts."""
        return forecast_scale(self.base.scores)

    @property
    def traced(self) -> bool:
        """Whether training is marked, so that serving can be tested without training again."""
        return self.base.trace.reusable is not None

    @cached_property
    def again(self) -> tuple[Run | None, str]:
        """Another run on the same data, or None and why it fails."""
        return attempt(partial(self.subject.run, self.data))

    @cached_property
    def steady(self) -> list[Note]:
        """The notes of the base run, with what differs when it is run again."""
        run, _ = self.again
        return steadied(self.base.notes, run.notes if run is not None else [])

    def changed(
        self, cut: np.datetime64, name: str, place: int, late_only: bool = False
    ) -> pd.DataFrame:
        """The data with all that is not known at ``cut`` changed, or what is known late alone."""
        later = (self.data["date"] > cut).to_numpy() & (not late_only)
        generator = np.random.default_rng([self.seed, place])
        late = late_cells(self.data, self.known_at, cut)
        if late_only:
            past = (self.data["date"] <= cut).to_numpy()
            late = {column: cells & past for column, cells in late.items()}
        return change_rows(self.data, later, name, generator, late)

    def noise(self) -> float:
        """How far forecasts move between two runs on the same data; infinite if it runs once."""
        run, _ = self.again
        if run is None:
            return float("inf")
        return difference(self.base.scores, run.scores, self.scale, self.rounding).value
