"""How much a leak audit tests, and the facts about the data that it is given."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from foldproof.models.spec import Spec, at_least, within
from foldproof.tasks.diagnose.findings.catalogue import LEVEL
from foldproof.tasks.diagnose.perturb.perturbations import checked_names
from foldproof.tasks.diagnose.perturb.rows import KEYS

Labels = Callable[[pd.DataFrame], pd.Series]
"""Long rows -> what is forecast, indexed (date, symbol)."""

TRACED_CUTS, UNTRACED_CUTS, QUICK_CUTS = 20, 4, 3
"""Dates to cut at: with traced training; without it (every cut trains again); quick."""
TRACED_REPLAYS, UNTRACED_REPLAYS, QUICK_REPLAYS = 13, 6, 7
"""Most test dates to replay, evenly spread, to measure the rank IC that a leak adds. Labels of
neighbouring dates overlap, so more dates cost much and add little: 13 dates of a quarter are a week
apart."""
TRAIN_CHANGES = ("noise", "truncate")
"""Perturbations for traced training. Noise comes first: it also changes the labels of the test
block, and so every choice that depends on them."""
LATE_CUTS = 6
"""Cuts at which only the cells that become known late change."""
UNDECLARED_CUTS = 2
"""Cuts within the test block at which columns that look like undeclared labels change."""
EXECUTION_DATES, TRACED_EXECUTION_DATES = 6, 3
"""Dates whose targets are tested; fewer if each test runs the forecaster, because the target is
only a traced stage."""
SAMPLED_ROWS = 200_000
"""Most rows of features to search for duplicates."""
DRIFT_TURNS = 4
"""Other positions of the test block that drift is compared with."""
EPOCHS, QUICK_EPOCHS = 3, 1
"""Most epochs that an audit of a variant trains: a leak shows in the weights of the first. The full
audit needs several, so that early stopping has a choice that could follow the future."""
QUICK_ROWS = 63
"""Rows that a quick audit of a variant trains on; a leak shows on few rows too."""


def by_column(column: str, rows: pd.DataFrame) -> pd.Series:
    """A column of the rows as labels, indexed (date, symbol)."""
    return rows.set_index(list(KEYS))[column].astype(np.float64)


def purged_by(known_at: Mapping[str, str], target: object) -> Mapping[str, str]:
    """The columns of ``known_at`` that a fold is purged by: the target; all if it is not one.

    A feature that is published late needs no purge.
    """
    own = target if isinstance(target, str) else ""
    return {own: known_at[own]} if own in known_at else known_at


@dataclass(frozen=True)
class AuditOptions(Spec):
    """Facts about the data, and how much an audit of a forecaster tests.

    Attributes:
        known_at: Column that is known later than its row's date, such as a label -> the column of
            the date on which it becomes known. These cells change too if that date is after the
            cut, and decide whether the fold is purged.
        embargo: Trading days required between the last label and the next block.
        target: What is forecast: a column, or a function of the rows that returns it indexed
            (date, symbol), which costs less than running the forecaster. By default the traced
            stage ``target``.
        horizon: Rows that a label spans, for intervals and statistical tests.
        prices: Columns of prices, the close last; noise data sets are made of them.
        hazard: Share of symbols delisted in a year, from another source; None if unknown.
        cuts: Dates to cut at, including the first test date; by default 20 if training is traced,
            else 4.
        perturbations: Keys of PERTURBATIONS: the first at every cut, the others in turn. One that
            the model cannot process, such as missing values, is reported and does not count.
        each: Perturbations at each cut: 2, or 1 to take all in turn; with 1 training is repeated
            once.
        tolerance: Moves up to this many cross-sectional sd of the forecasts are rounding. By
            default 1e-9, and 1e-5 for float32; more if the forecasts of a date hardly differ.
        placebo: Noise data sets to train on (the noise placebo); 0 skips that test, 5 give it good
            power.
        permutations: Trainings on permuted labels, which needs ``target`` to be a column; 0 skips
            that test, 20 are usual.
        level: Probability of any false alarm among the statistical tests (Holm).
        replays: Most test dates to replay if training is traced, to measure the rank IC that a leak
            adds.
        quick: Skip the statistical tests and the tests of the network.
        seed: Seed of cuts and perturbations.

    Raises:
        ValueError: A number out of bounds, or an unknown perturbation.
    """

    __bounds__ = (
        at_least(0, "embargo", "placebo", "permutations", "seed")
        | at_least(1, "horizon", "cuts", "each", "replays")
        | within("(0, inf)", "hazard")
    )

    known_at: Mapping[str, str] = field(default_factory=dict)
    embargo: int = 0
    target: Labels | str | None = None
    horizon: int = 1
    prices: tuple[str, ...] = ()
    hazard: float | None = None
    cuts: int | None = None
    perturbations: tuple[str, ...] = ("noise", "missing", "truncate", "flip")
    each: int = 2
    tolerance: float | None = None
    placebo: int = 0
    permutations: int = 0
    level: float = LEVEL
    replays: int = TRACED_REPLAYS
    quick: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        checked_names(self.perturbations)

    @property
    def labels(self) -> Labels | None:
        """Rows -> what is forecast, if a column or a function gives it."""
        return partial(by_column, self.target) if isinstance(self.target, str) else self.target

    def cuts_for(self, traced: bool) -> int:
        """Dates to cut at, by whether training is traced."""
        return self.cuts or (TRACED_CUTS if traced else UNTRACED_CUTS)

    def train_changes(self, traced: bool) -> tuple[str, ...]:
        """Perturbations of everything after the training block."""
        names = TRAIN_CHANGES if traced else self.perturbations
        return names[:1] if self.each == 1 else names

    def replays_for(self, traced: bool) -> int:
        """Most test dates to replay, by whether training is traced."""
        return self.replays if traced else min(self.replays, UNTRACED_REPLAYS)


FULL = AuditOptions()
"""Every test that needs no extra training."""
QUICK = AuditOptions(cuts=QUICK_CUTS, replays=QUICK_REPLAYS, quick=True)
"""The exact tests at few cuts."""


@dataclass(frozen=True)
class AuditSpec(Spec):
    """The exact leak tests of every comparison."""

    __bounds__ = (
        at_least(1, "cuts", "feature_cuts", "forecast_cuts", "rows")
        | at_least(0, "retrain_folds", "placebo")
        | within("(0, 1)", "hazard")
    )

    cuts: int = 3
    """Dates in each test block after which every row changes (serve invariance)."""
    feature_cuts: int = 20
    """The same for features: over the whole panel in a comparison, over the training years of the
    fold in foldproof audit."""
    forecast_cuts: int = 8
    """Dates to cut a variant's forecasts at, for foldproof audit."""
    rows: int = 189
    """Newest rows that foldproof audit trains on; it validates on half as many. A leak into
    training shows on few years too."""
    retrain_folds: int = 1
    """Newest folds on which each variant is trained again with later rows changed (train
    invariance)."""
    placebo: int = 0
    """Noise data sets to train on (noise placebo), for foldproof audit; 5 give good power."""
    hazard: float | None = None
    """Share of symbols delisted in a year, from another source, for foldproof audit."""

    def options(self, quick: bool, **facts: Any) -> AuditOptions:
        """The options of an audit of one variant, with the given facts about the data."""
        base = QUICK if quick else replace(FULL, cuts=self.forecast_cuts)
        return replace(base, each=1, placebo=self.placebo, hazard=self.hazard, **facts)

    def training_rows(self, quick: bool) -> int:
        """Newest rows that an audit of a variant trains on."""
        return QUICK_ROWS if quick else self.rows
