"""Frozen values, such as weights and choices, taken apart into numbers and texts to compare."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from types import BuiltinFunctionType, FunctionType, ModuleType

import numpy as np
import pandas as pd
import torch
from pandas.api.extensions import ExtensionArray
from torch import Tensor, nn

from foldproof.tasks.diagnose.perturb.compare import moved, numbers, spread

Leaf = np.ndarray | str
DEEPEST = 12
"""Levels of nesting that are looked into."""
SINGLE, DOUBLE = 1e-5, 1e-9
"""Relative rounding of float32 and float64 arrays: sums round by how memory is laid out."""
OPAQUE = (
    type, ModuleType, FunctionType, BuiltinFunctionType, np.random.Generator,
    np.random.RandomState, np.random.BitGenerator, torch.Generator,
)  # fmt: skip
"""Code and generators: only their names are compared; the rest shows in what they make."""


def leaves(
    value: object, path: str = "", above: tuple[int, ...] = ()
) -> Iterator[tuple[str, Leaf]]:
    """The arrays and texts that ``value`` is made of, each with its path.

    Tables, arrays, tensors, modules, mappings, sequences and objects are taken apart, those of
    other libraries by what they would be pickled as.
    """
    if isinstance(value, Tensor):
        value = array_of(value)
    if isinstance(value, bool | int | float | np.number | np.bool_):
        yield path, np.asarray(value)
    elif isinstance(value, np.ndarray) and value.dtype.kind in "biufc":
        yield path, plain(value)
    elif value is None or isinstance(value, str | bytes | bytearray | range):
        yield path, repr(value)
    elif isinstance(value, OPAQUE) or len(above) > DEEPEST or id(value) in above:
        yield path, str(getattr(value, "__qualname__", type(value).__name__))
    else:
        for name, part in parts_of(value):
            yield from leaves(part, ".".join(filter(None, (path, name))), (*above, id(value)))


def array_of(tensor: Tensor) -> np.ndarray:
    """A tensor of any layout and type as an array."""
    dense = tensor.detach().cpu()
    dense = dense.dequantize() if dense.is_quantized else dense.to_dense()
    return (dense.float() if dense.dtype == torch.bfloat16 else dense).resolve_conj().numpy()


def plain(array: np.ndarray) -> np.ndarray:
    """Numbers without a mask, missing where it was, whose content is chance; complex as pairs."""
    if isinstance(array, np.ma.MaskedArray):
        array = np.ma.filled(array.astype(np.float64), np.nan)
    return np.stack([array.real, array.imag]) if array.dtype.kind == "c" else array


def parts_of(value: object) -> list[tuple[str, object]]:
    """Named parts of something that is no number, text or array of numbers."""
    if isinstance(value, np.ndarray):
        return parts_of_array(value)
    if isinstance(value, nn.Module):
        return list(value.state_dict().items())
    if isinstance(value, pd.Series | ExtensionArray):
        value = pd.Series(value).to_frame()
    if isinstance(value, pd.DataFrame):
        columns = [(str(name), numbers(value.iloc[:, k])) for k, name in enumerate(value)]
        return [("index", value.index), *columns]
    if isinstance(value, pd.Index):
        return [("", pd.util.hash_array(value.to_numpy()) if value.nlevels == 1 else hashed(value))]
    if isinstance(value, Mapping):
        return sorted(((str(key), part) for key, part in value.items()), key=lambda item: item[0])
    if isinstance(value, set | frozenset):
        return [("", repr(sorted(map(text_of, value))))]
    if isinstance(value, list | tuple | range):
        return [(str(place), part) for place, part in enumerate(value)]
    return inside(value)


def parts_of_array(array: np.ndarray) -> list[tuple[str, object]]:
    """Fields of a structured array, objects of an array of objects; dates and texts as text."""
    if array.dtype.names:
        return [(name, np.asarray(array[name])) for name in array.dtype.names]
    if array.dtype.kind == "O":
        filled = array.filled() if isinstance(array, np.ma.MaskedArray) else array
        return [("shape", str(array.shape)), *((str(k), one) for k, one in enumerate(filled.flat))]
    return [("", f"{array.shape} {array.tolist()}")]


def text_of(value: object) -> str:
    """What tells an entry of a set apart; never where it lies in memory."""
    known = isinstance(value, str | bytes | bool | int | float | tuple | None)
    return repr(value) if known else type(value).__name__


def inside(value: object) -> list[tuple[str, object]]:
    """The state of an object: as it would be pickled, or else its attributes, or else its kind."""
    own = getattr(value, "__dict__", None)
    # an object may hold its content where no attribute shows it, as trees and boosters do
    if own and type(value).__getstate__ is object.__getstate__:
        return sorted(own.items())
    try:
        state = value.__reduce_ex__(4)
    # anybody's object: one that cannot be pickled may raise anything
    except Exception:
        return sorted(own.items()) if own else [("", type(value).__name__)]
    if isinstance(state, str):
        return [("", state)]
    held = [list(part) if isinstance(part, Iterator) else part for part in state[1:5]]
    [names, content] = held[:2] if len(held) > 1 else [*held, None]
    parts = [("", content)] if isinstance(content, Mapping) else [("state", content)]
    return [("made of", names), *parts, ("items", held[2:])]


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


def changes(
    before: Mapping[str, Leaf], after: Mapping[str, Leaf], loose: Collection[str] = ()
) -> list[Change]:
    """Parts that differ by more than rounding, or that only one run has; not those in ``loose``."""
    paths = [path for path in {**before, **after} if path not in loose]
    found = [change_of(path, before.get(path), after.get(path)) for path in paths]
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
    single = before.dtype.kind == "f" and before.dtype.itemsize < 8
    exact = before.dtype.kind in "biu"
    if sizes[top] <= (0.0 if exact else SINGLE if single else DOUBLE):
        return None
    return Change(path, float(sizes[top]), float(old[top]), float(new[top]))
