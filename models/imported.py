"""Code that users name as ``package.module:attribute``: its import, and its errors in one line."""

import sys
import sysconfig
import traceback
from collections.abc import Callable
from importlib import import_module
from typing import Any

from foldproof.models.spec import nearest, require

ROOT = __file__.rsplit("models", 1)[0]
NOT_THEIRS = (
    *(f"{ROOT}{room}/" for room in ("models", "tasks", "flows", "conf")),
    sysconfig.get_path("stdlib"),
)
"""Folders of code that is not the user's: this project's and the standard library."""


def imported(name: str, what: str, kind: Any = Callable) -> Any:
    """The object that ``package.module:attribute`` names.

    The working directory is searched first.

    Args:
        name: The module, a colon, and what it defines.
        what: What it is used as, for messages, such as ``variant``.
        kind: The class that it must be an instance of; by default anything that can be called.

    Raises:
        ValueError: There is no such module, it fails when imported, it does not define the
            attribute, or the attribute is of another kind.
    """
    module_name, _, attribute = name.partition(":")
    if "" not in sys.path:  # the empty path is the working directory
        sys.path.insert(0, "")
    try:
        module = import_module(module_name)
    except (Exception, SystemExit) as error:  # a user's module may raise anything
        raise ValueError(f"{what} {name!r} cannot be imported: {failure(error)}") from error
    if not hasattr(module, attribute):
        hint = nearest(attribute, vars(module))
        raise ValueError(f"{what} {name!r}: {module_name} defines no {attribute!r}{hint}")
    found = getattr(module, attribute)
    needed = "a function" if kind is Callable else f"an instance of {kind.__name__}"
    given = f"it is of type {type(found).__name__}"
    require(isinstance(found, kind), f"{what} {name!r} must be {needed}; {given}")
    return found


def failure(error: BaseException) -> str:
    """What went wrong in a user's code, and where, in one line."""
    message = " ".join(str(error).split()) or "no message"
    if not isinstance(error, ImportError | SyntaxError):
        message = f"{type(error).__name__}: {message}"
    return message + place(error)


def place(error: BaseException) -> str:
    """File and line of the user's code in which ``error`` was raised; empty where there is none.

    Frames of libraries and of this project are passed over.
    """
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        file = frame.filename
        compiled = not file.startswith("/")  # such as pandas/_libs/lib.pyx
        installed = "-packages/" in file
        if not compiled and not installed and not file.startswith(NOT_THEIRS):
            return f" ({file.rpartition('/')[2]}, line {frame.lineno})"
    return ""
