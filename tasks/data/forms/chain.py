"""A chain of pandas calls that can be run and shown: the line in a message is what is done."""

from collections.abc import Callable
from dataclasses import dataclass
from operator import methodcaller
from pathlib import Path
from typing import Any

import pandas as pd

Run = Callable[[Any], Any]


@dataclass(frozen=True)
class Chain:
    """Calls after one another, each with the code that shows it.

    Attributes:
        steps: Code and function of each call; the first function gets the file's path, the others
            the table so far.
    """

    steps: tuple[tuple[str, Run], ...] = ()

    def then(self, code: str, run: Run) -> "Chain":
        """The chain with one more step."""
        return Chain((*self.steps, (code, run)))

    def call(self, method: str, *arguments: Any, **named: Any) -> "Chain":
        """The chain with a call of a DataFrame's method."""
        return self.then(
            f".{method}({written(arguments, named)})", methodcaller(method, *arguments, **named)
        )

    def assign(self, column: str, code: str, run: Callable[[pd.DataFrame], Any]) -> "Chain":
        """The chain with a column computed from ``t``, the table so far."""
        return self.then(
            f".assign(**{{{column!r}: lambda t: {code}}})", lambda t: t.assign(**{column: run(t)})
        )

    @property
    def code(self) -> str:
        """The calls as one expression; pd is pandas."""
        return "".join(code for code, _ in self.steps)

    def run(self, path: Path) -> pd.DataFrame:
        """The table that the calls make of a file."""
        table: Any = path
        for _, run in self.steps:
            table = run(table)
        return table


def written(arguments: tuple[Any, ...], named: dict[str, Any]) -> str:
    """Arguments as code."""
    text = ", ".join([*map(repr, arguments), *(f"{name}={one!r}" for name, one in named.items())])
    return text.replace("<class 'str'>", "str")
