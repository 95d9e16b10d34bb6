"""Settings chosen for each variant, with an equal budget, on folds that are never scored."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import NamedTuple

import numpy as np
import pandas as pd

from foldproof.models.spec import (
    NetworkSpec,
    Spec,
    TrainingSpec,
    at_least,
    require,
    require_distinct,
    within,
)
from foldproof.tasks.split.fold import Fold
from foldproof.tasks.statistics.rank_ic import daily_rank_ic

OF_NETWORK, OF_TRAINING = ("hidden", "dropout"), ("learning_rate", "weight_decay")
"""Settings that are chosen, by the section that they belong to."""


@dataclass(frozen=True)
class TuningSpec(Spec):
    """A grid of settings, from which each variant gets those that forecast best on early folds.

    Every variant tries every combination on the same folds, so no variant wins by more tries.
    """

    __bounds__ = (
        at_least(0, "folds", "weight_decay")
        | at_least(1, "hidden")
        | within("(0, inf)", "learning_rate")
        | within("[0, 1)", "dropout")
    )

    folds: int = 0
    """Oldest folds to choose settings on; they are not scored. 0: no tuning."""
    learning_rate: tuple[float, ...] = ()
    """Values of training.learning_rate to try; empty: the one that is set."""
    weight_decay: tuple[float, ...] = ()
    """Values of training.weight_decay to try."""
    hidden: tuple[int, ...] = ()
    """Values of network.hidden to try."""
    dropout: tuple[float, ...] = ()
    """Values of network.dropout to try."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in self.tried:
            require_distinct(getattr(self, name), f"values of {name}")
        require(
            bool(self.folds) == bool(self.tried),
            "tuning needs folds to choose on (tuning.folds of at least 1) and values to try, such "
            f"as tuning.learning_rate=[0.0003, 0.001]; folds is {self.folds}, values are given for "
            f"{', '.join(self.tried) or 'no setting'}",
        )

    @property
    def tried(self) -> tuple[str, ...]:
        """Names of the settings that have values to try."""
        return tuple(name for name in OF_NETWORK + OF_TRAINING if getattr(self, name))


class Setting(NamedTuple):
    """The specs of a network and of its training."""

    network: NetworkSpec
    training: TrainingSpec

    def values(self, names: Iterable[str]) -> dict[str, float]:
        """The values of the settings ``names``."""
        whole = vars(self.network) | vars(self.training)
        return {name: whole[name] for name in names}


def grid(spec: TuningSpec, setting: Setting) -> tuple[Setting, ...]:
    """Every combination of the values to try; the other settings are those of ``setting``."""
    axes = [getattr(spec, name) for name in spec.tried]
    found = []
    for values in product(*axes):
        chosen = dict(zip(spec.tried, values, strict=True))
        network = {name: value for name, value in chosen.items() if name in OF_NETWORK}
        training = {name: value for name, value in chosen.items() if name in OF_TRAINING}
        found.append(
            Setting(replace(setting.network, **network), replace(setting.training, **training))
        )
    return tuple(found)


def usable_dates(
    dates: np.ndarray, label_end: np.ndarray, scored: Fold, embargo: int
) -> np.ndarray:
    """The dates whose labels may decide a choice that precedes the first scored fold.

    A label that reaches into the first scored test block, or into the ``embargo`` trading days
    before it, would make the choice depend on what is scored.

    Args:
        dates: (D,) datetime64, the calendar.
        label_end: (D,) datetime64; NaT where a label ends after the data.
        scored: The first fold that is scored.
        embargo: Trading days between the last label and the test block.
    """
    border = dates[max(0, scored.test.start - embargo)]
    known: np.ndarray = dates[~np.isnat(label_end) & (label_end < border)]
    return known


def mean_rank_ic(forecasts: pd.DataFrame, dates: np.ndarray) -> float:
    """Mean daily rank IC of forecasts (date, symbol, forecast, target) on ``dates``; may be NaN."""
    table = forecasts[forecasts["date"].isin(dates)].set_index(["date", "symbol"])
    return float(daily_rank_ic(table["forecast"], table["target"]).mean())


def best_setting(scores: Mapping[Setting, float]) -> Setting:
    """The setting with the highest score, the first of equal ones.

    Raises:
        ValueError: No setting has a score.
    """
    known = {one: score for one, score in scores.items() if np.isfinite(score)}
    if not known:
        raise ValueError(
            "no date of the tuning folds can be ranked before the first scored test block: raise "
            "tuning.folds or lengthen split.test"
        )
    return max(known, key=known.__getitem__)
