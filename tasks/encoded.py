"""Results of tasks as bytes, and back, equal to the last bit, without pickle.

A file of results may come from another machine, or have been changed, so reading one must not run
code. The bytes hold a tree in JSON and the contents of arrays. A class is written by its name, and
only dataclasses, named tuples and enumerations of this package are read again. Everything else has
a fixed form or cannot be written.
"""

import dataclasses
import hashlib
import json
import zlib
from datetime import date
from enum import Enum
from importlib import import_module
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import pandas as pd

MAGIC = b"foldproof 1\n"
"""Beginning of the bytes: the form and its version."""
ROOMS = ("foldproof.tasks.", "foldproof.models.")
"""Where the classes of results are defined; importing these modules does nothing else."""
PLAIN = "biufcmM"
"""Kinds of numpy types whose memory is their content."""
LEVEL = 6
"""Of zlib's compression."""


class EncodingError(ValueError):
    """A value that has no form, or bytes that are not a result."""


def encode(value: Any) -> bytes:
    """``value`` as bytes.

    Args:
        value: Numbers, texts, dates, ranges, lists, tuples, mappings, arrays, tables, and
            dataclasses, named tuples and enumerations of this package, nested at will.

    Raises:
        EncodingError: Something else is in it.
    """
    arrays: list[bytes] = []
    tree = json.dumps(written(value, arrays)).encode()
    sizes = json.dumps([len(tree), *map(len, arrays)]).encode() + b"\n"
    packed = zlib.compress(b"".join([sizes, tree, *arrays]), LEVEL)
    return MAGIC + hashlib.sha256(packed).digest() + packed


def decode(content: bytes) -> Any:
    """The value in bytes of :func:`encode`.

    Raises:
        EncodingError: The bytes are incomplete, changed, or of another kind.
    """
    if not is_whole(content):
        raise EncodingError("these bytes are not a complete result of Foldproof")
    try:
        unpacked = zlib.decompress(content[len(MAGIC) + 32 :])
        line, _, rest = unpacked.partition(b"\n")
        parts, start = [], 0
        for size in json.loads(line):
            parts.append(rest[start : start + size])
            start += size
        return read(json.loads(parts[0]), parts[1:])
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, ImportError, zlib.error,
            RecursionError, MemoryError, OverflowError) as error:  # fmt: skip
        raise EncodingError(f"these bytes are not a result of Foldproof: {error}") from error


def is_whole(content: bytes) -> bool:
    """Whether bytes are those of :func:`encode`, complete and unchanged."""
    end = len(MAGIC) + 32
    own = hashlib.sha256(content[end:]).digest()
    return content.startswith(MAGIC) and content[len(MAGIC) : end] == own


def written(value: Any, arrays: list[bytes]) -> Any:
    """The tree of a value; contents of arrays are appended to ``arrays``."""
    if isinstance(value, np.ndarray | np.generic):
        return written_array(value, arrays)
    if isinstance(value, pd.DataFrame):
        columns = [written_column(value.iloc[:, at], arrays) for at in range(value.shape[1])]
        index, names = written_index(value.index, arrays), written_index(value.columns, arrays)
        return {"$": "table", "columns": columns, "names": names, "index": index}
    if is_record(type(value)):
        return written_object(value, arrays)
    if value is None or type(value) in (bool, int, float, str):
        return value
    if value is pd.NaT or value is pd.NA:
        return {"$": "missing", "v": str(value)}
    if isinstance(value, date):
        return written_date(value)
    if type(value) is range:
        return {"$": "range", "v": [value.start, value.stop, value.step]}
    if type(value) is list:
        return [written(one, arrays) for one in value]
    if type(value) is tuple:
        return {"$": "tuple", "v": [written(one, arrays) for one in value]}
    if isinstance(value, dict | MappingProxyType):
        kind = "dict" if isinstance(value, dict) else "proxy"
        pairs = [[written(key, arrays), written(one, arrays)] for key, one in value.items()]
        return {"$": kind, "v": pairs}
    raise EncodingError(
        f"a result must not contain a {type(value).__module__}.{type(value).__name__}"
    )


def is_record(kind: type) -> bool:
    """Whether a class is a dataclass, a named tuple or an enumeration."""
    named_tuple = issubclass(kind, tuple) and hasattr(kind, "_fields")
    return dataclasses.is_dataclass(kind) or named_tuple or issubclass(kind, Enum)


