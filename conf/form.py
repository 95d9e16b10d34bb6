"""Base of the descriptions that a YAML file, the command line or a Prefect form fills."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import is_dataclass
from typing import Any, ClassVar, get_args, get_type_hints

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler, ValidationInfo, field_validator

from foldproof.models.spec import Interval, check_setting, own_form, require_distinct

JsonSchema = dict[str, Any]
OWN_PATTERN = r"^[\w.]+:\w+$"
MORE = "For further settings choose Use JSON input in the menu of Parameters."
"""Description of the first section of a short form."""
ENDS = (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum"))
"""JSON schema keys of a lower and of an upper end: included, excluded."""


class Description(BaseModel):
    """A tree of specs. Unknown keys are errors; bounds are those of the specs."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        hide_input_in_errors=True,  # a value that is refused may be a password
    )
    __bounds__: ClassVar[Mapping[str, Interval]] = {}
    __choices__: ClassVar[Mapping[str, Any]] = {}

    @field_validator("*")
    @classmethod
    def suits(cls, value: Any, info: ValidationInfo) -> Any:
        """Check every value against bounds and choices, and every list for duplicates."""
        check_setting(cls, str(info.field_name), value)
        if isinstance(value, tuple):
            require_distinct(value, "entries")
        return value

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: Any, handler: GetJsonSchemaHandler
    ) -> JsonSchema:
        schema = handler(core_schema)
        fill_in(handler.resolve_ref_schema(schema), cls, handler.resolve_ref_schema)
        return schema


def fill_in(schema: JsonSchema, spec: Any, resolve: Callable[[JsonSchema], JsonSchema]) -> None:
    """Add the bounds, choices and help of ``spec`` and of the specs below it to its JSON schema.

    No key is required: a form opens with values, and a key that is left out keeps its value.
    """
    schema.pop("required", None)
    if "description" in schema:
        schema["description"] = " ".join(schema["description"].split("\n\n")[0].split())
    fields, kinds = schema["properties"], get_type_hints(spec)
    for name, interval in spec.__bounds__.items():
        field = fields[name]
        field.get("items", field).update(limits(interval))
    for name, names in spec.__choices__.items():
        offer(fields[name], [*names])
    for name, field in fields.items():
        if "oneOf" in field:  # Prefect's form offers the alternatives of anyOf
            field["anyOf"] = field.pop("oneOf")
        below = {part.__name__: part for part in parts_of(kinds[name]) if is_dataclass(part)}
        for reference in references(field):
            target = resolve(reference)
            if target.get("title") in below:
                fill_in(target, below[target["title"]], resolve)


def short_form(
    definitions: JsonSchema, shown: Mapping[str, Sequence[str]], values: Mapping[str, Any]
) -> JsonSchema:
    """The definitions of a form that shows only some settings of each section, in the given order.

    A list of choices also offers what ``values`` already holds, such as ``zscore @ date_block``:
    Prefect would not draw a chosen value that is no choice.

    A form draws the ``properties`` of a section. The other settings become ``patternProperties``:
    they are not drawn, but they are accepted and checked as before, over the API and in the form's
    JSON view.

    Args:
        definitions: JSON schemas of the sections by name, such as ``DataSpec``.
        shown: Names of the settings to show, by section, the outermost first; all settings of a
            section that is left out are shown.
        values: Values of the settings of the outermost section when the form opens.
    """
    found = dict(definitions)
    for section, names in shown.items():
        fields = dict(definitions[section]["properties"])
        first = {name: fields.pop(name) | {"position": at} for at, name in enumerate(names)}
        hidden = {f"^{name}$": field for name, field in fields.items()}
        found[section] = definitions[section] | {"properties": first, "patternProperties": hidden}
    top = next(iter(shown))
    fields = {
        name: offering(field, values.get(name)) for name, field in found[top]["properties"].items()
    }
    found[top] = found[top] | {"description": MORE, "properties": fields}
    return found


def offering(field: JsonSchema, value: Any) -> JsonSchema:
    """A field whose list of choices also offers the entries of ``value``."""
    first = field.get("anyOf", [{}])[0]
    names = first.get("items", {}).get("enum")
    if names is None or not isinstance(value, list):
        return field
    items = first["items"] | {"enum": list(dict.fromkeys([*names, *value]))}
    return field | {"anyOf": [first | {"items": items}, *field["anyOf"][1:]]}


def limits(interval: Interval) -> JsonSchema:
    """JSON schema of the numbers in ``interval``."""
    low, high = ENDS[0][interval.open_low], ENDS[1][interval.open_high]
    return {low: interval.low} | ({} if interval.unbounded else {high: interval.high})


def offer(field: JsonSchema, names: list[str]) -> None:
    """Add the choices ``names`` to a field that holds one of them, or a list of them.

    If users may name their own, the form first asks which of the two they mean, because Prefect
    draws either a list of choices or a list of texts.
    """
    form = own_form(names)
    built_in: JsonSchema = {"type": "string", "enum": [name for name in names if name != form]}
    many = field.get("type") == "array"
    if not form:
        field.update({"items": built_in} if many else built_in)
        return
    own: JsonSchema = {"type": "string", "pattern": OWN_PATTERN}
    titles = "built in", f"your own{', too' * many}: {form}"
    if many:
        one = f"({'|'.join(built_in['enum'])}|{OWN_PATTERN[1:-1]})"
        groups = rf"{one}\([^()&]+\)( & {one}\([^()&]+\))*"
        first = rf"({one}|{groups})"
        # combinations, groups of features, batches, target
        own["pattern"] = rf"^{first}( \+ {one})*( @ \w+)?( -> \w+)?$"
        built_in, own = ({"type": "array", "items": one} for one in (built_in, own))
        del field["items"]
    del field["type"]
    pairs = zip((built_in, own), titles, strict=True)
    field["anyOf"] = [one | {"title": title} for one, title in pairs]


def parts_of(annotation: Any) -> Iterator[type]:
    """The types that an annotation is made of."""
    yield annotation
    for part in get_args(annotation):
        yield from parts_of(part)


def references(schema: Any) -> Iterator[JsonSchema]:
    """The references to other schemas inside ``schema``."""
    if isinstance(schema, dict):
        if "$ref" in schema:
            yield {"$ref": schema["$ref"]}
        for part in schema.values():
            yield from references(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from references(part)
