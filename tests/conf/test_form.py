"""The schema that Prefect makes a form of: its bounds and choices are those of the specs."""

from collections.abc import Iterator
from typing import Any, get_type_hints

import pytest
from jsonschema import Draft202012Validator
from pydantic import TypeAdapter, ValidationError

from foldproof.conf.explanation import ExplainRequest
from foldproof.conf.form import limits, parts_of
from foldproof.conf.load import PRESETS, load, study_of
from foldproof.conf.outside import OutsideAudit
from foldproof.conf.schema import Experiment
from foldproof.models.normalizers import CONTROLS, VARIANTS
from foldproof.models.spec import NetworkSpec, TrainingSpec
from foldproof.tasks.attribute.methods.catalogue import ATTRIBUTIONS
from foldproof.tasks.attribute.spec import AttributionSpec
from foldproof.tasks.attribute.trust.spec import TrustSpec
from foldproof.tasks.compare.spec import StatisticsSpec
from foldproof.tasks.data.spec import DataSpec, SyntheticSpec, TargetSpec
from foldproof.tasks.diagnose.spec import AuditSpec
from foldproof.tasks.operate.spec import GateSpec, MonitorSpec, ScoreSpec
from foldproof.tasks.split import CombinatorialPurged, WalkForward
from foldproof.tasks.train.references import REFERENCES

SPECS = (
    NetworkSpec, TrainingSpec, SyntheticSpec, DataSpec, TargetSpec, AttributionSpec, AuditSpec,
    StatisticsSpec, TrustSpec, WalkForward, CombinatorialPurged, GateSpec, ScoreSpec, MonitorSpec,
    ExplainRequest, OutsideAudit,
)  # fmt: skip
NEEDED: dict[type, dict[str, Any]] = {
    WalkForward: {"train": 100, "validation": 20, "test": 20},
    ExplainRequest: {"model": "latest"},
    OutsideAudit: {"forecaster": "mine:forecast", "path": "rows.parquet"},
}
"""Settings without a default, which every value of the spec needs."""


def bounds() -> Iterator[tuple[type, str, str, float]]:
    for spec in SPECS:
        for name, interval in spec.__bounds__.items():
            for rule, value in limits(interval).items():
                yield spec, name, rule, value


def of(spec: type, name: str, value: Any) -> Any:
    return TypeAdapter(spec).validate_python({**NEEDED.get(spec, {}), name: value})


def errors(value: dict[str, Any]) -> list[str]:
    """Dotted fields of an experiment that the form would mark."""
    found = Draft202012Validator(Experiment.model_json_schema()).iter_errors(value)
    return [".".join(map(str, error.absolute_path)) for error in found]


def test_there_are_bounds_to_test() -> None:
    assert len(list(bounds())) > 50


@pytest.mark.parametrize(
    ("spec", "name", "rule", "value"),
    list(bounds()),
    ids=lambda one: getattr(one, "__name__", str(one)),
)
def test_a_bound_of_the_form_is_the_bound_of_the_spec(
    spec: type, name: str, rule: str, value: float
) -> None:
    """The last value inside is accepted, the next one is refused."""
    step = 1 if int in parts_of(get_type_hints(spec)[name]) else 1e-6
    outward = -step if "inimum" in rule else step
    inside = value - outward if "exclusive" in rule else value
    outside = value if "exclusive" in rule else value + outward
    of(spec, name, inside)
    with pytest.raises(ValidationError, match=name):
        of(spec, name, outside)


@pytest.mark.parametrize(
    "preset", sorted(f.stem for f in PRESETS.glob("*.yaml") if study_of(f) is None)
)
def test_every_preset_fills_the_form_without_a_fault(preset: str) -> None:
    assert not errors(load(preset).model_dump(mode="json"))


@pytest.mark.parametrize(
    ("value", "field"),
    [
        ({"training": {"epochs": 0}}, "training.epochs"),
        ({"training": {"epochs": "many"}}, "training.epochs"),
        ({"training": {"loss": "mae"}}, "training.loss"),
        ({"network": {"dropout": 1}}, "network.dropout"),
        ({"variants": ["zscor"]}, "variants"),
        ({"variants": ["cs_rank+layer_norm"]}, "variants"),
        ({"references": ["lasso"]}, "references"),
        ({"attribution": {"methods": ["saliency"]}}, "attribution.methods.0"),
        ({"data": {"features": "prices"}}, "data.features"),
        ({"seeds": []}, "seeds"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_a_wrong_value_is_marked_at_its_field(value: dict[str, Any], field: str) -> None:
    assert errors(value) == [field]


def test_missing_keys_and_names_of_users_own_are_accepted() -> None:
    assert not errors({})
    assert not errors({"variants": ["none", "my.package:variant"]})
    assert not errors({"variants": ["cs_rank + layer_norm", "my:own + rms_norm @ date_block"]})
    assert not errors({"variants": ["price_relative(close) & my:own(a b_*) & cs_rank(*) + revin"]})
    assert not errors({"data": {"features": "my.package:features"}})


def test_choices_are_the_mappings() -> None:
    schema = Experiment.model_json_schema()
    built_in, _ = schema["properties"]["variants"]["anyOf"]
    assert built_in["items"]["enum"] == [*VARIANTS, *CONTROLS]
    built_in, own = schema["properties"]["references"]["anyOf"]
    assert built_in["items"]["enum"] == list(REFERENCES)
    assert own["title"] == "your own, too: feature:name"
    assert not errors({"references": ["ridge", "feature:return_1"]})
    methods = schema["$defs"]["AttributionSpec"]["properties"]["methods"]
    assert methods["items"]["enum"] == list(ATTRIBUTIONS)


@pytest.mark.parametrize("model", [Experiment, ExplainRequest, OutsideAudit])
def test_help_is_one_paragraph_and_nothing_is_required(model: Any) -> None:
    schema = model.model_json_schema()
    sections = [schema, *schema["$defs"].values()]
    assert not [one["title"] for one in sections if "required" in one]
    assert not [one["title"] for one in sections if "\n" in one["description"]]