def written_object(value: Any, arrays: list[bytes]) -> dict[str, Any]:
    """A dataclass, named tuple or member of an enumeration, by its class and content."""
    kind = type(value)
    name = f"{kind.__module__}:{kind.__qualname__}"
    if class_of(name) is not kind:
        raise EncodingError(f"a result must not contain a {name}: it is not a class of a module")
    if isinstance(value, Enum):
        return {"$": "enum", "class": name, "v": value.name}
    if isinstance(value, tuple):
        return {"$": "named", "class": name, "v": [written(one, arrays) for one in value]}
    fields = [one.name for one in dataclasses.fields(value) if one.init]
    content = {name: written(getattr(value, name), arrays) for name in fields}
    return {"$": "data", "class": name, "v": content}


def class_of(name: str) -> type:
    """The dataclass, named tuple or enumeration that ``module:name`` means.

    Raises:
        EncodingError: It is none of these, or not defined in a module of ``ROOMS``.
    """
    module, _, own = name.partition(":")
    if not module.startswith(ROOMS) or not own.isidentifier():
        raise EncodingError(f"{name} is not a class of results")
    found = getattr(import_module(module), own, None)
    if not (isinstance(found, type) and found.__module__ == module and is_record(found)):
        raise EncodingError(f"{name} is not a class of results")
    return found


def written_date(value: date) -> dict[str, Any]:
    """A day or a moment."""
    if isinstance(value, pd.Timestamp) and value.tz is None:
        return {"$": "moment", "v": value.asm8.astype("int64").item(), "unit": value.unit}
    if type(value) is date:
        return {"$": "date", "v": value.isoformat()}
    raise EncodingError(f"a result must not contain the {type(value).__name__} {value}")


def written_array(value: np.ndarray | np.generic, arrays: list[bytes]) -> dict[str, Any]:
    """An array or a number of numpy; the order of an array in memory is kept."""
    own = np.asarray(value)
    scalar = isinstance(value, np.generic)
    if own.dtype.kind == "O":
        content = [written(one, arrays) for one in own.ravel()]
        return {"$": "objects", "shape": own.shape, "v": content}
    if own.dtype.kind not in PLAIN + "U":
        raise EncodingError(f"a result must not contain an array of {own.dtype}")
    order: Literal["C", "F"] = "F" if own.flags.f_contiguous and not own.flags.c_contiguous else "C"
    arrays.append(own.tobytes(order))
    return {"$": "array", "type": own.dtype.str, "shape": own.shape, "order": order,
            "at": len(arrays) - 1, "scalar": scalar}  # fmt: skip


def written_index(index: pd.Index, arrays: list[bytes]) -> dict[str, Any]:
    """The index or the columns of a table."""
    if isinstance(index, pd.MultiIndex):
        levels = [written_column(index.get_level_values(at).to_series(), arrays)
                  for at in range(index.nlevels)]  # fmt: skip
        return {"$": "levels", "v": levels, "names": [written(one, arrays) for one in index.names]}
    name = written(index.name, arrays)
    if isinstance(index, pd.RangeIndex):
        return {"$": "range", "v": [index.start, index.stop, index.step], "name": name}
    return {"$": "index", "v": written_column(index.to_series(), arrays), "name": name}


def written_column(column: pd.Series, arrays: list[bytes]) -> dict[str, Any]:
    """A column: numbers by their memory, texts as positions in a list of the different ones."""
    kind = column.dtype
    if isinstance(kind, np.dtype) and kind.kind in PLAIN:
        return {"$": "numbers", "v": written_array(column.to_numpy(), arrays)}
    if isinstance(kind, pd.CategoricalDtype):
        codes = written_array(column.cat.codes.to_numpy(), arrays)
        values = written_column(kind.categories.to_series(), arrays)
        return {"$": "categories", "codes": codes, "v": values, "ordered": bool(kind.ordered)}
    if isinstance(kind, pd.StringDtype):
        objects = np.array(column.where(column.notna(), None), dtype=object)
        places, texts = pd.factorize(objects)
        narrow = places.astype(np.min_scalar_type(-len(texts) - 1))
        missing = "nan" if kind.na_value is np.nan else "NA"
        codes = written_array(narrow, arrays)
        return {"$": "texts", "codes": codes, "v": [str(text) for text in texts],
                "storage": kind.storage, "missing": missing}  # fmt: skip
    if kind.kind == "O":
        return {"$": "any", "v": [written(one, arrays) for one in column.to_numpy()]}
    raise EncodingError(f"a result must not contain a column of {kind}")


