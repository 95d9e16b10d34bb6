"""The checked rows of a panel, kept beside its arrays, so that all steps use one reading.

A source is read once per flow: on a live database each reading is another moment.
"""

from pathlib import Path

import pandas as pd
import pyarrow as pa

from foldproof.tasks.data.incremental.store import types_of
from foldproof.tasks.data.panel.read import load_raw
from foldproof.tasks.data.spec import DataSpec

FILE = "rows.arrow"
UNSTORABLE = (pa.ArrowException, TypeError, ValueError)
"""Errors of cells, or of an index, that Arrow has no type for."""


def keep_rows(rows: pd.DataFrame, folder: Path) -> None:
    """Write checked rows to ``folder``, unless Arrow would not return them unchanged."""
    file = folder / FILE
    try:
        rows.to_feather(file, compression="zstd")
        same = types_of(again := pd.read_feather(file)) == types_of(rows) and again.equals(rows)
    except UNSTORABLE:
        same = False
    if not same:
        file.unlink(missing_ok=True)


def rows_of(panel: Path | None, spec: DataSpec) -> pd.DataFrame:
    """The checked rows from which the panel in a folder was made: date, symbol, ...

    Args:
        panel: The folder; None without one.
        spec: The source, which is read again where the rows were not kept.
    """
    try:
        return load_raw(spec) if panel is None else pd.read_feather(panel / FILE)
    except (OSError, pa.ArrowException):
        return load_raw(spec)
