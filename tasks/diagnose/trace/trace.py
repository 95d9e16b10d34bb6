"""The trace that a forecaster passes its stages through, so that an audit can locate a leak."""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from torch import Tensor, nn

from foldproof.models.spec import nearest
from foldproof.tasks.diagnose.findings.catalogue import STAGES
from foldproof.tasks.diagnose.trace.tables import Table, as_table
from foldproof.tasks.diagnose.trace.values import Leaf, leaves

T = TypeVar("T")

FITTED = ("selection", "input normalizer", "training", "network", "attribution")
"""Stages that fit something: their tables without dates are not rows."""


class Trace:
    """Records the stages of a forecaster. This base class records nothing and costs nothing.

    Take it as third argument, ``forecast(data, fold, trace)``, and pass the output of each stage
    through it. Every call returns its value unchanged.
    """

    def __call__(self, stage: str, value: T, name: str = "") -> T:
        """Record ``value`` as the output of ``stage``, and return it.

        Tables indexed (date, symbol) or by date, or with the columns date and symbol, or on rows
        (index) of the data have dates: they are compared up to each cut. Every other value has
        none, such as constants, weights, choices and sets of samples: it is compared when all data
        after training change. Trap: rows that were sorted and renumbered look like the first rows
        of the data; give such a table its date and symbol.

        Args:
            stage: One of ``foldproof.tasks.diagnose.findings.catalogue.STAGES``.
            value: The output of the stage.
            name: Its name in findings; by default the stage.
        """
        return value

    def train(self, fit: Callable[[], T]) -> T:
        """``fit()``; in the serving tests of an audit, the model of the first run instead."""
        return fit()

    def network(
        self,
        module: nn.Module,
        windows: Tensor,
        dates: Tensor,
        target: Tensor | None = None,
        symbols: Tensor | np.ndarray | pd.Index | None = None,
    ) -> nn.Module:
        """Record the torch module that forecasts, in its scoring mode, with a batch of samples.

        Args:
            module: Returned unchanged.
            windows: (B, T, F), scored as one batch.
            dates: (B,) int64, the date of each window in days since 1970-01-01.
            target: (B,), or None.
            symbols: (B,) the symbol of each window, names or numbers, or None. A leak names them.
        """
        self.record_network(module, (windows, dates, target, symbols))
        return module

    def record_network(self, module: nn.Module, batch: Sequence[Any]) -> None:
        """Keep a network with its batch; here, do nothing."""


@dataclass(eq=False)
class FittedModels(Trace):
    """Records nothing, and replaces training by models that were trained before.

    Attributes:
        models: Trained models in the order of the calls; None to train.
        used: How many were used.
    """

    models: list[Any] | None
    used: int = 0

    def train(self, fit: Callable[[], T]) -> T:
        """A copy of the next model, or a new one if there are no more."""
        if self.models is None or self.used >= len(self.models):
            return fit()
        self.used += 1
        return copy.deepcopy(self.models[self.used - 1])


@dataclass(frozen=True, eq=False)
class Note:
    """The output of a stage in one run.

    Attributes:
        stage: One of STAGES.
        name: Its name in findings.
        table: A value with dates; None for any other.
        content: The parts of a value without dates.
        samples: A value that is an index (date, symbol); else None.
        loose: Parts of a value without dates that differ between two runs on the same data.
        noise: Largest difference of a table between two runs on the same data, in its sd.
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
    """A network and a batch of its samples, see :meth:`Trace.network`."""

    module: nn.Module
    windows: Tensor
    dates: Tensor
    target: Tensor | None
    symbols: Tensor | np.ndarray | None


@dataclass(eq=False)
class Recorder(Trace):
    """Records the stages of one run on ``data``.

    Attributes:
        data: The rows of the run; tables on their index get their dates from them.
        models: Trained models to use again, in the order of the calls; None to train.
        notes: The recorded outputs, in order.
        trained: The models of this run.
        batches: The recorded networks with their samples.
        not_copied: Why a model or network cannot be copied, by ``training`` and ``network``.
    """

    data: pd.DataFrame
    models: list[Any] | None = None
    notes: list[Note] = field(default_factory=list)
    trained: list[Any] = field(default_factory=list)
    batches: list[TracedBatch] = field(default_factory=list)
    not_copied: dict[str, str] = field(default_factory=dict)

    @property
    def reusable(self) -> list[Any] | None:
        """The trained models, if training is traced and all of them can be copied."""
        return self.trained if self.trained and "training" not in self.not_copied else None

    def __call__(self, stage: str, value: T, name: str = "") -> T:
        """Record ``value``.

        Raises:
            ValueError: An unknown stage, or rows without dates.
        """
        if stage not in STAGES:
            hint = nearest(stage, STAGES)
            raise ValueError(f"stage must be one of {', '.join(STAGES)}; it is {stage!r}{hint}")
        table = as_table(value, self.data, stage in FITTED)
        if table is None:
            require_dates(value, len(self.data), name or stage)
        samples = value if isinstance(value, pd.MultiIndex) else None
        content = {} if table is not None else snapshot(value)
        self.notes.append(Note(stage, name or stage, table, content, samples))
        return value

    def train(self, fit: Callable[[], T]) -> T:
        """Train a model, or copy the one that was trained before, and record it."""
        place = len(self.trained)
        if self.models is not None and place < len(self.models):
            model = copy.deepcopy(self.models[place])
            self.trained.append(self.models[place])
        else:
            model = fit()
            self.trained.append(self.copy_of("training", model))
        self.notes.append(Note("training", "training", content=snapshot(model)))
        return model

    def record_network(self, module: nn.Module, batch: Sequence[Any]) -> None:
        """Record a copy of the network with its batch."""
        own = self.copy_of("network", module)
        if own is not None:
            self.batches.append(TracedBatch(own, *map(copied, batch)))

    def copy_of(self, what: str, value: T) -> T | None:
        """A deep copy, or None and the reason in ``not_copied``."""
        try:
            return copy.deepcopy(value)
        # a model that holds a lock, a file or a generator cannot be copied
        except Exception as error:
            self.not_copied[what] = f"{type(error).__name__}: {error}"
            return None

    def table(self, stage: str) -> Table | None:
        """The last table of ``stage``, or None."""
        found = [n.table for n in self.notes if n.stage == stage and n.table is not None]
        return found[-1] if found else None

    def samples(self, stage: str) -> pd.MultiIndex | None:
        """The last samples of ``stage``, or None."""
        found = [n.samples for n in self.notes if n.stage == stage and n.samples is not None]
        return found[-1] if found else None


def copied(values: Any) -> Any:
    """A copy of a tensor without its graph, or of names as an array; None stays."""
    if values is None:
        return None
    return values.detach().clone() if isinstance(values, Tensor) else np.array(values)


def require_dates(value: Any, rows: int, name: str) -> None:
    """Raise ValueError if ``value`` has as many rows as the data."""
    table = isinstance(value, np.ndarray | Tensor | pd.Series | pd.DataFrame)
    if table and value.shape[:1] == (rows,):
        raise ValueError(
            f"the traced value {name!r} has one row for each of the {rows} rows of the data, but "
            "no dates: pass a table on their index, or with the columns date and symbol"
        )


def snapshot(value: object) -> dict[str, Leaf]:
    """Copies of the parts of a value."""
    return {
        path: leaf.copy() if isinstance(leaf, np.ndarray) else leaf for path, leaf in leaves(value)
    }