def read(tree: Any, arrays: list[bytes]) -> Any:
    """The value of a tree of :func:`written`."""
    if isinstance(tree, list):
        return [read(one, arrays) for one in tree]
    if not isinstance(tree, dict):
        return tree
    return FORMS[tree["$"]](tree, arrays)


def read_object(tree: dict[str, Any], arrays: list[bytes]) -> Any:
    """A dataclass, named tuple or member of an enumeration."""
    kind: Any = class_of(tree["class"])
    if tree["$"] == "enum":
        return kind[tree["v"]]
    if tree["$"] == "named":
        return kind(*(read(one, arrays) for one in tree["v"]))
    return kind(**{name: read(one, arrays) for name, one in tree["v"].items()})


def read_array(tree: dict[str, Any], arrays: list[bytes]) -> Any:
    """An array, which may be written to, or a number of numpy."""
    if np.dtype(tree["type"]).kind not in PLAIN + "U":
        raise EncodingError(f"there is no array of {tree['type']}")
    flat = np.frombuffer(arrays[tree["at"]], tree["type"])
    found = flat.reshape(tree["shape"], order=tree["order"]).copy(order=tree["order"])
    return found[()] if tree["scalar"] else found


def read_objects(tree: dict[str, Any], arrays: list[bytes]) -> np.ndarray:
    """An array of objects."""
    found = np.empty(len(tree["v"]), object)
    for at, one in enumerate(tree["v"]):
        found[at] = read(one, arrays)
    return found.reshape(tree["shape"])


def read_table(tree: dict[str, Any], arrays: list[bytes]) -> pd.DataFrame:
    """A table; columns of one type lie together in memory."""
    index = read_index(tree["index"], arrays)
    columns = [read_column(one, arrays) for one in tree["columns"]]
    found = pd.DataFrame(dict(enumerate(columns)), index=range(len(index)))
    return found.set_axis(index, axis=0).set_axis(read_index(tree["names"], arrays), axis=1)


def read_index(tree: dict[str, Any], arrays: list[bytes]) -> pd.Index:
    """The index or the columns of a table."""
    if tree["$"] == "levels":
        levels = [read_column(one, arrays) for one in tree["v"]]
        names = [read(one, arrays) for one in tree["names"]]
        return pd.MultiIndex.from_arrays(levels, names=names)
    name = read(tree["name"], arrays)
    if tree["$"] == "range":
        start, stop, step = tree["v"]
        return pd.RangeIndex(start, stop, step, name=name)
    values = read_column(tree["v"], arrays)
    return pd.Index(values, dtype=values.dtype, name=name)


def read_column(tree: dict[str, Any], arrays: list[bytes]) -> Any:
    """The values of a column, with their type."""
    if tree["$"] == "numbers":
        return read_array(tree["v"], arrays)
    if tree["$"] == "any":
        objects = read_objects(tree | {"shape": [len(tree["v"])]}, arrays)
        return pd.Series(objects, dtype=object)  # an array alone would be given another type
    codes = read_array(tree["codes"], arrays)
    if tree["$"] == "categories":
        values = pd.Index(read_column(tree["v"], arrays))
        return pd.Categorical.from_codes(codes, values, ordered=tree["ordered"])
    if tree["$"] != "texts":
        raise EncodingError(f"there is no column of {tree['$']}")
    kind = pd.StringDtype(tree["storage"], np.nan if tree["missing"] == "nan" else pd.NA)
    return pd.array(np.array([*map(str, tree["v"]), None], object)[codes], dtype=kind)


FORMS = MappingProxyType(
    {
        "array": read_array,
        "objects": read_objects,
        "table": read_table,
        "enum": read_object,
        "named": read_object,
        "data": read_object,
        "missing": lambda tree, _: pd.NaT if tree["v"] == "NaT" else pd.NA,
        "range": lambda tree, _: range(*tree["v"]),
        "date": lambda tree, _: date.fromisoformat(tree["v"]),
        "moment": lambda tree, _: pd.Timestamp(np.datetime64(tree["v"], tree["unit"])),
        "tuple": lambda tree, arrays: tuple(read(one, arrays) for one in tree["v"]),
        "dict": lambda tree, arrays: {
            read(key, arrays): read(one, arrays) for key, one in tree["v"]
        },
        "proxy": lambda tree, arrays: MappingProxyType(
            {read(key, arrays): read(one, arrays) for key, one in tree["v"]}
        ),
    }
)
"""How each form of a tree is read."""
