"""The checks that train the unit again: on labels that mean nothing, with columns of noise."""

from dataclasses import replace

import numpy as np
import pandas as pd

from tasks.attribute.methods import MAIN
from tasks.attribute.trust.canaries import canaries, with_canaries
from tasks.attribute.trust.cascade import SEEDS_APART
from tasks.attribute.trust.check import Check
from tasks.attribute.trust.labels import with_permuted_target
from tasks.attribute.trust.randomized import label_randomization
from tasks.attribute.unit import attribute_unit
from tasks.data.panel import Panel
from tasks.train import TrainedUnit, train_unit


def importance_on(
    panel: Panel, like: TrainedUnit, seed: int, samples: int, nodes: int
) -> pd.Series:
    """Importance by feature, by the main method, of the unit trained afresh on another panel.

    Args:
        panel: With the dates of the unit's own.
        like: Variant, fold, network and training are its.
        seed: Of the new training.
        samples: Test windows at most.
        nodes: Gauss-Legendre nodes.
    """
    trained = train_unit(replace(like.unit, panel=panel.fingerprint, seed=seed), panel)
    return ranked(
        attribute_unit(trained, panel, samples, nodes, like.unit.seed, (MAIN,)).importance
    )


def ranked(importance: pd.DataFrame) -> pd.Series:
    """Importance by feature, in the panel's order, of one unit by the main method."""
    own = importance[importance["method"] == MAIN]
    return own.set_index("feature")["importance"]


def noise_check(trained: TrainedUnit, panel: Panel, count: int, samples: int, nodes: int) -> Check:
    """Whether the features stand above ``count`` columns of noise: one training.

    Args:
        trained: The unit; the training with the noise has its seed.
        panel: The panel that it was trained on.
        count: Columns of noise; a feature among many empty ones needs about 20 to be told.
        samples: Test windows at most.
        nodes: Gauss-Legendre nodes.

    Raises:
        ValueError: As :func:`~tasks.attribute.attribute_unit`; training fails; a feature of the
            panel has the name of a canary.
    """
    seed = trained.unit.seed
    grown, names = with_canaries(panel, count, seed)
    return canaries(importance_on(grown, trained, seed, samples, nodes), names)


def labels_check(
    trained: TrainedUnit,
    panel: Panel,
    importance: pd.DataFrame,
    trainings: int,
    samples: int,
    nodes: int,
) -> Check:
    """Whether networks trained on permuted labels rank the features otherwise.

    Each has a seed of its own: a network that learned nothing keeps the ranking of its first
    weights.

    Args:
        trained: The unit.
        panel: The panel that it was trained on.
        importance: The table of this name of the unit.
        trainings: On as many permutations of the labels.
        samples: Test windows at most.
        nodes: Gauss-Legendre nodes.

    Raises:
        ValueError: As :func:`noise_check`.
    """
    learned = ranked(importance)
    lost = [
        importance_on(
            with_permuted_target(panel, number), trained,
            trained.unit.seed + SEEDS_APART * (number + 1), samples, nodes,
        )[learned.index]
        for number in range(trainings)
    ]  # fmt: skip
    return label_randomization(
        learned.to_numpy(dtype=np.float64), [one.to_numpy(dtype=np.float64) for one in lost]
    )
