"""The schema that Prefect makes a form of: its bounds and choices are those of the specs."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import TypeAdapter, ValidationError

from foldproof.conf.explanation import ExplainRequest
from foldproof.conf.load import PRESETS, load
from foldproof.conf.outside import OutsideAudit
from foldproof.conf.schema import Experiment
from foldproof.conf.study import study_of
from foldproof.models.normalizers import VARIANTS
from foldproof.models.spec import NetworkSpec, TrainingSpec
from foldproof.tasks.attribute.methods.catalogue import ATTRIBUTIONS
from foldproof.tasks.attribute.spec import AttributionSpec
from foldproof.tasks.compare.spec import StatisticsSpec
from foldproof.tasks.data.spec import DataSpec, SyntheticSpec, TargetSpec
from foldproof.tasks.diagnose.spec import AuditSpec
from foldproof.tasks.operate.spec import GateSpec, MonitorSpec, ScoreSpec
from foldproof.tasks.split import WalkForward
from foldproof.tasks.train.references import REFERENCES

SPECS = (
    NetworkSpec, TrainingSpec, SyntheticSpec, DataSpec, TargetSpec, AttributionSpec, AuditSpec,
    StatisticsSpec, WalkForward, GateSpec, ScoreSpec, MonitorSpec,
)  # fmt: skip
SIZES = {"train": 100, "validation": 20, "test": 20}


def bounds() -> Iterator[tuple[type, str, str, float]]:
    for spec in SPECS:
        for name, rules in getattr(spec, "__form__", {}).items():
            for rule, value in rules.items():
                if "imum" in rule:
                    yield spec, name, rule, value


def of(spec: type, name: str, value: Any) -> Any:
    sizes = SIZES if spec is WalkForward else {}
    return TypeAdapter(spec).validate_python({**sizes, name: value})


def errors(value: dict[str, Any]) -> list[str]:
    """Dotted fields of an experiment that the form would mark."""
    found = Draft202012Validator(Experiment.model_json_schema()).iter_errors(value)
    return [".".join(map(str, error.absolute_path)) for error in found]


def test_there_are_bounds_to_test() -> None:
    assert len(list(bounds())) > 25


@pytest.mark.parametrize(
    ("spec", "name", "rule", "value"),
    list(bounds()),
    ids=lambda one: getattr(one, "__name__", str(one)),
)
def test_a_bound_of_the_form_is_the_bound_of_the_spec(
    spec: type, name: str, rule: str, value: float
) -> None:
    """The last value inside is taken, the next one is not: for whole numbers exactly the next."""
    (field,) = (one for one in dataclasses.fields(spec) if one.name == name)
    step = 1 if "int" in str(field.type) else 1e-6
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
        ({"references": ["lasso"]}, "references.0"),
        ({"attribution": {"methods": ["saliency"]}}, "attribution.methods.0"),
        ({"data": {"features": "prices"}}, "data.features"),
        ({"seeds": []}, "seeds"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_a_wrong_value_is_marked_at_its_field(value: dict[str, Any], field: str) -> None:
    assert errors(value) == [field]


def test_what_is_left_out_is_no_fault_and_ones_own_is_taken() -> None:
    assert not errors({})
    assert not errors({"variants": ["none", "my.package:variant"]})
    assert not errors({"data": {"features": "my.package:features"}})


def test_choices_are_the_mappings() -> None:
    schema = Experiment.model_json_schema()
    built_in, _ = schema["properties"]["variants"]["anyOf"]
    assert built_in["items"]["enum"] == list(VARIANTS)
    assert schema["properties"]["references"]["items"]["enum"] == list(REFERENCES)
    methods = schema["$defs"]["AttributionSpec"]["properties"]["methods"]
    assert methods["items"]["enum"] == list(ATTRIBUTIONS)


@pytest.mark.parametrize("model", [Experiment, ExplainRequest, OutsideAudit])
def test_help_is_one_paragraph_and_nothing_is_required(model: Any) -> None:
    schema = model.model_json_schema()
    sections = [schema, *schema["$defs"].values()]
    assert not [one["title"] for one in sections if "required" in one]
    assert not [one["title"] for one in sections if "\n" in one["description"]]
