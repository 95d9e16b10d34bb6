import hashlib
import json
import pickle
import zlib
from collections import OrderedDict
from dataclasses import dataclass, fields, is_dataclass
from datetime import date, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from foldproof.models.spec import NetworkSpec, TrainingSpec
from foldproof.tasks.batch_study.cell import Scored
from foldproof.tasks.diagnose.findings.finding import Verdict
from foldproof.tasks.encoded import MAGIC, EncodingError, decode, encode, is_whole
from foldproof.tasks.timing import Timed
from foldproof.tasks.train import TrainedUnit, Unit
from tests.tasks.report.audit_example import LEAK
from tests.tasks.report.example import attribution_of, curves_of, forecasts_of, plan_of

PLAN = plan_of(2, 63)


def same(one: Any, other: Any) -> bool:
    """Whether two values are of the same types and equal to the last bit."""
    if type(one) is not type(other):
        return False
    if isinstance(one, pd.DataFrame):
        pd.testing.assert_frame_equal(one, other, check_exact=True, check_freq=False)
        return all(same(one[name].to_numpy(), other[name].to_numpy()) for name in one)
    if isinstance(one, np.ndarray):
        if one.dtype == object:
            return one.shape == other.shape and all(map(same, one.ravel(), other.ravel()))
        alike = (one.dtype, one.shape) == (other.dtype, other.shape)
        return alike and one.tobytes("A") == other.tobytes("A")
    if is_dataclass(one):
        return all(same(getattr(one, f.name), getattr(other, f.name)) for f in fields(one))
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict | MappingProxyType):
        return [*one] == [*other] and all(same(one[key], other[key]) for key in one)
    return one is other or one == other or (one != one and other != other)


def trained() -> TrainedUnit:
    rng = np.random.default_rng(0)
    unit = Unit("zscore", PLAN[0], 3, NetworkSpec(), TrainingSpec(), "panel", "plan")
    forecasts = forecasts_of(PLAN, 5, 1, 1.0, rng)
    return TrainedUnit(
        unit, {"w": rng.standard_normal((4, 3)).astype(np.float32), "n": np.array(7)},
        {"mean": np.asfortranarray(rng.standard_normal((3, 2)))}, np.float64(0.1),
        curves_of(PLAN, 1, rng), 4, forecasts[forecasts["variant"] == "zscore"],
    )  # fmt: skip


RESULTS = {
    "a trained unit": Timed(trained(), 1.25),
    "a table": Timed(forecasts_of(PLAN, 3, 1, 1.0, np.random.default_rng(1)), 0.0),
    "attributions": Timed([attribution_of(PLAN, 1, np.random.default_rng(2))], 1e-300),
    "findings": Timed((LEAK, LEAK), float("nan")),
    "cells": Timed([Scored(0, 0.1, float("inf"), -0.0, 3, 4, float("nan"))], 2.0),
}


@pytest.mark.parametrize("name", RESULTS)
def test_a_result_comes_back_equal_to_the_last_bit(name: str) -> None:
    content = encode(RESULTS[name])
    assert same(decode(content), RESULTS[name])
    assert encode(RESULTS[name]) == content, "the same result gives the same bytes"


def test_a_trained_unit_is_a_quarter_of_its_pickle() -> None:
    value = RESULTS["a trained unit"]
    assert len(encode(value)) < len(pickle.dumps(value)) / 4


COLUMNS = pd.DataFrame(
    {
        "any": pd.Series([None, True, "x", 1.5], dtype=object),
        "text": pd.Series(["b", None, "a", "b"], dtype="str"),
        "string": pd.Series(["b", None, "动量", ""], dtype="string"),
        "day": np.array(["2020-01-01", "NaT", "2020-01-03", "2020-01-04"], "datetime64[s]"),
        "span": pd.to_timedelta([1, 2, None, 4], unit="h"),
        "kind": pd.Categorical(["x", None, "y", "x"], categories=["y", "x"], ordered=True),
        "small": np.arange(4, dtype=np.int8),
        "yes": [True, False, True, False],
        "moments": pd.Series([pd.Timestamp("2020-01-01"), pd.NaT, pd.NA, None], dtype=object),
    }
)


