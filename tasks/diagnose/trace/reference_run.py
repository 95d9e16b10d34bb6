"""The run of a forecaster on unchanged data, which every other run of an audit is compared with."""

from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import pandas as pd

from foldproof.tasks.diagnose.perturb.attempt import attempt
from foldproof.tasks.diagnose.perturb.compare import (
    Difference,
    difference,
    forecast_scale,
    tolerance_of,
)
from foldproof.tasks.diagnose.spec import FULL, AuditOptions
from foldproof.tasks.diagnose.trace.run import BoundForecaster, Run
from foldproof.tasks.diagnose.trace.stages import with_noise
from foldproof.tasks.diagnose.trace.trace import Note


@dataclass(frozen=True, eq=False)
class ReferenceRun:
    """A forecaster, its data, and its run on them.

    Attributes:
        bound: The forecaster on its fold.
        data: Long rows.
        options: Facts about the data, and how much to test.
        base: The run on the unchanged data.
        rounding: Moves of scores up to this many cross-sectional sd are rounding.
    """

    bound: BoundForecaster
    data: pd.DataFrame
    options: AuditOptions
    base: Run
    rounding: float

    @classmethod
    def of(
        cls, bound: BoundForecaster, data: pd.DataFrame, options: AuditOptions = FULL
    ) -> "ReferenceRun":  # fmt: skip
        """Run the forecaster on ``data``."""
        base, rounding = bound.run(data), options.tolerance
        if rounding is None:
            rounding = tolerance_of(base.scores, forecast_scale(base.scores))
        return cls(bound, data, options, base, rounding)

    @property
    def dates(self) -> np.ndarray:
        """(D,) the dates of the data, ascending."""
        return np.unique(self.data["date"].to_numpy())

    @property
    def scale(self) -> float:
        """Cross-sectional sd of the forecasts."""
        return forecast_scale(self.base.scores)

    @property
    def traced(self) -> bool:
        """Whether training is traced, so that serving can be tested without training again."""
        return self.base.trace.reusable is not None

    @cached_property
    def labels(self) -> pd.Series | None:
        """What is forecast, indexed (date, symbol): from the options, else the traced target."""
        if self.options.labels is not None:
            return self.options.labels(self.data)
        table = self.base.trace.table("target")
        return table.column(table.columns[0]) if table is not None and table.columns else None

    @cached_property
    def rerun(self) -> tuple[Run | None, str]:
        """A second run on the same data, or None and why it fails."""
        return attempt(partial(self.bound.run, self.data))

    @cached_property
    def notes(self) -> list[Note]:
        """The notes of the base run, with the differences between it and the second run."""
        run, _ = self.rerun
        return with_noise(self.base.notes, run.notes if run is not None else [])

    def noise(self) -> float:
        """Largest move of a forecast between two identical runs; infinite if the second fails."""
        run, _ = self.rerun
        if run is None:
            return float("inf")
        return difference(self.base.scores, run.scores, self.scale, self.rounding).value

    def moves(self, run: Run, cut: np.datetime64) -> Difference:
        """The largest move of a forecast dated up to ``cut``, between this run and another."""
        before, after = (
            scores[scores.index.get_level_values(0) <= cut]
            for scores in (self.base.scores, run.scores)
        )
        return difference(before, after, self.scale, self.rounding)
