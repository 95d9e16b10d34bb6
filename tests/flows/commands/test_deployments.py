"""Deployments: defaults of their parameters, logs, schedules and work pools."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from uuid import uuid4

import pytest
from prefect.flows import load_flow_from_entrypoint
from prefect.utilities.callables import parameter_schema
from prefect.utilities.schema_tools.validation import validate

from foldproof.conf.explanation import load_explanation
from foldproof.conf.load import ConfigError, load
from foldproof.conf.schema import Experiment
from foldproof.flows.commands.deployments import (
    DEPLOYMENTS,
    LogLines,
    completed,
    configured,
    deployments,
)
from foldproof.flows.flow_runs.this_run import Progress, due
from foldproof.flows.processes.workers import Workers
from foldproof.models.normalizers import VARIANTS
from foldproof.tasks.attribute.task import attribute
from foldproof.tasks.data.task import load_panel
from foldproof.tasks.diagnose.task import audit_panel, audit_variant, diagnose
from foldproof.tasks.train.task import train
from tests.tasks.track.conftest import OTHERS_WARNINGS

pytestmark = [pytest.mark.filterwarnings(text) for text in OTHERS_WARNINGS]

ROOT = Path(__file__).resolve().parents[3]


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
    flow = load_flow_from_entrypoint(f"foldproof.flows.commands.deployments.{name}")
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
        f"{name}/{name}-{one.preset}" for name, one in DEPLOYMENTS.items()
    ]
    for one, (name, meant) in zip(made, DEPLOYMENTS.items(), strict=True):
        assert one.entrypoint == f"foldproof.flows.commands.deployments.{name}"
        plans = [(plan.schedule.cron, plan.schedule.timezone) for plan in one.schedules]
        assert plans == ([(meant.cron, "Europe/Berlin")] if meant.cron else [])
        assert (one.concurrency_limit == 1) is meant.alone
        assert (one.work_pool_name, one.job_variables) == (None, {})


def test_workers_of_a_pool_run_a_given_configuration_in_this_folder(tmp_path, monkeypatch):
    (tmp_path / "mine.yaml").write_text((ROOT / "conf" / "quick.yaml").read_text())
    monkeypatch.chdir(tmp_path)
    made = deployments(configured("mine.yaml", ["training.epochs=7"]), "UTC", "desk")
    assert {one.full_name for one in made} == {f"{name}/{name}-mine" for name in DEPLOYMENTS}
    assert {one.work_pool_name for one in made} == {"desk"}
    assert {one.job_variables["working_dir"] for one in made} == {str(tmp_path)}
    assert {one.job_variables["env"]["OMP_NUM_THREADS"] for one in made} == {"1"}
    folders = {one.job_variables["env"]["PREFECT_RESULTS_LOCAL_STORAGE_PATH"] for one in made}
    assert folders == {str(tmp_path / ".foldproof" / "results")}  # as for the shell
    assert made[0].parameters["experiment"]["training"]["epochs"] == 7


def test_schedules_and_nights_share_one_time_zone(tmp_path, monkeypatch):
    (tmp_path / "mine.yaml").write_text((ROOT / "conf" / "quick.yaml").read_text())
    monkeypatch.chdir(tmp_path)
    for option, overrides, zone in (
        ("", [], "America/New_York"),
        ("", ["operation.timezone=Asia/Tokyo"], "Asia/Tokyo"),
        ("Europe/Berlin", ["operation.timezone=Asia/Tokyo"], "Europe/Berlin"),
    ):
        made = deployments(configured("mine.yaml", overrides), option)
        plans = {plan.schedule.timezone for one in made for plan in one.schedules}
        assert plans == {zone}
        nights = [one.parameters["experiment"]["operation"]["timezone"] for one in made[3:]]
        assert set(nights) == {zone}


def test_a_late_run_belongs_to_the_night_on_which_it_was_due(monkeypatch):
    """Friday 20:00 in New York is Saturday in UTC, in summer and in winter."""
    for start in ("2026-07-04T00:00:00+00:00", "2026-12-05T01:00:00+00:00"):
        run = SimpleNamespace(scheduled_start_time=datetime.fromisoformat(start))
        monkeypatch.setattr("foldproof.flows.flow_runs.this_run.flow_run", run)
        friday = date.fromisoformat(start[:10]) - timedelta(days=1)
        night = load("nightly", ["operation.as_of=null"]).tonight(due())
        assert night.operation.as_of == night.data.end == friday
        berlin = ["operation.as_of=null", "operation.timezone=Europe/Berlin"]
        assert load("nightly", berlin).tonight(due()).data.end == friday + timedelta(days=1)
    fixed = load("nightly", ["operation.as_of=2022-11-25"]).tonight(due())
    assert fixed.operation.as_of == date(2022, 11, 25)


def inputs(form, section):
    """Dotted names of the settings that the form of a section draws."""
    for name, field in form["definitions"][section]["properties"].items():
        below = field.get("$ref", "").rpartition("/")[2]
        yield from [f"{name}.{one}" for one in inputs(form, below)] if below else [name]


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_a_form_opens_short_and_accepts_every_setting(name):
    made = {one.name: one for one in deployments(configured("", []), "")}
    one = DEPLOYMENTS[name]
    (found,) = (made[key] for key in made if key.startswith(name))
    form = found._parameter_openapi_schema.model_dump()
    section = "ExplainRequest" if name == "explain" else "Experiment"
    assert len(list(inputs(form, section))) <= 20
    assert "Use JSON input" in form["definitions"][section]["description"]
    validate(found.parameters, form, raise_on_error=True)
    assert found.parameters == one.parameters(load(one.preset).model_dump(mode="json"))


def test_a_form_offers_every_variant_that_its_deployment_compares():
    compare = deployments(configured("", []), "")[0]
    variants = compare._parameter_openapi_schema.definitions["Experiment"]["properties"]["variants"]
    offered = variants["anyOf"][0]["items"]["enum"]
    assert {*compare.parameters["experiment"]["variants"], *VARIANTS} <= {*offered}
    assert "zscore @ date_block" in offered
    assert len(offered) == len({*offered})


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"training": {"epochs": 0}}, "epochs"),  # drawn
        ({"training": {"weight_decay": -1}}, "weight_decay"),  # not drawn
        ({"statistics": {"level": 2}}, "level"),
        ({"operation": {"score": {"shift_dates": 0}}}, "shift_dates"),
        ({"training": {"epoch": 5}}, "epoch"),  # no such key
    ],
)
def test_a_setting_that_the_form_does_not_draw_is_checked_as_well(given, field):
    compare = deployments(configured("", []), "")[0]
    form = compare._parameter_openapi_schema.model_dump()
    validate({"experiment": {"statistics": {"level": 0.9}}}, form, raise_on_error=True)
    (error,) = validate({"experiment": given}, form)
    assert field in error.message or field in error.absolute_path


def test_a_run_is_named_after_its_configuration(monkeypatch):
    parameters = {"experiment": load("nightly")}
    monkeypatch.setattr(
        "foldproof.flows.flow_runs.this_run.flow_run",
        SimpleNamespace(
            parameters=parameters, scheduled_start_time=datetime(2026, 7, 4, tzinfo=UTC)
        ),
    )
    for name, shown in (
        ("compare", "Nightly"),
        ("audit", "Nightly"),
        ("score", "Nightly 2022-11-25"),
    ):
        flow = DEPLOYMENTS[name].flow
        assert flow.flow_run_name is not None
        assert flow.flow_run_name() == shown
    assert (
        DEPLOYMENTS["explain"].flow.flow_run_name.format(request=load_explanation("latest"))
        == "latest"
    )


def test_a_flow_that_runs_alone_cannot_hang_for_ever():
    for one in DEPLOYMENTS.values():
        assert bool(one.flow.timeout_seconds) is one.alone


def test_tasks_have_a_tag_for_concurrency_limits():
    tasks = [audit_variant, audit_panel, diagnose, train, attribute, load_panel]
    assert [sorted(one.tags) for one in tasks] == [
        ["audit"], ["audit"], ["audit"], ["train"], ["attribute"], ["source"],
    ]  # fmt: skip


def test_progress_is_shown_for_deployed_runs_only_and_ends_at_100(monkeypatch):
    shown = []
    monkeypatch.setattr(
        "foldproof.flows.flow_runs.this_run.create_progress_artifact",
        lambda percent, key, description: shown.append((percent, description)) or uuid4(),
    )
    monkeypatch.setattr(
        "foldproof.flows.flow_runs.this_run.update_progress_artifact",
        lambda artifact, percent, description: shown.append((percent, description)),
    )
    monkeypatch.setattr("foldproof.flows.flow_runs.this_run.deployment", SimpleNamespace(id=None))
    Progress(1).advance("a unit", 1)
    assert not shown
    monkeypatch.setattr("foldproof.flows.flow_runs.this_run.deployment", SimpleNamespace(id="1234"))
    progress = Progress(4)
    for title in ("a", "b", "c", "d"):
        progress.advance(title, 4)
    assert shown == [
        (25.0, "1 of 4 jobs, last finished: a"),
        (100.0, "4 of 4 jobs, last finished: d"),
    ]


def test_an_unknown_time_zone_gets_the_nearest():
    with pytest.raises(ConfigError, match="did you mean Europe/Berlin"):
        deployments(configured("", []), "Europe/Berlln")
