from collections.abc import Callable
from dataclasses import replace

import pytest
from pydantic import TypeAdapter, ValidationError

from foldproof.tasks.attribute import ATTRIBUTIONS
from foldproof.tasks.attribute.spec import AttributionSpec
from foldproof.tasks.attribute.task import attribution_key
from foldproof.tasks.train import TrainedUnit

Units = Callable[[str], TrainedUnit]
READ = TypeAdapter(AttributionSpec).validate_python


def test_by_default_the_three_cheap_methods_are_asked() -> None:
    assert AttributionSpec().methods == ("integrated_gradients", "mean_partial", "mean_abs_partial")


def test_lists_of_a_configuration_file_are_read() -> None:
    spec = READ({"methods": list(ATTRIBUTIONS), "groups": [["a", "b"], ["c"]]})
    assert spec.methods == tuple(ATTRIBUTIONS)
    assert spec.groups == (("a", "b"), ("c",))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"samples": -1}, "samples must be at least 0; it is -1"),
        ({"nodes": 0}, "nodes must be at least 1; it is 0"),
        ({"methods": ["integrated_gradient"]}, "nearest: integrated_gradients"),
        ({"methods": ["mean_partial"]}, "must contain 'integrated_gradients'"),
        ({"groups": [["a", "b"], ["b"]]}, "in several groups: b"),
        ({"groups": [["a"], []]}, "no group may be empty"),
        ({"canaries": -1}, "canaries must be at least 0; it is -1"),
        ({"permuted_labels": 1, "trust": False}, "permuted_labels is a check: set trust to true"),
    ],
)
def test_what_cannot_be_asked_is_named(change: dict, message: str) -> None:
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
    ],
)
def test_whatever_decides_the_tables_decides_where_they_are_kept(
    change: dict, trained: Units
) -> None:
    spec, unit = AttributionSpec(), [trained("zscore")]
    kept = attribution_key(None, {"trained": unit, "spec": spec})
    assert kept == attribution_key(None, {"trained": unit, "spec": AttributionSpec()})
    assert kept != attribution_key(None, {"trained": unit, "spec": replace(spec, **change)})
