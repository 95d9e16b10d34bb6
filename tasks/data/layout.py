"""From checked rows to the dense arrays of a panel."""

import hashlib
import json
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from tasks.data.grid import Grid, carried, grid_of, members
from tasks.data.read import features_of
from tasks.data.rows import DataError, Rows, free_columns
from tasks.data.spec import DataSpec, TargetSpec
from tasks.data.target import KINDS, forward_return, given_label_ends, label_ends

ARRAYS = ("dates", "symbols", "values", "target", "label_end", "member")
"""The arrays of a panel, in the order in which they are hashed."""


def laid_out(
    rows: Rows, spec: DataSpec, target: TargetSpec
) -> tuple[tuple[str, ...], dict[str, np.ndarray]]:
    """Names of the features and the read-only arrays, by name, of a panel.

    Raises:
        DataError: Nothing is left to learn from.
    """
    frame = rows.frame
    grid = grid_of(frame)
    member = members(frame, grid)
    transform = features_of(spec)
    features = frame[free_columns(frame)] if transform is None else transform(frame)
    values = dense_features(features, grid, spec.fill_limit)
    labels, ends = labelled(frame, grid, member, target)
    names = tuple(str(name) for name in features.columns)
    require_enough(rows, names, values, labels, target)
    found = (grid.dates, grid.symbols, values, labels, ends, member)
    for array in found:
        array.flags.writeable = False
    return names, dict(zip(ARRAYS, found, strict=True))


def dense_features(features: pd.DataFrame, grid: Grid, fill_limit: int) -> np.ndarray:
    """(N, F) long features -> (D, S, F) float32, carried forward over ``fill_limit`` dates."""
    out = np.empty((*grid.shape, features.shape[1]), np.float32)
    for k, name in enumerate(features.columns):
        out[..., k] = carried(grid.dense(features[name]), fill_limit)
    return out


def labelled(
    frame: pd.DataFrame, grid: Grid, member: np.ndarray, target: TargetSpec
) -> tuple[np.ndarray, np.ndarray]:
    """The (D, S) float32 target of the members and the (D,) dates on which it becomes known."""
    if "target" in frame:
        values = grid.dense(frame["target"])
        ends = given_label_ends(frame["label_end"], grid)
    else:
        values = forward_return(grid.dense(frame["price"]), target.horizon)
        ends = label_ends(grid.dates, target.horizon)
    values = np.where(member, values, np.nan)
    return KINDS[target.kind](values).astype(np.float32), ends


def require_enough(
    rows: Rows, names: tuple[str, ...], values: np.ndarray, labels: np.ndarray, target: TargetSpec
) -> None:
    """Raise DataError unless there is something to learn from."""
    days, symbols = labels.shape
    if "target" not in rows.frame and days <= target.horizon + 1:
        raise DataError(
            f"{rows.origin}: {days} dates are too few for a horizon of {target.horizon}, which "
            f"needs {target.horizon + 2}: shorten target.horizon or bring more history"
        )
    empty = [name for k, name in enumerate(names) if np.isnan(values[..., k]).all()]
    if empty:
        raise DataError(
            f"{rows.origin}: feature {empty[0]!r} has no value on any of {days} dates; its "
            "look-back may be longer than the history, or a gap breaks it"
        )
    if np.isnan(labels).all():
        raise DataError(
            f"{rows.origin}: no target on any of {days} dates x {symbols} symbols; kind "
            f"{target.kind} needs {'two members' if target.kind != 'return' else 'a member'} with "
            "different returns on a date"
        )


def fingerprint(names: Any, arrays: Iterable[np.ndarray]) -> str:
    """SHA-256 of names (JSON) and of the shape, type and bytes of the arrays, in this order."""
    digest = hashlib.sha256(json.dumps(names).encode())
    for array in arrays:
        digest.update(f"{array.shape}{array.dtype.str}".encode())
        digest.update(np.ascontiguousarray(array).view(np.uint8).data)
    return digest.hexdigest()
