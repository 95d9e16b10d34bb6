"""Arguments and words that several commands share."""

from typing import Annotated

import typer

Overrides = Annotated[
    list[str] | None, typer.Argument(help="Settings as key=value, such as training.epochs=5.")
]
Verbose = Annotated[bool, typer.Option("--verbose", help="Show Prefect's log.")]

LOAD = "conf.load:load"
"""Reads the experiment of a file or preset with its overrides."""

NOTHING_LEFT = "no result is half-written; run the same command again"
