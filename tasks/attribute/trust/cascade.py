"""A trained network with new weights: the head first, then layer by layer down to the inputs."""

from collections.abc import Iterable, Mapping

import numpy as np

from models.network import build
from models.normalizers import resolve
from tasks.train import TrainedUnit

SEEDS_APART = 1_000_003
"""Between the seed of a unit and those of its new weights, so that none starts as it did."""


def layer(name: str) -> str:
    """The layer that a weight of a forecaster belongs to: head, hidden, lstm 1, lstm 0, window."""
    module, _, rest = name.partition(".")
    return f"lstm {rest.rpartition('_l')[2]}" if module == "lstm" else module


def depth(layer_name: str) -> tuple[int, int]:
    """Sorts layers from the head down to the inputs."""
    module, _, number = layer_name.partition(" ")
    order = ("head", "hidden", "lstm", "window")
    return (order.index(module) if module in order else len(order)), -int(number or 0)


def stages(names: Iterable[str]) -> Mapping[str, frozenset[str]]:
    """By layer, from the head down: the weights of it and of all layers above it."""
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
    """Weights and buffers of the unit's network before any training, from a seed of its own."""
    unit = trained.unit
    seed = unit.seed + SEEDS_APART * (draw + 1)
    network = build(resolve(unit.variant), features, unit.network, seed)
    return {name: tensor.detach().numpy() for name, tensor in network.state_dict().items()}


def cascade(
    trained: TrainedUnit, features: int, draws: int
) -> Mapping[str, tuple[dict[str, np.ndarray], ...]]:
    """By stage, from the head down, the weights of networks that are new so far and else trained.

    The stages before the last have one network each, the last has ``draws``, new throughout.

    Args:
        trained: The unit; not changed.
        features: F, of its panel.
        draws: New networks, one or more.

    Raises:
        ValueError: No draw asked for.
    """
    if draws < 1:
        raise ValueError(f"draws must be at least 1; it is {draws}")
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
