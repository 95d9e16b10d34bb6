"""The checks that train the unit again: on labels that mean nothing, with columns of noise."""

from dataclasses import replace

import numpy as np
import pandas as pd

from foldproof.tasks.attribute.methods.catalogue import MAIN
from foldproof.tasks.attribute.trust.catalogue import Check
from foldproof.tasks.attribute.trust.noise_columns import canaries, with_canaries
from foldproof.tasks.attribute.trust.random_weights import SEEDS_APART, label_randomization
from foldproof.tasks.attribute.unit.attribution import attribute_unit
from foldproof.tasks.data.panel import Panel
from foldproof.tasks.data.panel.layout import fingerprint
from foldproof.tasks.train import TrainedUnit, train_unit


def with_permuted_target(panel: Panel, seed: int) -> Panel:
    """The panel with the known targets of its members exchanged among them within each date.

    What a date's targets are stays; which stock has which does not, and a stock's targets no
    longer overlap from day to day. A network trained on it can learn how targets are distributed
    and nothing of how features forecast them.

    Args:
        panel: Read, not changed.
        seed: Of the permutation; it is part of the new fingerprint.

    Returns:
        A panel with a fingerprint of its own: train units on it afresh.
    """
    generator = np.random.default_rng(seed)
    target = np.array(panel.target)
    for row, open_cells in zip(target, panel.member & np.isfinite(panel.target), strict=True):
        row[open_cells] = generator.permutation(row[open_cells])
    target.flags.writeable = False
    digest = fingerprint([panel.fingerprint, "permuted target", seed], [target])
    return replace(panel, target=target, fingerprint=digest)


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
