"""The settings of an audit of somebody's own forecaster, as they are typed."""

import re

import pytest

from foldproof.conf.load import ConfigError
from foldproof.conf.outside import OutsideAudit, load_outside


def test_settings_are_typed_in_the_shell() -> None:
    found = load_outside(
        "mine:forecast",
        "rows.parquet",
        ["known_at.label=known", "known_at.book=published", "target=label", "horizon=5",
         "prices=[open,close]", "start=2020-01-31", "hazard=0.02"],
    )  # fmt: skip
    assert found.known_at == {"label": "known", "book": "published"}
    assert (found.target, found.horizon, found.prices) == ("label", 5, ("open", "close"))
    assert str(found.start) == "2020-01-31"
    assert (found.split, found.cuts, found.placebo, found.permutations) == (None, None, 0, 0)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["horizn=5"], "did you mean horizon?"),
        (["horizon=0"], "horizon"),
        (["horizon=soon"], "horizon"),
        (["cuts=0"], "cuts"),
        (["hazard=2"], "hazard"),
        (["split.trian=200"], "split.trian: no such key; did you mean split.train?"),
        (["known_at=label"], "known_at"),
        (["target"], "target"),
        (["qqqqqq=1"], "qqqqqq: no such key; there are forecaster, path, date, symbol"),
        (["tracking.url=x"], "did you mean tracking.uri?"),
        (["tracking.uri=./mlruns"], "a server or a database"),
        (["embargo=-1"], "embargo must be at least 0; it is -1"),
        (["placebo=-1"], "placebo must be at least 0; it is -1"),
        (["permutations=-1"], "permutations must be at least 0"),
        (["seed=-2"], "seed must be at least 0; it is -2"),
        (["hazard=-0.1"], "hazard must lie in [0, 1]"),
        (["start=2020-02-31"], "not readable as YAML"),
        (["prices=close"], "prices must be a list, such as [close]; it is 'close'"),
        (["split.train=5Q", "split.validation=20", "split.test=20"], "5Q"),
        (["split.train=60"], "split.validation: is missing"),
    ],
)
def test_a_mistake_names_the_setting(settings: list[str], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_outside("mine:forecast", "rows.parquet", settings)
    assert said in str(caught.value)
    assert "Traceback" not in str(caught.value)


@pytest.mark.parametrize("name", ["mine", "mine:", ":forecast", "a:b:c"])
def test_a_forecaster_is_named_by_module_and_function(name: str) -> None:
    with pytest.raises(ConfigError, match=r"package\.module:function"):
        load_outside(name, "rows.parquet")


def test_all_mistakes_are_reported_at_once_one_per_line() -> None:
    with pytest.raises(ConfigError) as caught:
        load_outside("mine", "rows.parquet", ["horizn=5", "cuts=0"])
    first, *faults = str(caught.value).splitlines()
    assert first == "the audit of mine cannot be run"
    assert sorted(re.split("[ :]", fault.strip())[0] for fault in faults) == [
        "cuts", "forecaster", "horizn"
    ]  # fmt: skip


def test_every_setting_has_a_text() -> None:
    fields = OutsideAudit.model_json_schema()["properties"]
    assert fields.keys() >= {"forecaster", "path", "known_at", "target"}
    assert not [name for name, field in fields.items() if "description" not in field]
