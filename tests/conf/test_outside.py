"""The settings of an audit of somebody's own forecaster, as they are typed."""

import pytest

from conf.load import ConfigError
from conf.outside import load_outside


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
    ],
)
def test_a_mistake_names_the_setting(settings: list[str], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_outside("mine:forecast", "rows.parquet", settings)
    assert said in str(caught.value)
    assert "Traceback" not in str(caught.value)


@pytest.mark.parametrize("name", ["mine", "mine:", ":forecast", "a:b:c"])
def test_a_forecaster_is_a_module_and_what_stands_in_it(name: str) -> None:
    with pytest.raises(ConfigError, match=r"package\.module:function"):
        load_outside(name, "rows.parquet")
