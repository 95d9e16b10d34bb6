import re
from dataclasses import fields

import pytest

from foldproof.conf.load import ConfigError, load, load_as, to_yaml
from foldproof.conf.schema import Experiment
from foldproof.tasks.operate.nights.checks import CHECKS
from foldproof.tasks.operate.spec import BOUNDS, LESS_IS_WORSE, Bound, ScoreSpec


def bounds(*settings: str) -> dict[str, Bound]:
    return load("quick", [f"operation.score.{text}" for text in settings]).operation.score.bounds


def test_half_a_bound_keeps_the_other_half() -> None:
    assert bounds("age.refuse=900") == dict(BOUNDS) | {"age": Bound(warn=365, refuse=900)}
    assert bounds("coverage.warn=0.99")["coverage"] == Bound(warn=0.99, refuse=0.5)


def test_null_removes_one_side_of_a_bound() -> None:
    assert bounds("age.refuse=null")["age"] == Bound(warn=365, refuse=None)


def test_bounds_survive_yaml(tmp_path) -> None:
    experiment = load("quick", ["operation.score.age.refuse=900"])
    (tmp_path / "again.yaml").write_text(to_yaml(experiment))
    assert load_as(Experiment, tmp_path / "again.yaml") == experiment


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("score.age.refse=9", "operation.score.age.refse: no such key; did you mean"),
        ("score.age.warn=800", "score.age.warn must not lie beyond refuse"),
        ("score.coverage.warn=0.4", "score.coverage.warn must not lie beyond refuse"),
        ("score.shift_dates=0", "shift_dates must be at least 1; it is 0"),
        ("monitor.level=0.5", "level must lie in (0, 0.5); it is 0.5"),
        ("monitor.least_tau=-2", "least_tau must lie in [-1, 1]; it is -2"),
        ("monitor.samples=0", "samples must be at least 1; it is 0"),
    ],
)
def test_a_setting_out_of_bounds_is_named(setting: str, said: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)):
        load("quick", [f"operation.{setting}"])


def test_there_is_a_check_for_every_bound_and_a_bound_for_every_check() -> None:
    assert list(CHECKS) == list(ScoreSpec().bounds) == list(BOUNDS)
    assert set(LESS_IS_WORSE) <= set(CHECKS)
    assert {one.name for one in fields(ScoreSpec)} - set(CHECKS) == {"shift_dates"}
    assert all(check.title and check.unit and check.measure.__doc__ for check in CHECKS.values())
