"""Values without dates, such as weights and choices, split into numbers and texts to compare."""

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
"""Levels of nesting to descend."""
SINGLE, DOUBLE = 1e-5, 1e-9
"""Relative rounding of float32 and float64 arrays: sums depend on the memory layout."""
OPAQUE = (
    type, ModuleType, FunctionType, BuiltinFunctionType, np.random.Generator,
    np.random.RandomState, np.random.BitGenerator, torch.Generator,
)  # fmt: skip
"""Code and generators: only their names are compared; a difference shows in their results."""


def leaves(
    value: object, path: str = "", above: tuple[int, ...] = ()
) -> Iterator[tuple[str, Leaf]]:
    """The arrays and texts inside ``value``, each with its path.

    Descends into tables, arrays, tensors, modules, mappings, sequences and objects; into objects of
    other libraries by the state that pickle would store.
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
    """A tensor of any layout and type as a numpy array."""
    dense = tensor.detach().cpu()
    dense = dense.dequantize() if dense.is_quantized else dense.to_dense()
    return (dense.float() if dense.dtype == torch.bfloat16 else dense).resolve_conj().numpy()


def plain(array: np.ndarray) -> np.ndarray:
    """An array of numbers: masked entries as NaN, complex numbers as pairs."""
    if isinstance(array, np.ma.MaskedArray):
        array = np.ma.filled(array.astype(np.float64), np.nan)
    return np.stack([array.real, array.imag]) if array.dtype.kind == "c" else array


def parts_of(value: object) -> list[tuple[str, object]]:
    """Named parts of a value that is not a number, text or array of numbers."""
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
        if value.nlevels == 1:
            return [("", pd.util.hash_array(value.to_numpy()))]
        rows = value.to_frame(index=False)
        return [("", pd.util.hash_pandas_object(rows, index=False).to_numpy())]
    if isinstance(value, Mapping):
        return sorted(((str(key), part) for key, part in value.items()), key=lambda item: item[0])
    if isinstance(value, set | frozenset):
        return [("", repr(sorted(map(text_of, value))))]
    if isinstance(value, list | tuple | range):
        return [(str(place), part) for place, part in enumerate(value)]
    return inside(value)


def parts_of_array(array: np.ndarray) -> list[tuple[str, object]]:
    """Fields of a structured array, entries of an object array; dates and texts as one text."""
    if array.dtype.names:
        return [(name, np.asarray(array[name])) for name in array.dtype.names]
    if array.dtype.kind == "O":
        filled = array.filled() if isinstance(array, np.ma.MaskedArray) else array
        return [("shape", str(array.shape)), *((str(k), one) for k, one in enumerate(filled.flat))]
    return [("", f"{array.shape} {array.tolist()}")]


def text_of(value: object) -> str:
    """An entry of a set as text, without its memory address."""
    known = isinstance(value, str | bytes | bool | int | float | tuple | None)
    return repr(value) if known else type(value).__name__


def inside(value: object) -> list[tuple[str, object]]:
    """The state of an object: what pickle would store, else its attributes, else its type."""
    attributes = getattr(value, "__dict__", None)
    # trees and boosters keep their content outside of attributes
    if attributes and type(value).__getstate__ is object.__getstate__:
        return sorted(attributes.items())
    try:
        state = value.__reduce_ex__(4)
    # an object that cannot be pickled may raise anything
    except Exception:
        return sorted(attributes.items()) if attributes else [("", type(value).__name__)]
    if isinstance(state, str):
        return [("", state)]
    held = [list(part) if isinstance(part, Iterator) else part for part in state[1:5]]
    [names, content] = held[:2] if len(held) > 1 else [*held, None]
    parts = [("", content)] if isinstance(content, Mapping) else [("state", content)]
    return [("made of", names), *parts, ("items", held[2:])]


@dataclass(frozen=True)
class Change:
    """A part of a value that differs between two runs.

    Attributes:
        path: The part.
        size: Largest move in standard deviations of the part; infinite for texts and shapes.
        before: That number in the first run, or NaN.
        after: That number in the second run, or NaN.
    """

    path: str
    size: float
    before: float = float("nan")
    after: float = float("nan")


def changes(
    before: Mapping[str, Leaf], after: Mapping[str, Leaf], loose: Collection[str] = ()
) -> list[Change]:
    """Parts that differ beyond rounding or exist in one run only, without those in ``loose``."""
    paths = [path for path in {**before, **after} if path not in loose]
    found = [change_of(path, before.get(path), after.get(path)) for path in paths]
    return [change for change in found if change is not None]


def change_of(path: str, before: Leaf | None, after: Leaf | None) -> Change | None:
    """The change of one part, or None if it is within rounding."""
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
