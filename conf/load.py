"""An Experiment from a YAML file and ``key=value`` overrides, or errors that name the key."""

from collections.abc import Iterable, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import yaml
from pydantic import BaseModel, ValidationError

from foldproof.conf.schema import Experiment
from foldproof.models.spec import clipped, nearest

PRESETS = Path(__file__).resolve().parent

Schema = TypeVar("Schema", bound=BaseModel)


MOST, LONGEST = 20, 1000
"""Faults that a message lists, and characters of each."""


class ConfigError(ValueError):
    """A configuration that cannot be used; the message has one line per fault."""


def load(source: str | Path, overrides: Sequence[str] = ()) -> Experiment:
    """The experiment in ``source`` with ``overrides`` such as ``training.epochs=5``.

    ``source`` is a file or the name of a preset: ``sp500``, ``quick``, ``noise``, ``truth``,
    ``nightly``.

    Raises:
        ConfigError: No such file or preset, broken YAML, an unknown key, or a value out of bounds.
    """
    return load_as(Experiment, source, overrides)


def load_as(schema: type[Schema], source: str | Path, overrides: Sequence[str] = ()) -> Schema:
    """The description in ``source`` with ``overrides``, for any pydantic model.

    Raises:
        ConfigError: No such file or preset, broken YAML, an unknown key, or a value out of bounds.
    """
    file = find(source)
    try:
        tree = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # a date that cannot be, depth
        raise ConfigError(f"{file}: not readable as YAML: {shortened(str(error))}") from error
    if not isinstance(tree, dict):
        raise ConfigError(
            f"{file}: it must contain a mapping of settings, not {type(tree).__name__}"
        )
    return described(schema, tree, overrides, f"{file}: the configuration cannot be used")


def described(
    schema: type[Schema], tree: dict[str, Any], overrides: Sequence[str], fault: str
) -> Schema:
    """The description in ``tree`` with ``overrides``.

    Raises:
        ConfigError: ``fault``, and a line for each unknown key or value out of bounds.
    """
    for text in overrides:
        apply_override(tree, text)
    try:
        return schema.model_validate(tree)
    except ValidationError as error:
        lines = [f"  {shortened(line)}" for line in describe(error, schema)]
        more = [f"  and {len(lines) - MOST} more"] if len(lines) > MOST else []
        faults = "\n".join([*lines[:MOST], *more])
        raise ConfigError(f"{fault}\n{faults}") from error


def find(source: str | Path) -> Path:
    """The file ``source``, or the preset of that name."""
    for file in (Path(source), PRESETS / Path(source).name, PRESETS / f"{source}.yaml"):
        if file.is_file():
            return file
    presets = sorted(file.stem for file in PRESETS.glob("*.yaml"))
    hint = nearest(Path(source).stem, presets) or "."
    raise ConfigError(f"{source}: no such file or preset{hint} Presets: {', '.join(presets)}")


def apply_override(tree: dict[str, Any], text: str) -> None:
    """Set ``a.b=value`` in ``tree``; the value is YAML."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"{clipped(text)}: an override is key=value, such as training.epochs=5")
    *path, last = key.strip().split(".")
    node = tree
    for depth, part in enumerate(path):
        child = node.setdefault(part, {})
        if not isinstance(child, dict):
            above = ".".join(path[: depth + 1])
            raise ConfigError(f"{clipped(text)}: {above} is a value, not a section")
        node = child
    try:
        node[last] = yaml.safe_load(value)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(
            f"{clipped(text)}: the value is not readable as YAML: {shortened(str(error))}"
        ) from error


def shortened(line: str) -> str:
    """A fault on one line; a very long one loses its end."""
    return line if len(line) <= LONGEST else f"{line[:LONGEST]} ..."


def describe(error: ValidationError, schema: type[BaseModel] = Experiment) -> Iterable[str]:
    """One line per fault: the dotted key, what is wrong, and the nearest valid key."""
    for fault in error.errors():
        key = ".".join(str(part) for part in fault["loc"])
        if fault["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
            *path, last = (str(part) for part in fault["loc"])
            valid = keys_at(path, schema)
            hint = nearest(last, valid, ".".join([*path, ""])) or f"; there are {', '.join(valid)}"
            yield f"{key}: no such key{hint}"
        elif fault["type"] in ("missing", "missing_argument"):
            yield f"{key}: is missing"
        else:
            message = fault["msg"].removeprefix("Value error, ")
            given = "" if fault["type"] == "value_error" else f" (it is {clipped(fault['input'])})"
            yield f"{named(fault['loc'], message, schema)}{given}"


def named(place: Sequence[Any], message: str, schema: type[BaseModel]) -> str:
    """``message`` with the dotted key of its setting in front."""
    path = [str(part) for part in place]
    key, first = ".".join(path), message.split()[0]
    if path and first == path[-1]:
        return key + message.removeprefix(first)
    if first.partition(".")[0] in keys_at(path, schema):
        return ".".join([*path, message])
    return f"{key}: {message}" if key else message


def keys_at(path: Sequence[str], schema: type[BaseModel] = Experiment) -> list[str]:
    """Valid keys of the section at ``path``; an entry of a mapping or a list counts as one step."""
    section: Any = schema
    for part in path:
        if get_origin(section) in (dict, tuple):
            section = get_args(section)[get_origin(section) is dict]
        else:
            section = get_type_hints(section).get(part)
        if get_origin(section) in (Union, UnionType):  # an optional section
            section = next(one for one in get_args(section) if one is not NoneType)
    if is_dataclass(section):
        return [field.name for field in fields(section)]
    return list(schema.model_fields) if section is schema else []


def to_yaml(experiment: BaseModel) -> str:
    """The description as YAML, which loads to an equal one."""
    return yaml.safe_dump(experiment.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
