"""Tables of READMEs that are made from code.

python -m tests.readme_tables writes them all anew.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from foldproof.conf.form import references
from foldproof.conf.schema import Experiment
from foldproof.models.normalizers import CONTROLS, VARIANTS, Variant
from foldproof.tasks.data import DRAWN, SOURCES
from foldproof.tasks.data.features.target import KINDS

ROOT = Path(__file__).resolve().parents[1]


def markdown(columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = [columns, ("---",) * len(columns), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "/") for cell in row) + " |" for row in lines
    )


def by_place() -> str:
    """The catalogue of normalizations, a table for each place."""
    parts = []
    for place in dict.fromkeys(one.place for one in VARIANTS.values()):
        own = {key: one for key, one in VARIANTS.items() if one.place == place}
        parts.append(f"#### {place.capitalize()}\n\n{variants(own)}")
    return "\n\n".join(parts)


def variants(catalogue: Mapping[str, Variant]) -> str:
    """Every entry of a catalogue of normalizations."""
    rows = [
        (
            f"`{key}`", one.formula, one.statistics, one.coupling, one.training_coupling,
            "yes" if one.causal_steps else "no", one.good_for, one.source, one.trap,
        )
        for key, one in catalogue.items()
    ]  # fmt: skip
    columns = (
        "key", "formula", "statistics from", "couples", "in training", "causal steps", "good for",
        "source", "trap",
    )  # fmt: skip
    return markdown(columns, rows)


def kinds() -> str:
    """Every kind of target, as the catalogue has its entries."""
    rows = [
        (f"`{key}`", one.formula, one.statistics, one.good_for, one.source, one.trap)
        for key, one in KINDS.items()
    ]
    return markdown(("kind", "formula", "statistics from", "good for", "source", "trap"), rows)


def targets() -> str:
    """Every kind of target."""
    rows = [(f"`{key}`", one.formula, one.statistics) for key, one in KINDS.items()]
    return markdown(("kind", "formula", "statistics from"), rows)


def sources() -> str:
    """Every source of rows that brings its data, with what its reader must know and its terms."""
    rows = [
        (f"`{key}`", one.title, one.notes, one.terms)
        for key, one in SOURCES.items()
        if key not in DRAWN | {"file", "query"}
    ]
    return markdown(("`data.source`", "panel", "what its reader must know", "terms"), rows)


def synthetic() -> str:
    """Every source of rows that is drawn."""
    rows = [(f"`{key}`", one.notes) for key, one in SOURCES.items() if key in DRAWN]
    return markdown(("`data.source`", "what is planted"), rows)


def settings() -> str:
    """Every key of an experiment, with its default and its meaning."""
    schema = Experiment.model_json_schema()
    return markdown(("key", "default", "meaning"), list(keys(schema, schema["$defs"])))


def keys(
    section: Mapping[str, Any], specs: Mapping[str, Any], prefix: str = ""
) -> Iterator[tuple[str, str, str]]:
    """Dotted key, default and meaning of each setting of a section and of the sections in it."""
    for name, field in section["properties"].items():
        found = [specs[one["$ref"].rpartition("/")[2]] for one in references(field)]
        meaning = " ".join(field["description"].split())
        sections = [one for one in found if "properties" in one and one["title"] != "Bound"]
        if not sections:
            yield f"`{prefix}{name}`", shown(field), meaning
        for number, inner in enumerate(sections):
            kind = inner["properties"].get("plan", {}).get("default")
            title = f"**`{prefix}{name}`**" + f", plan {kind}" * bool(number)
            about = inner["description"].replace("``", "`")
            yield title, "", about if number else f"**{meaning}**"
            yield from keys(inner, specs, f"{prefix}{name}.")


def shown(field: Mapping[str, Any]) -> str:
    """A default as YAML writes it; a setting without one must be given."""
    if "default" not in field:
        return "required"
    text = yaml.safe_dump(field["default"], default_flow_style=True, width=1000).splitlines()[0]
    return f"`{text}`"


TABLES: Mapping[str, tuple[str, Callable[[], str]]] = MappingProxyType({
    "settings": ("conf/README.md", settings),
    "targets": ("conf/README.md", targets),
    "sources": ("conf/README.md", sources),
    "synthetic": ("conf/README.md", synthetic),
    "variants": ("models/normalizers/README.md", by_place),
    "kinds": ("models/normalizers/README.md", kinds),
    "controls": ("models/normalizers/README.md", lambda: variants(CONTROLS)),
})  # fmt: skip
"""Name of a table -> the README that holds it, and what makes it."""


def place_of(name: str) -> re.Pattern[str]:
    """Where a README holds the table: between two comments."""
    return re.compile(rf"(<!-- {name} -->\n).*?(\n<!-- end of {name} -->)", re.DOTALL)


if __name__ == "__main__":
    for name, (file, make) in TABLES.items():
        path = ROOT / file
        text, table = path.read_text(encoding="utf-8"), make()
        new = place_of(name).sub(lambda found, table=table: found[1] + table + found[2], text)
        path.write_text(new, encoding="utf-8")
