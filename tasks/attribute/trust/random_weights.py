"""Dependence of the feature ranking on what the network learned: new weights, permuted labels."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from foldproof.models.network import build
from foldproof.models.normalizers import resolve, with_state
from foldproof.tasks.attribute.trust.catalogue import Check, check
from foldproof.tasks.attribute.trust.random_rankings import INSIDE, random_band
from foldproof.tasks.statistics.agreement import spearman
from foldproof.tasks.train import TrainedUnit

SEEDS_APART = 1_000_003
"""Offset between a unit's seed and the seeds of new weights, so that none repeats its start."""


def model_randomization(
    trained: np.ndarray, randomized: Mapping[str, Sequence[np.ndarray]]
) -> Check:
    """Whether new weights give a new ranking.

    The check tests the last stage, in which every layer has new weights; the detail lists the
    earlier stages, to show where the ranking is lost. Several networks with new weights enter by
    their mean.

    .. warning::

        Importances of features in raw units follow these units in any network: a variant without
        input normalizer fails here whatever the method. So may a variant that passes a feature
        around the network, as RevIN does with the level of the first one: that contribution was
        never learned.

    Args:
        trained: (F,) importances of the trained network.
        randomized: By stage, from the head down to all layers: importances (F,) of one or more
            networks whose layers up to that stage have new weights.

    Raises:
        ValueError: Importances that do not fit each other.
    """
    rhos = {stage: correlations(trained, drawn) for stage, drawn in randomized.items()}
    steps = ", ".join(f"{stage} {rho.mean():.2f}" for stage, rho in rhos.items())
    *_, last = rhos.values()
    return against_random("model_randomization", last, len(trained), f"new weights from {steps}")


def label_randomization(trained: np.ndarray, permuted: Sequence[np.ndarray]) -> Check:
    """Whether networks trained on permuted labels rank the features differently.

    Args:
        trained: (F,) importances of the network trained on the true labels.
        permuted: Importances (F,) of one or more networks trained on panels of
            :func:`~foldproof.tasks.attribute.trust.retraining.with_permuted_target`, otherwise like
            the trained one and with the same method. Give them other seeds: a network that learned
            nothing keeps the ranking of its initial weights.

    Raises:
        ValueError: Importances that do not fit each other.
    """
    rhos = correlations(trained, permuted)
    detail = f"{len(rhos)} trainings on permuted labels"
    return against_random("label_randomization", rhos, len(trained), detail)


def correlations(trained: np.ndarray, others: Sequence[np.ndarray]) -> np.ndarray:
    """(R,) Spearman's rho of ``trained`` with each of the others."""
    return np.nan_to_num([spearman(trained, other) for other in others])  # constant: 0


def against_random(name: str, rhos: np.ndarray, features: int, detail: str) -> Check:
    """Whether the mean of ``rhos`` is compatible with random rankings.

    The bound is for a single ranking although a mean varies less, to allow the slight dependence on
    the inputs that every real panel has. Up to four features a single ranking can have
    any rho; there the bound is for the mean of as many random rankings.
    """
    mean, single = float(rhos.mean()), random_band(features)
    band = single if single < 1 else random_band(features, len(rhos))
    detail = f"{detail}: mean rho {mean:.2f} of {len(rhos)}; random rankings within {band:.2f}"
    if band >= 1:
        hint = "inconclusive: draw more networks, or rank more features"
        return check(name, mean, band, None, f"{detail}; {hint}")
    return check(name, mean, band, abs(mean) <= band + INSIDE, detail)


def layer(name: str) -> str:
    """The layer of a weight of a forecaster: head, hidden, cell, lstm 1, lstm 0, window."""
    module, _, rest = name.partition(".")
    return f"lstm {rest.rpartition('_l')[2]}" if module == "lstm" else module


def depth(layer_name: str) -> tuple[int, int]:
    """Sort key of layers, from the head down to the inputs."""
    module, _, number = layer_name.partition(" ")
    order = ("head", "hidden", "cell", "lstm", "window")
    return (order.index(module) if module in order else len(order)), -int(number or 0)


def stages(names: Iterable[str]) -> Mapping[str, frozenset[str]]:
    """By layer, from the head down: the weights of this layer and of all layers above it."""
    by_layer: dict[str, set[str]] = {}
    for name in names:
        by_layer.setdefault(layer(name), set()).add(name)
    so_far: frozenset[str] = frozenset()
    found = {}
    for one in sorted(by_layer, key=depth):
        so_far |= by_layer[one]
        found[one] = so_far
    return found


def new_weights(trained: TrainedUnit, features: int, draw: int) -> dict[str, np.ndarray]:
    """Weights and buffers of the unit's network before any training, from another seed."""
    unit = trained.unit
    seed = unit.seed + SEEDS_APART * (draw + 1)
    variant = with_state(resolve(unit.variant), trained.statistics)
    network = build(variant, features, unit.network, seed)
    return {name: tensor.detach().numpy() for name, tensor in network.state_dict().items()}


def cascade(
    trained: TrainedUnit, features: int, draws: int
) -> Mapping[str, tuple[dict[str, np.ndarray], ...]]:
    """By stage, from the head down, weights that are new up to that stage and trained below it.

    The stages before the last have one network each; the last one has ``draws`` networks with new
    weights throughout.

    Args:
        trained: The unit; not changed.
        features: F, of its panel.
        draws: New networks, one or more.
    """
    fresh = [new_weights(trained, features, draw) for draw in range(draws)]
    steps = stages(trained.weights)
    *_, last = steps
    return {
        stage: tuple(
            {name: (new if name in names else trained.weights)[name] for name in trained.weights}
            for new in (fresh if stage == last else fresh[:1])
        )
        for stage, names in steps.items()
    }
