import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow.utils.validation import _validate_metric_name, _validate_param_name, _validate_tag_name

from foldproof.tasks.track.entries import key_of, keys_of, metrics, params, tags, value_of
from tests.tasks.names import NASTY

any_text = st.text(max_size=300)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("动量", "动量"), ("σ²", "σ²"), ("a//b", "a/_/b"), ("x/", "x/_"), ("../y", "__/y"),
        (".", "_"), ("", "_"), ("a.b", "a.b"), ("ret:1", "ret_1"), ("$close", "_close"),
        ("x" * 249 + "/y", "x" * 249 + "_"), ("x" * 248 + "/..", "x" * 248 + "/_"),
        ("." * 300, "_" * 250),
    ],
)  # fmt: skip
def test_a_key_keeps_letters_of_any_script(name: str, key: str) -> None:
    assert key_of(name) == key
    _validate_metric_name(key)


@given(any_text)
def test_every_text_gives_a_key_that_the_tracker_accepts(name: str) -> None:
    for key in (key_of(name), key_of(f"importance_ig/{name}")):
        assert 0 < len(key) <= 250
        for accept in (_validate_metric_name, _validate_param_name, _validate_tag_name):
            accept(key)


@given(st.lists(any_text, unique=True))
def test_different_names_have_different_keys(names: list[str]) -> None:
    keys = keys_of(names)
    assert list(keys) == names
    assert len(set(keys.values())) == len(names)
    for key in keys.values():
        _validate_metric_name(key)
    entries = {key: f"of {name}" for name, key in keys.items()}
    assert all(value_of(entries, name) == f"of {name}" for name in names)
    assert value_of({}, "a") == ""


def test_a_suffix_depends_on_the_name_alone() -> None:
    keys = keys_of(["ret:1", "ret;1", "ret_1"])
    assert keys["ret_1"] == "ret_1"
    assert keys["ret:1"].startswith("ret_1_")
    assert keys_of(["ret_1", "ret;1"])["ret;1"] == keys["ret;1"] != keys["ret:1"]
    assert keys_of(["ret:1"]) == {"ret:1": "ret_1"}


def test_no_metric_parameter_or_tag_is_lost() -> None:
    values = [(f"importance_ig/{name}", float(k), step) for k, name in enumerate(NASTY)
              for step in (0, 1)]  # fmt: skip
    kept = metrics(values, 7)
    assert len({metric.key for metric in kept}) == len(NASTY)
    assert [(metric.value, metric.step) for metric in kept] == [(v, s) for _, v, s in values]
    settings = dict.fromkeys(NASTY, 1)
    assert len({one.key for one in params(settings)}) == len(NASTY)
    assert len({one.key for one in tags(settings)}) == len(NASTY)
