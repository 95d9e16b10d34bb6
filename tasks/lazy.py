"""Names of a package that are imported at their first use."""

import ast
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any


def lazy_names(package: str, file: str) -> Callable[[str], Any]:
    """The ``__getattr__`` of a package whose names are imported at their first use (PEP 562).

    A caller who needs one light name does not wait for torch. The names are those that the package
    imports below ``if TYPE_CHECKING:``, where type checkers read them.

    Args:
        package: ``__name__`` of the package.
        file: Its ``__file__``.
    """
    tree = ast.parse(Path(file).read_text(encoding="utf-8"))
    checked = [node for node in tree.body if isinstance(node, ast.If)]
    homes = {
        alias.name: statement.module
        for node in checked
        for statement in node.body
        if isinstance(statement, ast.ImportFrom) and statement.module
        for alias in statement.names
    }

    def first_use(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(homes[name]), name)

    return first_use
