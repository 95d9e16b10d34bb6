"""From checked rows to the dense arrays of a panel."""

import hashlib
import json
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from foldproof.tasks.data.features.features import FEATURES
from foldproof.tasks.data.features.grid import Grid, carried, grid_of, members
from foldproof.tasks.data.features.target import (
    KINDS,
    MIN_RETURNS,
    Labels,
    forward_return,
    given_label_ends,
    label_ends,
)
from foldproof.tasks.data.panel.read import features_of
from foldproof.tasks.data.rows import DataError, Rows, free_columns
from foldproof.tasks.data.spec import DataSpec, TargetSpec

ARRAYS = ("dates", "symbols", "values", "target", "label_end", "member")
"""The arrays of a panel, in the order in which they are hashed."""
NEEDED = {
    "return": "a member with a return",
    "volatility_scaled": f"a member with a return and {MIN_RETURNS} earlier ones, not all 0",
}
"""What a date needs for a label, by kind of target, unless it is cross-sectional."""
Layout = tuple[tuple[str, ...], dict[str, np.ndarray]]
"""The names of a panel's features, and its arrays by name."""


def panel_arrays(
    rows: Rows, spec: DataSpec, target: TargetSpec, earlier: Layout | None = None
) -> Layout:
    """The names of a panel's features, and its arrays by name, read-only.

    Args:
        rows: Checked rows.
        spec: Which features are read from them.
        target: What is forecast.
        earlier: The panel of the first of these rows with the same settings. Cells that cannot
            have changed since are copied from it, equal to the last bit.

    Raises:
        DataError: Nothing is left to learn from.
    """
    frame = rows.frame
    grid = grid_of(frame)
    cells = extended(frame, grid, spec, target, earlier) if earlier else None
    names, found = cells or cells_of(frame, grid, spec, target)
    require_enough(rows, names, found, target)
    ends = ends_of(frame, grid, target)
    found |= {"dates": grid.dates, "symbols": grid.symbols, "label_end": ends}
    for array in found.values():
        array.flags.writeable = False
    return names, {name: found[name] for name in ARRAYS}


def cells_of(frame: pd.DataFrame, grid: Grid, spec: DataSpec, target: TargetSpec) -> Layout:
    """The features, and values, target and member of long rows on ``grid``."""
    member = members(frame, grid)
    transform = features_of(spec)
    features = frame[free_columns(frame)] if transform is None else transform(frame)
    values = dense_features(features, grid, spec.fill_limit)
    names = tuple(str(name) for name in features.columns)
    labels = labelled(frame, grid, member, target, spec.fill_limit)
    return names, {"values": values, "target": labels, "member": member}


def extended(
    frame: pd.DataFrame, grid: Grid, spec: DataSpec, target: TargetSpec, earlier: Layout
) -> Layout | None:
    """The cells of an earlier panel, followed by the cells that the newest rows decide.

    Built-in features have a known look-back and a target its horizon, so earlier cells cannot
    have changed. A new or dropped symbol changes all of them, because the market is a mean over
    all symbols. The look-back of a user's features is unknown, so those are never extended; nor
    are targets with a delisting return, because a stock that seemed to have ended may come back.

    Returns:
        None if the whole panel must be computed.
    """
    if target.delisting_return is not None:
        return None
    names, arrays = earlier
    known = len(arrays["dates"]) - 2 - target.horizon
    reach = {"price": max(one.lookback for one in FEATURES.values()), "ready": 1}
    lookback = max(reach.get(spec.features, known), KINDS[target.kind].lookback)
    first = known - lookback - 2 * spec.fill_limit
    if first <= 0 or not np.array_equal(grid.symbols, arrays["symbols"]):
        return None
    at = int(np.searchsorted(grid.row, first))
    new, end = cells_of(frame.iloc[at:].reset_index(drop=True), grid.since(first), spec, target)
    if new != names:
        return None
    return names, {
        name: np.concatenate([arrays[name][:known], cells[known - first :]])
        for name, cells in end.items()
    }


def dense_features(features: pd.DataFrame, grid: Grid, fill_limit: int) -> np.ndarray:
    """(N, F) long features -> (D, S, F) float32, carried forward over ``fill_limit`` dates."""
    out = np.empty((*grid.shape, features.shape[1]), np.float32)
    for k, name in enumerate(features.columns):
        out[..., k] = carried(grid.dense(features[name]), fill_limit)
    return out


def labelled(
    frame: pd.DataFrame, grid: Grid, member: np.ndarray, target: TargetSpec, fill_limit: int
) -> np.ndarray:
    """(D, S) float32 target of the members.

    Raises:
        DataError: The kind of target needs prices, and there are none.
    """
    price = grid.dense(frame["price"]) if "price" in frame else None
    kept = None if price is None else carried(price, fill_limit)
    if "target" in frame:
        if target.delisting_return is not None:
            raise DataError(
                "target.delisting_return needs prices, but the rows have a target of their own: "
                "set it to null, or add the return to the target"
            )
        values = grid.dense(frame["target"])
    else:
        assert price is not None  # checked with the columns: without a target there is a price
        values = forward_return(price, target.horizon, target.delisting_return, kept)
    labels = Labels(np.where(member, values, np.nan), price, target.horizon, kept)
    try:
        return KINDS[target.kind].compute(labels).astype(np.float32)
    except ValueError as error:
        raise DataError(str(error)) from error


def ends_of(frame: pd.DataFrame, grid: Grid, target: TargetSpec) -> np.ndarray:
    """(D,) dates on which the targets become known; NaT where that lies beyond the data."""
    if "target" in frame:
        return given_label_ends(frame["label_end"], grid)
    return label_ends(grid.dates, target.horizon)


def require_enough(
    rows: Rows, names: tuple[str, ...], cells: dict[str, np.ndarray], target: TargetSpec
) -> None:
    """Raise DataError unless there is something to learn from."""
    values, labels = cells["values"], cells["target"]
    days, symbols = labels.shape
    if "target" not in rows.frame and days <= target.horizon + 1:
        raise DataError(
            f"{rows.origin}: {days} dates are too few for a horizon of {target.horizon}, which "
            f"needs {target.horizon + 2}: shorten target.horizon or provide more history"
        )
    empty = [name for k, name in enumerate(names) if np.isnan(values[..., k]).all()]
    if empty:
        raise DataError(
            f"{rows.origin}: feature {empty[0]!r} has no value on any of {days} dates; its "
            "look-back may exceed the history, or a gap interrupts it"
        )
    if np.isnan(labels).all():
        raise DataError(
            f"{rows.origin}: no target on any of {days} dates x {symbols} symbols; kind "
            f"{target.kind} needs {NEEDED.get(target.kind, 'two members with different returns')} "
            "on a date"
        )


def fingerprint(names: Any, arrays: Iterable[np.ndarray]) -> str:
    """SHA-256 of ``names`` as JSON and of the shape, type and bytes of each array."""
    digest = hashlib.sha256(json.dumps(names).encode())
    for array in arrays:
        digest.update(f"{array.shape}{array.dtype.str}".encode())
        digest.update(np.ascontiguousarray(array).view(np.uint8).data)
    return digest.hexdigest()
