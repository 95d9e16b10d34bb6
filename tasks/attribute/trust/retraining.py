"""Checks that train the unit again: on permuted labels, or with noise columns."""

from dataclasses import replace

import numpy as np
import pandas as pd

from foldproof.tasks.attribute.methods.catalogue import MAIN
from foldproof.tasks.attribute.trust.catalogue import Check
from foldproof.tasks.attribute.trust.noise_columns import noise_columns_check, with_noise_columns
from foldproof.tasks.attribute.trust.random_weights import SEEDS_APART, label_randomization
from foldproof.tasks.attribute.unit.attribution import attribute_unit
from foldproof.tasks.attribute.unit.inputs import unit_inputs
from foldproof.tasks.data.panel import Panel
from foldproof.tasks.data.panel.layout import fingerprint
from foldproof.tasks.train import TrainedUnit, train_unit


def with_permuted_target(panel: Panel, seed: int) -> Panel:
    """The panel with the known targets of its members permuted within each date.

    The targets of a date stay, but belong to other stocks, and a stock's targets no longer overlap
    from day to day. A network trained on it can learn the distribution of the targets, but not how
    features forecast them.

    Args:
        panel: Not changed.
        seed: Of the permutation; it is part of the new fingerprint.

    Returns:
        A panel with a new fingerprint, to train new units on.
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
    """Importance by feature, by the main method, of the unit trained again on another panel.

    Args:
        panel: With the dates of the unit's own.
        like: The unit whose variant, fold, network and training are used.
        seed: Of the new training.
        samples: Test windows at most.
        nodes: Gauss-Legendre nodes.
    """
    trained = train_unit(replace(like.unit, panel=panel.fingerprint, seed=seed), panel)
    inputs = unit_inputs(trained, panel)
    return ranked(attribute_unit(inputs, samples, nodes, like.unit.seed, (MAIN,)).importance)


def ranked(importance: pd.DataFrame) -> pd.Series:
    """Importance by feature, in the panel's order, of one unit by the main method."""
    own = importance[importance["method"] == MAIN]
    return own.set_index("feature")["importance"]


def with_noise_check(
    trained: TrainedUnit, panel: Panel, count: int, samples: int, nodes: int
) -> Check:
    """Whether the features rank above ``count`` noise columns: one training.

    Args:
        trained: The unit; the training with the noise has the same seed.
        panel: The panel that it was trained on.
        count: Noise columns; about 20 are needed to separate one feature from many empty ones.
        samples: Test windows at most.
        nodes: Gauss-Legendre nodes.

    Raises:
        ValueError: As :func:`~foldproof.tasks.attribute.attribute_unit`; training fails; a feature
            of the panel has the name of a noise column.
    """
    seed = trained.unit.seed
    wider, names = with_noise_columns(panel, count, seed)
    return noise_columns_check(importance_on(wider, trained, seed, samples, nodes), names)


def permuted_labels_check(
    trained: TrainedUnit,
    panel: Panel,
    importance: pd.DataFrame,
    trainings: int,
    samples: int,
    nodes: int,
) -> Check:
    """Whether networks trained on permuted labels rank the features differently.

    Each network has another seed: a network that learned nothing keeps the ranking of its initial
    weights.

    Args:
        trained: The unit.
        panel: The panel that it was trained on.
        importance: The table of this name of the unit.
        trainings: Number of trainings, each on another permutation of the labels.
        samples: Test windows at most.
        nodes: Gauss-Legendre nodes.

    Raises:
        ValueError: As :func:`with_noise_check`.
    """
    unit, learned = trained.unit, ranked(importance)
    permuted = []
    for number in range(trainings):
        seed, shuffled = unit.seed + SEEDS_APART * (number + 1), with_permuted_target(panel, number)
        found = importance_on(shuffled, trained, seed, samples, nodes)[learned.index]
        permuted.append(found.to_numpy(dtype=np.float64))
    return label_randomization(learned.to_numpy(dtype=np.float64), permuted)
