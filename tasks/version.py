"""The version of the code: a stored result is valid only for the code that made it."""

import hashlib
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HOUSE = "foldproof"
"""The whole project."""
ROOMS = ("models", "tasks", "flows", "conf")
IMPORT = re.compile(
    rf"^[ \t]*(?:from[ \t]+({HOUSE}[\w.]*)[ \t]+import[ \t]+(\([^)]*\)|[^\n]*)"
    rf"|import[ \t]+({HOUSE}[\w.]*))",
    re.MULTILINE,
)
"""An import of a module of the project, at the top of a file or inside a function."""


@cache
def code_version(*modules: str, root: Path = ROOT) -> str:
    """Hash of the source files of ``modules`` and of all that they import inside the project.

    Args:
        modules: Dotted names such as ``foldproof.tasks.data``, or :data:`HOUSE` for everything.
        root: The folder of the project.
    """
    content = hashlib.sha256()
    for file in sources(*modules, root=root):
        content.update(file.relative_to(root).as_posix().encode() + file.read_bytes())
    return content.hexdigest()[:16]


def sources(*modules: str, root: Path = ROOT, parents: bool = False) -> list[Path]:
    """The source files of ``modules`` and of all that they import inside the project, in order.

    ``from foldproof.tasks.data import DataSpec`` counts the package's ``__init__`` and everything
    that it imports. Packages that an import only passes through do not count: Python runs them, but
    the module takes nothing from them. With ``parents`` they count too, as a copy that runs needs.
    """
    known = modules_below(root)
    if HOUSE in modules:
        return sorted(known.values())
    found, waiting = set[str](), [*modules]
    while waiting:
        name = waiting.pop()
        if name in found or name not in known:
            continue
        found.add(name)
        waiting += imports_of(known[name], known)
        if parents and "." in name:
            waiting.append(name.rpartition(".")[0])
    return sorted(known[name] for name in found)


@cache
def modules_below(root: Path) -> dict[str, Path]:
    """Dotted name -> source file, of every module of the project."""
    known = {}
    for file in (file for room in ROOMS for file in root.glob(f"{room}/**/*.py")):
        parts = file.relative_to(root).with_suffix("").parts
        known[".".join((HOUSE, *parts)).removesuffix(".__init__")] = file
    return known


def imports_of(file: Path, known: dict[str, Path]) -> Iterator[str]:
    """Dotted names of the modules of the project that a file imports."""
    for package, names, module in IMPORT.findall(file.read_text(encoding="utf-8")):
        if module:
            yield module
        for name in re.findall(r"\w+", re.sub(r"#.*|\bas[ \t]+\w+", "", names)):
            inner = f"{package}.{name}"
            yield inner if inner in known else package
