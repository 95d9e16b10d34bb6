"""Deployments: what they fill in and log, and that prefect.yaml is the same as the mapping."""

import json
from pathlib import Path

import pytest
import yaml
from prefect.flows import load_flow_from_entrypoint
from prefect.utilities.callables import parameter_schema
from prefect.utilities.schema_tools.validation import validate

from foldproof.conf.load import load
from foldproof.conf.schema import Experiment
from foldproof.flows.deployments import DEPLOYMENTS, POOL, LogLines, filled
from foldproof.flows.processes.workers import Workers
from tests.tasks.track.conftest import OTHERS_WARNINGS

pytestmark = [pytest.mark.filterwarnings(text) for text in OTHERS_WARNINGS]

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {"a": 1, "b": {"c": 2, "d": [3, 4]}}),
        ({"b": {"c": 5}}, {"a": 1, "b": {"c": 5, "d": [3, 4]}}),
        ({"b": {"d": [6]}}, {"a": 1, "b": {"c": 2, "d": [6]}}),
        ({"b": None}, {"a": 1, "b": None}),
        ({"e": {"f": 7}}, {"a": 1, "b": {"c": 2, "d": [3, 4]}, "e": {"f": 7}}),
    ],
)
def test_left_out_keys_are_filled_at_every_depth(given, expected):
    assert filled({"a": 1, "b": {"c": 2, "d": [3, 4]}}, given) == expected


def test_a_filled_experiment_is_the_preset_with_what_was_given():
    preset = load("quick").model_dump(mode="json")
    got = Experiment.model_validate(filled(preset, {"training": {"epochs": 1}}))
    assert got == load("quick", ["training.epochs=1"])


def test_whole_lines_are_handed_over():
    said = []
    with LogLines(said.append) as lines:
        lines.write("one\ntw")
        lines.write("o\n\n   \nthree")
        assert said == ["one", "two"]
    assert said == ["one", "two", "three"]


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_a_deployment_finds_its_flow_and_opens_with_what_the_form_accepts(name):
    one = DEPLOYMENTS[name]
    flow = load_flow_from_entrypoint(f"foldproof.flows.deployments.{name}")
    assert (flow.name, type(flow)) == (name, type(one.flow))
    assert flow.fn.__wrapped__.__module__ == f"foldproof.flows.{name}"
    opens = one.parameters(load(one.preset).model_dump(mode="json"))
    json.dumps(opens)
    validate(opens, parameter_schema(flow).model_dump(), raise_on_error=True)
    assert flow.validate_parameters(opens).keys() == opens.keys()


@pytest.mark.parametrize("name", ["compare", "audit", "retrain"])
def test_a_flow_that_trains_takes_the_workers_that_it_asks_for(name):
    assert isinstance(DEPLOYMENTS[name].flow.task_runner, Workers)


def test_prefect_yaml_is_the_mapping():
    written = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    told = {one["entrypoint"].rpartition(".")[2]: one for one in written}
    assert list(told) == list(DEPLOYMENTS)
    for name, one in DEPLOYMENTS.items():
        assert told[name]["entrypoint"] == f"foldproof.flows.deployments.{name}"
        assert (told[name]["name"], told[name]["description"]) == (one.preset, one.title)
        assert [plan["cron"] for plan in told[name].get("schedules", [])] == [
            cron for cron in [one.cron] if cron
        ]
        assert told[name].get("concurrency_limit", {}).get("limit") == (1 if one.alone else None)
        assert told[name]["work_pool"]["name"] == POOL
        meant = one.parameters(load(one.preset).model_dump(mode="json"))
        assert one.flow.validate_parameters(told[name]["parameters"]) == (
            one.flow.validate_parameters(meant)
        )
