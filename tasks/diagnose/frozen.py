"""Frozen values, such as weights and choices, taken apart into numbers and texts to compare."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from torch import Tensor, nn

from tasks.diagnose.measure import moved, numbers, spread

Leaf = np.ndarray | str
DEEPEST = 8
"""Levels of nesting that are looked into."""
SINGLE, DOUBLE = 1e-5, 1e-9
"""Relative rounding of float32 and float64 arrays: sums round by how memory is laid out."""


def leaves(value: object, path: str = "", depth: int = 0) -> Iterator[tuple[str, Leaf]]:
    """The arrays and texts that ``value`` is made of, each with its path.

    Tables, arrays, tensors, modules, mappings, sequences and plain objects are taken apart.
    """
    if isinstance(value, Tensor):
        value = value.detach().cpu().numpy()
    if isinstance(value, bool | int | float | np.number | np.bool_):
        yield path, np.asarray(value)
    elif isinstance(value, np.ndarray):
        yield from array_leaves(value, path)
    elif depth > DEEPEST or value is None or isinstance(value, str | bytes):
        yield path, repr(value) if isinstance(value, str | bytes | None) else type(value).__name__
    else:
        for name, part in parts_of(value):
            yield from leaves(part, f"{path}.{name}" if path else name, depth + 1)


def array_leaves(array: np.ndarray, path: str) -> Iterator[tuple[str, Leaf]]:
    """Numbers as they are; fields of a structured array one by one; anything else as text."""
    if array.dtype.names:
        for name in array.dtype.names:
            yield f"{path}.{name}", np.asarray(array[name])
    elif array.dtype.kind in "biuf":
        yield path, array
    else:
        yield path, f"{array.shape} {array.tolist()}"


def parts_of(value: object) -> list[tuple[str, object]]:
    """Named parts of something that is no number, text or array."""
    if isinstance(value, nn.Module):
        return list(value.state_dict().items())
    if isinstance(value, pd.Series):
        value = value.to_frame()
    if isinstance(value, pd.DataFrame):
        columns = [(str(name), numbers(value[name])) for name in value]
        return [("index", value.index), *columns]
    if isinstance(value, pd.Index):
        return [("", pd.util.hash_array(value.to_numpy()) if value.nlevels == 1 else hashed(value))]
    if isinstance(value, Mapping):
        return sorted(((str(key), part) for key, part in value.items()), key=lambda item: item[0])
    if isinstance(value, set | frozenset):
        return [("", repr(sorted(map(repr, value))))]
    if isinstance(value, list | tuple | range):
        return [(str(place), part) for place, part in enumerate(value)]
    inside = getattr(value, "__dict__", None)
    # the content of a foreign object that shows none is not known: only its kind is compared
    return sorted(inside.items()) if inside else [("", type(value).__name__)]


def hashed(index: pd.Index) -> np.ndarray:
    """(n,) uint64, one number an entry of an index of several levels."""
    return pd.util.hash_pandas_object(index.to_frame(index=False), index=False).to_numpy()


@dataclass(frozen=True)
class Change:
    """A frozen value that differs between two runs.

    Attributes:
        path: Which part of it.
        size: Largest move in its own standard deviations; infinite for texts and shapes.
        before: That number in the first run, or NaN.
        after: In the second.
    """

    path: str
    size: float
    before: float = float("nan")
    after: float = float("nan")


def changes(before: Mapping[str, Leaf], after: Mapping[str, Leaf]) -> list[Change]:
    """Parts that differ by more than rounding, or that only one run has."""
    found = [change_of(path, before.get(path), after.get(path)) for path in {**before, **after}]
    return [change for change in found if change is not None]


def change_of(path: str, before: Leaf | None, after: Leaf | None) -> Change | None:
    """The change of one part, or None."""
    if not isinstance(before, np.ndarray) or not isinstance(after, np.ndarray):
        texts = isinstance(before, str) and isinstance(after, str)
        return None if texts and before == after else Change(path, float("inf"))
    if before.shape != after.shape:
        return Change(path, float("inf"))
    old, new = (one.astype(np.float64).ravel() for one in (before, after))
    if not old.size:
        return None
    sizes = moved(old, new) / max(spread(old), float(np.abs(old[np.isfinite(old)]).max(initial=0)))
    top = int(sizes.argmax())
    rounding = SINGLE if before.dtype == np.float32 else DOUBLE
    exact = before.dtype.kind in "biu"
    if sizes[top] <= (0.0 if exact else rounding):
        return None
    return Change(path, float(sizes[top]), float(old[top]), float(new[top]))
