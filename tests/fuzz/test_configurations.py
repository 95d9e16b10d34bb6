"""A configuration is loaded, or refused by ConfigError in brief sentences."""

import json
import tempfile
from datetime import date
from pathlib import Path
from typing import Any

import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from foldproof.conf.load import PRESETS, ConfigError, described, load, load_as, to_yaml
from foldproof.conf.outside import OutsideAudit, load_outside
from foldproof.conf.schema import Experiment
from foldproof.conf.study import study_of

LONGEST = 25_000
"""Characters of a message: its lines are limited in number and length."""


def keys_of(tree: Any, prefix: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The path of every setting of a tree."""
    found = [prefix] if prefix else []
    for key, value in tree.items() if isinstance(tree, dict) else ():
        found += keys_of(value, (*prefix, key))
    return found


QUICK: dict[str, Any] = json.loads(load("quick").model_dump_json())
KEYS = sorted({".".join(path) for path in keys_of(QUICK)})
text = st.text(st.characters(codec="utf-8"), max_size=20)
number = st.integers() | st.floats() | st.sampled_from([0, 1, -1, 10**30, 1e308, 0.5])
leaf = (
    st.none() | st.booleans() | number | text
    | st.sampled_from(["price", "ready", "none", "zscore", "mine:f", "os:system", "query", "file",
                       "select 1", "..", "1Y", "2020-01-31", "x" * 5000, "${A}", "a:b:c", ":", "$"])
    | st.dates().map(date.isoformat)
)  # fmt: skip
tree = st.recursive(
    leaf,
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(text | st.sampled_from([key.rpartition(".")[2] for key in KEYS]), inner,
                      max_size=4),
    max_leaves=8,
)  # fmt: skip
key = st.sampled_from(KEYS) | text


def attempt(make: Any) -> Any:
    """What ``make`` returns; None if it is refused in brief sentences, which is all it may do."""
    try:
        return make()
    except ConfigError as error:
        said = str(error)
        assert said.strip()
        assert len(said) < LONGEST
        assert "Traceback" not in said
        return None


def changed(settings: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy of the settings with another value at ``path``."""
    copy = json.loads(json.dumps(settings))
    *above, last = path.split(".")
    node = copy
    for part in above:
        node = node.get(part) if isinstance(node.get(part), dict) else node.setdefault(part, {})
        if not isinstance(node, dict):
            return copy
    node[last] = value
    return copy


@given(key, tree)
@example("training.epochs", "five")
@example("data.columns", {"features": []})
@example("split", None)
@example("operation.score.shift", {"warn": float("nan")})
def test_a_preset_with_any_value_anywhere(path: str, value: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "own.yaml"
        file.write_text(yaml.safe_dump(changed(QUICK, path, value)), encoding="utf-8")
        found = attempt(lambda: load(file))
        if found is not None:
            file.write_text(to_yaml(found), encoding="utf-8")
            assert to_yaml(load(file)) == to_yaml(found), "its own YAML repeats it"


@given(st.binary(max_size=300))
@example(b"a: &a [x]\nb: &b [*a, *a]\n" * 3)
@example(b"name: !!python/object/apply:os.system ['touch OWNED']\n")
@example(b"? [1, 2]\n: 3\n")
@example(b"{{}: 1}")
@example(b"1: 2\n")
def test_any_bytes_as_a_configuration(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "own.yaml"
        file.write_bytes(content)
        attempt(lambda: load(file))
        attempt(lambda: study_of(file))


BOMB = "bomb: &l0 [lol]\n" + "".join(
    f"b{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 12)
)


def test_a_bomb_of_aliases_is_refused_at_once() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for use in (
            "variants: *l11",
            "name: *l11",
            "data: *l11",
            "split: {train: *l11}",
            "x: *l11",
        ):
            file = Path(folder) / "own.yaml"
            file.write_text(f"{BOMB}{use}\n", encoding="utf-8")
            assert attempt(lambda file=file: load(file)) is None


@given(st.lists(st.one_of(text, st.tuples(key, tree).map(
    lambda pair: f"{pair[0]}={json.dumps(pair[1])}"), st.tuples(key, text).map("=".join)),
    max_size=3))  # fmt: skip
@example(["training.epochs.x=1"])
@example(["=1"])
@example(["a..b=1"])
@example(["variants=[*a]"])
@example([f"name={'[' * 3000}"])
def test_any_overrides(overrides: list[str]) -> None:
    attempt(lambda: load("quick", overrides))
    attempt(lambda: load_outside("mine:forecast", "rows.csv", overrides))


@given(st.sampled_from([Experiment, OutsideAudit]), key, tree)
def test_any_parameters_of_a_flow(schema: Any, path: str, value: Any) -> None:
    """Prefect validates parameters with the same model and shows pydantic's own errors."""
    settings = changed(QUICK if schema is Experiment else {}, path, value)
    attempt(lambda: described(schema, settings, [], "these parameters cannot be used"))


@given(text)
def test_any_name_of_a_configuration(name: str) -> None:
    attempt(lambda: load(name))
    attempt(lambda: load_as(Experiment, PRESETS / name))
