"""Names stay as they are written: YAML reads ON, NULL, 000001 and 2024 as something else."""

from collections.abc import Mapping
from dataclasses import is_dataclass
from datetime import date
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import yaml
from pydantic import BaseModel

NULL = ("", "~", "null")
"""How a setting without a value is written; in other spellings it is a name, such as a ticker."""


def read_yaml(text: str, hint: Any) -> Any:
    """YAML as plain values; what ``hint`` says is a name is text as it is written.

    Args:
        text: One YAML document.
        hint: The type that the document describes: a specification, or the type of one setting.

    Raises:
        yaml.YAMLError: It is no YAML.
        ValueError: It contains an impossible date.
    """
    return as_written(yaml.safe_load(text), yaml.load(text, yaml.BaseLoader), hint)


def as_written(value: Any, written: Any, hint: Any) -> Any:
    """``value`` with its names replaced by their text in ``written``, the same tree of texts."""
    if hint is Any:
        return value
    kinds = kinds_of(hint)
    if isinstance(value, dict) and isinstance(written, dict):
        return {
            name: as_written(entry, written.get(name, entry), kind)
            for name, entry, kind in entries(value, written, kinds)
        }
    if isinstance(value, list) and isinstance(written, list):
        of = next((get_args(kind)[0] for kind in kinds if get_origin(kind) in (tuple, list)), Any)
        return [as_written(one, text, of) for one, text in zip(value, written, strict=True)]
    if str not in kinds or isinstance(value, str) or not isinstance(written, str):
        return value
    if {int, float, bool, date} & {*kinds} or (value is None and written in NULL):
        return value
    return written


def kinds_of(hint: Any) -> tuple[Any, ...]:
    """The alternatives of a type, without annotations."""
    if get_origin(hint) is Annotated:
        return kinds_of(get_args(hint)[0])
    if get_origin(hint) in (Union, UnionType):
        return tuple(kind for one in get_args(hint) for kind in kinds_of(one))
    return (hint,)


def entries(
    value: dict[Any, Any], written: dict[str, Any], kinds: tuple[Any, ...]
) -> list[tuple[Any, Any, Any]]:
    """(key, entry, type) of a section, whose keys are settings, or of a mapping of names."""
    for kind in kinds:
        if get_origin(kind) in (dict, Mapping) and len(value) == len(written):
            of = get_args(kind)[1]
            return [(name, one, of) for name, one in zip(written, value.values(), strict=True)]
        if is_section(kind):
            hints = get_type_hints(kind, include_extras=True)
            return [(name, one, hints.get(name, Any)) for name, one in value.items()]
    return [(name, one, Any) for name, one in value.items()]


def is_section(kind: Any) -> bool:
    """Whether a type is a specification with settings of its own."""
    return is_dataclass(kind) or (isinstance(kind, type) and issubclass(kind, BaseModel))


def setting_at(path: list[str], schema: Any) -> Any:
    """The type of the setting or section at ``path``; Any where there is none.

    An entry of a mapping or a list counts as one step.
    """
    found: Any = schema
    for part in path:
        kinds = [kind for kind in kinds_of(found) if kind is not NoneType]
        sections = [kind for kind in kinds if is_section(kind)]
        if len(sections) > 1:  # the part is a setting of one of them, or says which
            named = [kind for kind in sections if getattr(kind, "plan", None) == part]
            holds = [kind for kind in sections if part in get_type_hints(kind)]
            found = named[0] if named else Any
            if holds:
                found = get_type_hints(holds[0], include_extras=True)[part]
            continue
        section = next(iter(sections), None)
        listed = next((kind for kind in kinds if get_origin(kind) in (dict, Mapping, tuple)), None)
        if section is not None:
            found = get_type_hints(section, include_extras=True).get(part, Any)
        elif listed is not None:
            found = get_args(listed)[get_origin(listed) is not tuple]
        else:
            return Any
    return found
