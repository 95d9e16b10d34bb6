"""An Experiment from a YAML file and ``key=value`` overrides, or errors that name the key."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import yaml
from pydantic import BaseModel, ValidationError

from foldproof.conf.names import is_section, kinds_of, read_yaml, setting_at
from foldproof.conf.schema import Experiment
from foldproof.models.spec import clipped, nearest
from foldproof.tasks.split import PLANS

PRESETS = Path(__file__).resolve().parent

ROWS = (
    "{file} holds rows, not settings: name a YAML file or a preset and set "
    "data.source=file data.path={file}, or give a forecaster: audit module:function {file}"
)
NO_CONFIGURATION = {
    ".py": "{file} is Python, not a configuration: to audit a function of it, such as forecast, "
    "give its rows too: audit {stem}:forecast rows.parquet",
    ".csv": ROWS,
    ".parquet": ROWS,
}
"""What to do instead with a file that is given for a configuration, by its suffix."""

Schema = TypeVar("Schema", bound=BaseModel)


MOST, LONGEST = 20, 1000
"""Faults that a message lists, and characters of each."""


UNUSED_HORIZON = 1
"""The default of split.horizon, which a saved configuration has."""


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
        tree = read_yaml(file.read_text(encoding="utf-8"), schema)
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # an impossible date, depth
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
        apply_override(tree, text, schema)
    split = tree.get("split")
    if isinstance(split, dict) and split.get("horizon", UNUSED_HORIZON) != UNUSED_HORIZON:
        right = "horizon" if "forecaster" in tree else "target.horizon"
        raise ConfigError(f"{fault}\n  split.horizon: labels end as {right} says; set it instead")
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
            if file.suffix in NO_CONFIGURATION:
                raise ConfigError(NO_CONFIGURATION[file.suffix].format(file=file, stem=file.stem))
            return file
    presets = sorted(file.stem for file in PRESETS.glob("*.yaml"))
    hint = nearest(Path(source).stem, presets) or "."
    raise ConfigError(f"{source}: no such file or preset{hint} Presets: {', '.join(presets)}")


def study_of(source: str | Path) -> str | None:
    """The kind of study that a file describes; None for a comparison or a file that is not YAML.

    Raises:
        ConfigError: No such file or preset.
    """
    file = find(source)
    try:
        tree = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError):
        return None  # loading it reports what is wrong
    kind = tree.get("study") if isinstance(tree, dict) else None
    return None if kind is None else str(kind)


def apply_override(tree: dict[str, Any], text: str, schema: type[BaseModel]) -> None:
    """Set ``a.b=value`` in ``tree``; the value is YAML, or text where ``schema`` has a name."""
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
        node[last] = read_yaml(value, setting_at([*path, last], schema))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigError(
            f"{clipped(text)}: the value is not readable as YAML: {shortened(str(error))}"
        ) from error


def shortened(line: str) -> str:
    """A fault on one line; a very long one loses its end."""
    return line if len(line) <= LONGEST else f"{line[:LONGEST]} ..."


def describe(error: ValidationError, schema: type[BaseModel] = Experiment) -> Iterable[str]:
    """One line per fault: the dotted key, what is wrong, and the nearest valid key."""
    places = [fault["loc"] for fault in error.errors()]
    for fault in error.errors():
        if fault["type"] == "union_tag_invalid":
            said, section = fault["ctx"], ".".join(untagged(fault["loc"]))
            known = said["expected_tags"].replace(", ", " or ")
            yield f"{section}.plan must be {known}; it is {clipped(said['tag'])}"
            continue
        inside = [one for one in places if one[:-1] == fault["loc"]]
        if fault["type"] == "too_short" and inside:
            continue  # the entries are wrong, and pydantic counts none of them
        place = untagged(fault["loc"])
        key = ".".join(place)
        if fault["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
            *path, last = place
            valid = keys_at([str(part) for part in fault["loc"][:-1]], schema)
            elsewhere = [".".join(place) for place in places_of(last, schema)]
            if key in elsewhere:
                yield f"{key}: no setting of this split.plan; there are {', '.join(valid)}"
                continue
            hint = (
                (f"; did you mean {elsewhere[0]}?" if len(elsewhere) == 1 else "")
                or nearest(last, valid, ".".join([*path, ""]))
                or f"; there are {', '.join(valid)}"
            )
            yield f"{key}: no such key{hint}"
        elif fault["type"] in ("missing", "missing_argument"):
            yield f"{key}: is missing"
        elif wanted := expected(fault, keys_at([str(part) for part in fault["loc"]], schema)):
            yield f"{key} {wanted}; it is {clipped(fault['input'])}"
        else:
            message = fault["msg"].removeprefix("Value error, ")
            given = "" if fault["type"] == "value_error" else f" (it is {clipped(fault['input'])})"
            yield f"{named(fault['loc'], message, schema)}{given}"


def untagged(place: Sequence[Any]) -> list[str]:
    """The parts of a fault's key; pydantic adds the kind of plan after ``split``."""
    parts = [str(part) for part in place]
    if "split" in parts:
        after = parts.index("split") + 1
        parts[after : after + 1] = [part for part in parts[after : after + 1] if part not in PLANS]
    return parts


NUMBER, DATE = "must be a number", "must be a date such as 2020-12-31"
EXPECTED = {
    "int": "must be a whole number",
    "float": NUMBER,
    "finite": NUMBER,
    "bool": "must be true or false",
    "string": "must be a name",
    "date": DATE,
    "datetime": DATE,
}
"""What a setting must be, by the first word of pydantic's type of error."""


def expected(fault: Mapping[str, Any], keys: Sequence[str]) -> str:
    """What the setting of a fault must be; empty where pydantic's own message says it.

    Args:
        fault: One of pydantic's errors.
        keys: The keys of the setting, if it is a section.
    """
    kind, given = fault["type"], fault["input"]
    if kind in ("tuple_type", "list_type"):
        return f"must be a list, such as [{shortened(str(given))}]"
    if kind in ("dataclass_type", "model_type", "dict_type") and keys:
        key = ".".join([*untagged(fault["loc"]), keys[0]])
        return f"is a section of settings, such as {key}=..."
    if kind == "literal_error":
        return f"must be {fault['ctx']['expected']}"
    return EXPECTED.get(kind.partition("_")[0], "")


def named(place: Sequence[Any], message: str, schema: type[BaseModel]) -> str:
    """``message`` with the dotted key of its setting in front."""
    path = untagged(place)
    key, first = ".".join(path), message.split()[0]
    if path and first == path[-1]:
        return key + message.removeprefix(first)
    if first.partition(".")[0] in keys_at([str(part) for part in place], schema):
        return ".".join([*path, message])
    return f"{key}: {message}" if key else message


def keys_at(path: Sequence[str], schema: type[BaseModel] = Experiment) -> list[str]:
    """Valid keys of the section at ``path``; an entry of a mapping or a list counts as one step."""
    kinds = kinds_of(setting_at([*path], schema))
    section = next((kind for kind in kinds if is_section(kind)), None)
    if is_dataclass(section):
        return [field.name for field in fields(section)]
    return list(schema.model_fields) if section is schema else []


def places_of(key: str, schema: Any, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The paths of all settings called ``key`` in the sections below ``schema``."""
    for name, hint in get_type_hints(schema).items():
        if name == key and above:
            yield (*above, name)
        for kind in kinds_of(hint):
            if is_section(kind):
                yield from places_of(key, kind, (*above, name))


def to_yaml(experiment: BaseModel) -> str:
    """The description as YAML, which loads to an equal one."""
    return yaml.safe_dump(experiment.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
