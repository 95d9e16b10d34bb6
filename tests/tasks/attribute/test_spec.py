from collections.abc import Callable
from dataclasses import replace

import pytest
from pydantic import TypeAdapter, ValidationError

from foldproof.tasks.attribute import ATTRIBUTIONS
from foldproof.tasks.attribute.spec import AttributionSpec
from foldproof.tasks.attribute.task import attribution_key, of_first_seeds
from foldproof.tasks.attribute.trust.spec import TrustSpec
from foldproof.tasks.train import TrainedUnit

Units = Callable[[str], TrainedUnit]
READ = TypeAdapter(AttributionSpec).validate_python


def test_the_default_is_the_three_cheap_methods() -> None:
    assert AttributionSpec().methods == ("integrated_gradients", "mean_partial", "mean_abs_partial")


def test_lists_of_a_configuration_file_are_read() -> None:
    spec = READ({"methods": list(ATTRIBUTIONS), "groups": [["a", "b"], ["c"]]})
    assert spec.methods == tuple(ATTRIBUTIONS)
    assert spec.groups == (("a", "b"), ("c",))


def test_former_method_keys_are_accepted() -> None:
    spec = READ({"methods": ["integrated_gradients", "citic", "citic_abs"]})
    assert spec == AttributionSpec()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (True, TrustSpec()),
        (False, None),
        (None, None),
        ({"samples": 30, "lags": "gross"}, TrustSpec(samples=30, lags="gross")),
    ],
)
def test_trust_is_a_switch_or_its_settings(given: object, expected: TrustSpec | None) -> None:
    assert READ({"trust": given}).trust == expected


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"samples": -1}, "samples must be at least 0; it is -1"),
        ({"nodes": 0}, "nodes must be at least 1; it is 0"),
        ({"methods": ["integrated_gradient"]}, "did you mean integrated_gradients"),
        ({"methods": ["mean_partial"]}, "must contain 'integrated_gradients'"),
        (
            {"groups": [["a", "b"], ["b"]]},
            "which must be disjoint: b",
        ),
        ({"groups": [["a"], []]}, "no group may be empty"),
        ({"canaries": -1}, "canaries must be at least 0; it is -1"),
        ({"permuted_labels": 1, "trust": False}, "permuted_labels is a check: set trust to true"),
    ],
)
def test_invalid_settings_are_named(change: dict, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        READ(change)


@pytest.mark.parametrize(
    "change",
    [
        {"samples": 7},
        {"nodes": 7},
        {"methods": ("integrated_gradients",)},
        {"methods": ("integrated_gradients", "mean_abs_partial", "mean_partial")},
        {"groups": (("planted",),)},
        {"drift_alert": 0.5},
        {"canaries": 3},
        {"permuted_labels": 2},
        {"trust": TrustSpec(samples=30)},
    ],
)
def test_every_setting_changes_the_cache_key(change: dict, trained: Units) -> None:
    spec, unit = AttributionSpec(), [trained("zscore")]
    kept = attribution_key(None, {"trained": unit, "spec": spec})
    assert kept == attribution_key(None, {"trained": unit, "spec": AttributionSpec()})
    assert kept != attribution_key(None, {"trained": unit, "spec": replace(spec, **change)})


@pytest.mark.parametrize(
    ("number", "kept"), [(0, [7, 2, 5]), (1, [2]), (2, [2, 5]), (9, [7, 2, 5])]
)
def test_the_units_of_the_first_seeds_are_attributed(
    trained: Units, number: int, kept: list[int]
) -> None:
    one = trained("none")
    units = [replace(one, unit=replace(one.unit, seed=seed)) for seed in (7, 2, 5)]
    assert [unit.unit.seed for unit in of_first_seeds(units, number)] == kept
