"""What a forecaster notes of its stages, so that an audit can tell where a leak enters."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from torch import Tensor, nn

from foldproof.models.spec import nearest
from foldproof.tasks.diagnose.findings.catalogue import STAGES
from foldproof.tasks.diagnose.trace.tables import Table, dated
from foldproof.tasks.diagnose.trace.values import Leaf, leaves

T = TypeVar("T")

FITTED = ("selection", "input normalizer", "training", "network", "attribution")
"""Stages whose tables without dates are results of a fit, not rows."""


class Trace:
    """Marks the stages of a forecaster. This one keeps nothing: it costs nothing outside an audit.

    Take it as third argument, ``forecast(data, fold, trace)``, and pass what each stage makes
    through it. Every call returns its value unchanged.
    """

    def __call__(self, stage: str, value: T, name: str = "") -> T:
        """Mark ``value`` as what ``stage`` makes.

        Dated values are tables indexed (date, symbol) or by date, or with the columns date and
        symbol, or on rows (index) of the data; they are compared up to each cut. Anything else is
        frozen: constants, weights, choices, sets of samples, compared when all after training
        changes. Trap: rows that were sorted and then numbered anew look like the data's own; give
        such a table its date and symbol.

        Args:
            stage: One of ``foldproof.tasks.diagnose.findings.catalogue.STAGES``.
            value: What the stage makes.
            name: What it is called in findings; by default the stage.
        """
        return value

    def train(self, fit: Callable[[], T]) -> T:
        """``fit()``; within an audit, the model trained before where only serving is tested."""
        return fit()

    def network(
        self,
        module: nn.Module,
        windows: Tensor,
        dates: Tensor,
        target: Tensor | None = None,
        symbols: Tensor | None = None,
    ) -> nn.Module:
        """Show the torch module that forecasts, in its scoring mode, with a batch of its samples.

        Args:
            module: Returned as it is.
            windows: (B, T, F) as they are scored together.
            dates: (B,) int64, the date of each window in days since 1970-01-01.
            target: (B,), or None.
            symbols: (B,) ints, or None.
        """
        return module


@dataclass(eq=False)
class FittedModels(Trace):
    """Keeps nothing either: for scores alone, of models that were trained before.

    Attributes:
        models: Trained models in the order of the calls; None to train.
        taken: How many of them were asked for.
    """

    models: list[Any] | None
    taken: int = 0

    def train(self, fit: Callable[[], T]) -> T:
        """A copy of the next model, where there is one."""
        if self.models is None or self.taken >= len(self.models):
            return fit()
        self.taken += 1
        return copy.deepcopy(self.models[self.taken - 1])


@dataclass(frozen=True, eq=False)
class Note:
    """What a stage made in one run.

    Attributes:
        stage: One of STAGES.
        name: What it is called.
        table: A dated value; None for a frozen one.
        content: A frozen value, taken apart.
        samples: A frozen value that is an index (date, symbol); else None.
        loose: Parts of a frozen value that differ between two runs on the same data.
        noise: How far a dated value lies apart in two runs on the same data, in its sd.
    """

    stage: str
    name: str
    table: Table | None = None
    content: Mapping[str, Leaf] = field(default_factory=dict)
    samples: pd.MultiIndex | None = None
    loose: frozenset[str] = frozenset()
    noise: float = 0.0


@dataclass(frozen=True, eq=False)
class TracedBatch:
    """A network and a batch of its samples, as :meth:`Trace.network` was given them."""

    module: nn.Module
    windows: Tensor
    dates: Tensor
    target: Tensor | None
    symbols: Tensor | None


@dataclass(eq=False)
class Recorder(Trace):
    """Keeps what is marked in one run on ``data``.

    Attributes:
        data: The rows of the run; values on their index are dated by them.
        models: Trained models to use again, in the order of the calls; None to train.
        notes: What was marked, in order.
        trained: The models of this run, for later ones.
        shown: The networks that were shown.
        lost: Why a model or network cannot be copied, by ``training`` and ``network``.
    """

    data: pd.DataFrame
    models: list[Any] | None = None
    notes: list[Note] = field(default_factory=list)
    trained: list[Any] = field(default_factory=list)
    shown: list[TracedBatch] = field(default_factory=list)
    lost: dict[str, str] = field(default_factory=dict)

    @property
    def reusable(self) -> list[Any] | None:
        """The trained models, if training is traced and all of them can be copied."""
        return self.trained if self.trained and "training" not in self.lost else None

    def __call__(self, stage: str, value: T, name: str = "") -> T:
        """Note ``value``.

        Raises:
            ValueError: No such stage, or rows that cannot be dated.
        """
        if stage not in STAGES:
            hint = nearest(stage, STAGES)
            raise ValueError(f"stage must be one of {', '.join(STAGES)}; it is {stage!r}{hint}")
        table = dated(value, self.data, stage in FITTED)
        if table is None:
            refuse_undated(value, len(self.data), name or stage)
        samples = value if isinstance(value, pd.MultiIndex) else None
        content = {} if table is not None else copied(value)
        self.notes.append(Note(stage, name or stage, table, content, samples))
        return value

    def train(self, fit: Callable[[], T]) -> T:
        """Train and note the model, or take the one that was trained before."""
        place = len(self.trained)
        if self.models is not None and place < len(self.models):
            model = copy.deepcopy(self.models[place])
            self.trained.append(self.models[place])
            self.notes.append(Note("training", "training", content=copied(model)))
            return model
        model = fit()
        self.trained.append(self.copy_of("training", model))
        self.notes.append(Note("training", "training", content=copied(model)))
        return model

    def network(
        self,
        module: nn.Module,
        windows: Tensor,
        dates: Tensor,
        target: Tensor | None = None,
        symbols: Tensor | None = None,
    ) -> nn.Module:
        """Keep a copy of the network with its batch."""
        kept = self.copy_of("network", module)
        given = (windows, dates, target, symbols)
        tensors = [None if one is None else one.detach().clone() for one in given]
        if kept is not None:
            self.shown.append(TracedBatch(kept, *tensors))  # type: ignore[arg-type]  # two are given
        return module

    def copy_of(self, what: str, value: T) -> T | None:
        """A copy that later changes do not reach, or None and the reason in ``lost``."""
        try:
            return copy.deepcopy(value)
        # anybody's model: what holds a lock, a file or a generator cannot be copied
        except Exception as error:
            self.lost[what] = f"{type(error).__name__}: {error}"
            return None

    def table(self, stage: str) -> Table | None:
        """The last dated value of ``stage``, or None."""
        found = [n.table for n in self.notes if n.stage == stage and n.table is not None]
        return found[-1] if found else None

    def samples(self, stage: str) -> pd.MultiIndex | None:
        """The last samples noted at ``stage``, or None."""
        found = [n.samples for n in self.notes if n.stage == stage and n.samples is not None]
        return found[-1] if found else None


def refuse_undated(value: Any, rows: int, name: str) -> None:
    """Raise ValueError where ``value`` has a row for each of the data's and no dates."""
    table = isinstance(value, np.ndarray | Tensor | pd.Series | pd.DataFrame)
    if table and value.shape[:1] == (rows,):
        raise ValueError(
            f"the traced value {name!r} has one row for each of the {rows} of the data, but no "
            "dates: give a table on their index, or with the columns date and symbol"
        )


def copied(value: object) -> dict[str, Leaf]:
    """The parts of a frozen value, safe from later changes."""
    return {
        path: leaf.copy() if isinstance(leaf, np.ndarray) else leaf for path, leaf in leaves(value)
    }
