"""Deployments: defaults of their parameters, logs, schedules and work pools."""

import json
from pathlib import Path

import pytest
from prefect.flows import load_flow_from_entrypoint
from prefect.utilities.callables import parameter_schema
from prefect.utilities.schema_tools.validation import validate

from foldproof.conf.load import ConfigError, load
from foldproof.conf.schema import Experiment
from foldproof.flows.deployments import DEPLOYMENTS, LogLines, completed, configured, deployments
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
def test_left_out_keys_get_their_defaults_at_every_depth(given, expected):
    assert completed(given, {"a": 1, "b": {"c": 2, "d": [3, 4]}}) == expected


def test_a_completed_experiment_is_the_preset_with_the_given_settings():
    preset = load("quick").model_dump(mode="json")
    got = Experiment.model_validate(completed({"training": {"epochs": 1}}, preset))
    assert got == load("quick", ["training.epochs=1"])


def test_only_whole_lines_are_logged():
    said = []
    with LogLines(said.append) as lines:
        lines.write("one\ntw")
        lines.write("o\n\n   \nthree")
        assert said == ["one", "two"]
    assert said == ["one", "two", "three"]


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_a_deployment_finds_its_flow_and_its_parameters_fit_the_form(name):
    one = DEPLOYMENTS[name]
    flow = load_flow_from_entrypoint(f"foldproof.flows.deployments.{name}")
    assert (flow.name, type(flow)) == (name, type(one.flow))
    assert flow.fn.__wrapped__.__module__ == f"foldproof.flows.{name}"
    opens = one.parameters(load(one.preset).model_dump(mode="json"))
    json.dumps(opens)
    validate(opens, parameter_schema(flow).model_dump(), raise_on_error=True)
    assert flow.validate_parameters(opens).keys() == opens.keys()


@pytest.mark.parametrize("name", ["compare", "audit", "retrain"])
def test_a_flow_that_trains_runs_in_the_workers_of_its_configuration(name):
    assert isinstance(DEPLOYMENTS[name].flow.task_runner, Workers)


def test_without_a_configuration_each_deployment_takes_its_own_preset():
    made = deployments(configured("", []), "Europe/Berlin")
    assert [one.full_name for one in made] == [
        f"{name}/{one.preset}" for name, one in DEPLOYMENTS.items()
    ]
    for one, (name, meant) in zip(made, DEPLOYMENTS.items(), strict=True):
        assert one.entrypoint == f"foldproof.flows.deployments.{name}"
        plans = [(plan.schedule.cron, plan.schedule.timezone) for plan in one.schedules]
        assert plans == ([(meant.cron, "Europe/Berlin")] if meant.cron else [])
        assert (one.concurrency_limit == 1) is meant.alone
        assert (one.work_pool_name, one.job_variables) == (None, {})


def test_workers_of_a_pool_run_a_given_configuration_in_this_folder(tmp_path, monkeypatch):
    (tmp_path / "mine.yaml").write_text((ROOT / "conf" / "quick.yaml").read_text())
    monkeypatch.chdir(tmp_path)
    made = deployments(configured("mine.yaml", ["training.epochs=7"]), "UTC", "desk")
    assert {one.full_name for one in made} == {f"{name}/mine" for name in DEPLOYMENTS}
    assert {one.work_pool_name for one in made} == {"desk"}
    assert {one.job_variables["working_dir"] for one in made} == {str(tmp_path)}
    assert {one.job_variables["env"]["OMP_NUM_THREADS"] for one in made} == {"1"}
    assert made[0].parameters["experiment"]["training"]["epochs"] == 7


def test_an_unknown_time_zone_gets_the_nearest():
    with pytest.raises(ConfigError, match="did you mean Europe/Berlin"):
        deployments(configured("", []), "Europe/Berlln")