@pytest.mark.parametrize(
    "table",
    [
        COLUMNS, COLUMNS.iloc[::2], COLUMNS.iloc[:0], COLUMNS.set_index("text"),
        COLUMNS.set_index("day")[["small"]], COLUMNS.set_index(["text", "small"])[["yes"]],
        COLUMNS.rename_axis(columns="c", index="i"), COLUMNS[["small"]].T, pd.DataFrame(),
        pd.DataFrame(np.arange(6.0).reshape(3, 2)), pd.DataFrame(index=[3, 1]),
        pd.DataFrame([[1, 2]], columns=["a", "a"]).iloc[:, :1],
    ],
)  # fmt: skip
def test_a_table_keeps_types_index_and_missing_values(table: pd.DataFrame) -> None:
    assert same(decode(encode(table)), table)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec="utf-8"))
    | st.dates(date(1, 1, 1)) | st.sampled_from([*Verdict]) | st.builds(range, *[st.integers()] * 2)
    | arrays.arrays(st.one_of(arrays.floating_dtypes(endianness="="), arrays.integer_dtypes(),
                              arrays.datetime64_dtypes(endianness="=", min_period="us",
                                                       max_period="D")),
                    arrays.array_shapes(min_dims=0, max_side=3)),
    lambda inner: st.lists(inner, max_size=4) | st.tuples(inner, inner)
    | st.dictionaries(st.text(st.characters(codec="utf-8")) | st.integers(), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisWarning")
@given(values)
def test_any_nested_value_comes_back(value: Any) -> None:
    assert same(decode(encode(value)), value)


@dataclass
class Foreign:
    """A class of a user's module."""

    x: int = 0


@pytest.mark.parametrize(
    "value",
    [
        Foreign(), object(), print, Path("x"), {1, 2}, OrderedDict, b"x", 1j, datetime(2020, 1, 1),
        pd.DataFrame({"x": pd.array([1, None], dtype="Int64")}),
        pd.DataFrame({"x": [object()]}), pd.Timestamp("2020-01-01", tz="UTC"),
    ],
)  # fmt: skip
def test_other_values_have_no_form(value: object) -> None:
    with pytest.raises(EncodingError, match=r"must not contain|is not a class of results"):
        encode([value])


def packed(tree: Any) -> bytes:
    """Bytes with a forged tree and a right sum."""
    text = json.dumps(tree).encode()
    body = zlib.compress(json.dumps([len(text)]).encode() + b"\n" + text)
    return MAGIC + hashlib.sha256(body).digest() + body


FORGED = [
    {"$": "data", "class": "subprocess:Popen", "v": {"args": ["touch", "OWNED"]}},
    {"$": "data", "class": "foldproof.flows.__main__:x", "v": {}},
    {"$": "data", "class": "foldproof.tasks.timing:Stopwatch", "v": {}},
    {"$": "data", "class": "foldproof.tasks.program:shlex.quote", "v": {}},
    {"$": "named", "class": "foldproof.tasks.encoded:import_module", "v": ["antigravity"]},
    {"$": "data", "class": "foldproof.tasks.nowhere:X", "v": {}},
    {"$": "data", "class": "foldproof.tasks.split.fold:Fold", "v": {"nonsense": 1}},
    {"$": "array", "type": "|O", "shape": [1], "order": "C", "at": 0, "scalar": False},
    {"$": "eval", "v": "1"}, {"$": ["range"]}, {}, {"$": "range", "v": ["x"]},
    {"$": "table", "columns": [], "names": {"$": "x"}, "index": 3},
]  # fmt: skip


@pytest.mark.parametrize("tree", FORGED)
def test_forged_bytes_run_nothing(tree: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    assert is_whole(packed([1]))
    with pytest.raises(EncodingError):
        decode(packed(tree))
    assert not list(tmp_path.iterdir())


def test_deep_nesting_is_an_error() -> None:
    text = b"[" * 100_000
    body = zlib.compress(json.dumps([len(text)]).encode() + b"\n" + text)
    with pytest.raises(EncodingError):
        decode(MAGIC + hashlib.sha256(body).digest() + body)


@given(st.data())
def test_changed_bytes_are_an_error(data: st.DataObject) -> None:
    content = bytearray(encode({"a": [1, 2, 3]}))
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    for changed in (bytes(content), bytes(content[:at]), b""):
        assert not is_whole(changed)
        with pytest.raises(EncodingError):
            decode(changed)


@given(st.binary())
def test_any_other_bytes_are_an_error(content: bytes) -> None:
    with pytest.raises(EncodingError):
        decode(content)
