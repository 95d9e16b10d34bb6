"""A unit: one variant on one fold with one seed, the work of one training process."""

import hashlib
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from foldproof.models.date_rows import Rows
from foldproof.models.engine import lstm_engine
from foldproof.models.imported import imported
from foldproof.models.normalizers import Variant, split_name, variant_names
from foldproof.models.spec import NetworkSpec, TrainingSpec
from foldproof.tasks.split.fold import Fold
from foldproof.tasks.version import code_version

TRAINING = "foldproof.tasks.train.train"
"""The module whose code, with all that it imports, decides what a trained unit is."""


@dataclass(frozen=True)
class Unit:
    """The settings that decide a trained network, and no others.

    Attributes:
        variant: Key of ``foldproof.models.normalizers.VARIANTS`` or ``package.module:attribute``.
        fold: The fold to train on and forecast.
        seed: Seeds the initial weights, dropout and batch order; the same for every variant.
        network: The network's spec.
        training: The training's spec.
        panel: Fingerprint of the panel.
        plan: Hash of the fold plan that the fold belongs to.
    """

    variant: str
    fold: Fold
    seed: int
    network: NetworkSpec
    training: TrainingSpec
    panel: str
    plan: str

    @property
    def key(self) -> str:
        """Readable name with a hash of everything that decides the result, with code and engine."""
        decides = [
            self.variant, ranges(self.fold), self.seed, asdict(self.network), asdict(self.training),
            self.panel, self.plan, code_version(TRAINING), variant_version(self.variant),
            lstm_engine(self.network, self.training),
        ]  # fmt: skip
        name = file_name(self.variant)
        return f"{name}-f{self.fold.number}-s{self.seed}-{digest(*decides)}"


@dataclass(frozen=True, eq=False)
class TrainedUnit:
    """A unit with its frozen result, in plain arrays and frames that processes can exchange.

    Attributes:
        unit: The trained unit.
        weights: Network parameters and buffers by name.
        statistics: State of the input normalizer by name.
        target_scale: Standard deviation of the training targets; forecasts are in target units.
        curves: One row per epoch: epoch, train_loss, validation_loss.
        best_epoch: The epoch whose weights were kept, from 1.
        forecasts: Out of sample: date, symbol, fold, variant, seed, forecast, target; a table
            without columns where they were left in the results.
        engine: What ran the LSTM: torch, or native with instruction set and version.
        others: The same with other seeds, if the forecaster that is logged is their ensemble.
    """

    unit: Unit
    weights: dict[str, np.ndarray]
    statistics: dict[str, np.ndarray]
    target_scale: float
    curves: pd.DataFrame
    best_epoch: int
    forecasts: pd.DataFrame
    engine: str = "torch"
    others: tuple["TrainedUnit", ...] = ()


def ranges(fold: Fold) -> list[Any]:
    """First row and end of the blocks of a fold, or of their parts, for keys."""

    def ends(rows: Rows) -> list[Any]:
        if isinstance(rows, range):
            return [rows.start, rows.stop]
        return [ends(part) for part in rows.parts]

    return [ends(rows) for rows in (fold.train, fold.validation, fold.test)]


def variant_version(name: str) -> str:
    """Hashes of the files of users' variants in ``name``; empty where all are built in.

    Files that it imports do not count.
    """
    versions = []
    for part in (one for whole in split_name(name).names for one in variant_names(whole)):
        module, colon, _ = part.partition(":")
        if not colon:
            continue
        imported(part, "variant", Variant)
        file = getattr(sys.modules[module], "__file__", None)
        versions.append(hashlib.sha256(Path(file).read_bytes()).hexdigest()[:16] if file else "")
    return "+".join(versions)


def file_name(variant: str) -> str:
    """The name of a variant with a dot for each run of characters that file names should lack."""
    return re.sub(r"(?:[^\w.-]|->)+", ".", variant).strip(".")


def units_key(step: str, trained: Sequence[TrainedUnit], *decides: object) -> str:
    """Cache key of the result of ``step`` on one variant's units and the settings ``decides``."""
    name = file_name(trained[0].unit.variant)
    return f"{step}-{name}-{digest([one.unit.key for one in trained], *decides)}"


def digest(*parts: object) -> str:
    """Short hash of JSON-like ``parts``, for keys of stored results."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:20]
