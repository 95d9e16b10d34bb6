"""Filling the room's HTML templates into pages that need nothing beside them."""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup


def fill(template: str, /, **values: Any) -> str:
    """A template of this room with ``values``. Their text is escaped; a name it lacks raises."""
    environment = Environment(
        loader=FunctionLoader(source_of),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    return environment.get_template(template).render(values)


def source_of(name: str) -> str:
    """A template's text, wherever the package is installed."""
    return files("foldproof.tasks.report").joinpath(name).read_text(encoding="utf-8")


def embedded(title: str, png: bytes) -> Markup:
    """A picture inside the page, with ``title`` for readers who cannot see it."""
    return Markup('<img alt="{}" src="data:image/png;base64,{}">').format(
        title, b64encode(png).decode()
    )


@dataclass(frozen=True)
class Report:
    """What a reader gets: the page, and its figures as PNG by key of ``FIGURES``."""

    page: str
    figures: Mapping[str, bytes]
