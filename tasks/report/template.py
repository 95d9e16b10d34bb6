"""Self-contained HTML pages from the templates of this folder."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined

HERE = files("foldproof.tasks.report")
"""The templates, wherever the package is installed."""


def fill(template: str, /, **values: Any) -> str:
    """A template of this folder with ``values``; text is escaped, a missing name raises."""
    environment = Environment(
        loader=FunctionLoader(lambda name: HERE.joinpath(name).read_text(encoding="utf-8")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    return environment.get_template(template).render(values)


@dataclass(frozen=True)
class Report:
    """A page and its figures by key: SVG if the page holds them, else PNG."""

    page: str
    figures: Mapping[str, bytes]
