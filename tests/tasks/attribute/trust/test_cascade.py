from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from foldproof.models.network import build
from foldproof.models.normalizers import resolve
from foldproof.models.spec import NetworkSpec
from foldproof.tasks.attribute.trust.random_weights import cascade, layer, stages
from foldproof.tasks.train import TrainedUnit
from tests.variants import EVERY_VARIANT

Units = Callable[[str], TrainedUnit]


def deep(trained: Units, variant: str) -> TrainedUnit:
    """A unit with two LSTM layers; its weights are 7, unlike new ones."""
    usual = trained("zscore")
    unit = replace(usual.unit, variant=variant, network=NetworkSpec(window=5, hidden=4, layers=2))
    names = build(resolve(variant), 4, unit.network, 0).state_dict()
    weights = {name: np.full(tensor.shape, 7.0) for name, tensor in names.items()}
    return replace(usual, unit=unit, weights=weights)


@pytest.mark.parametrize("variant", EVERY_VARIANT)
def test_weights_are_redrawn_from_the_head_down(variant: str, trained: Units) -> None:
    unit = deep(trained, variant)
    before = {name: weight.copy() for name, weight in unit.weights.items()}
    found = cascade(unit, 4, draws=2)
    layers = ("head", "hidden", "cell", "lstm 1", "lstm 0", "window")
    order = [name for name in layers if name in found]
    assert list(found) == order
    assert {"head", "lstm 1", "lstm 0"} <= set(order)
    assert {layer(name) for name in unit.weights} == set(order)
    for depth, stage in enumerate(order):
        new = set(order[: depth + 1])
        for weights in found[stage]:
            assert list(weights) == list(unit.weights)
            kept = {name for name, weight in weights.items() if (weight == 7.0).all()}
            assert kept == {name for name in weights if layer(name) not in new}
    assert [len(networks) for networks in found.values()] == [1] * (len(order) - 1) + [2]
    for name, weight in unit.weights.items():
        np.testing.assert_array_equal(weight, before[name])


def test_new_networks_differ_from_each_other_and_from_the_units_start(trained: Units) -> None:
    unit = trained("zscore")
    *_, last = cascade(unit, 4, draws=2).values()
    start = build(resolve("zscore"), 4, unit.unit.network, unit.unit.seed).state_dict()
    heads = [last[0]["head.weight"], last[1]["head.weight"], start["head.weight"].numpy()]
    assert not np.allclose(heads[0], heads[1])
    assert not np.allclose(heads[0], heads[2])
    again = cascade(unit, 4, draws=1)["lstm 0"][0]
    np.testing.assert_array_equal(again["head.weight"], heads[0])


def test_an_unknown_module_comes_last() -> None:
    found = stages(["lstm.weight_ih_l0", "gate.weight", "head.bias", "lstm.bias_hh_l10"])
    assert list(found) == ["head", "lstm 10", "lstm 0", "gate"]
    assert len(found["gate"]) == 4
