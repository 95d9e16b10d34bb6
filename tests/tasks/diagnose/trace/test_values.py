"""Values without dates: every part is compared, by content only."""

import functools
import threading
from collections import deque, namedtuple
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.ensemble import (
    BaggingRegressor,
    GradientBoostingRegressor,
    HistGradientBoostingRegressor,
    RandomForestRegressor,
)
from sklearn.linear_model import LassoCV, Ridge
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor

from foldproof.tasks.diagnose.trace.trace import snapshot
from foldproof.tasks.diagnose.trace.values import changes, leaves

Pair = namedtuple("Pair", ["one", "other"])


class Slotted:
    __slots__ = ("weight",)

    def __init__(self, weight):
        self.weight = weight


class Locked:
    def __init__(self, weight):
        self.weight, self.lock = weight, threading.Lock()


def lstm(seed):
    torch.manual_seed(seed)
    return torch.nn.LSTM(2, 3)


def cyclic(k):
    loop: list = [k]
    loop.append(loop)
    return loop


KINDS = {
    "number": lambda k: 1.0 + k,
    "bool": lambda k: bool(k),
    "text": lambda k: f"text {k}",
    "bytes": lambda k: bytearray([k]),
    "none": lambda k: None if k else 1,
    "array": lambda k: np.arange(4.0) + k,
    "complex": lambda k: np.ones(2) * complex(1, k),
    "masked": lambda k: np.ma.array([1.0, 2.0], mask=[k, False]),
    "dates": lambda k: np.array(["2020-01-01"], dtype="datetime64[D]") + k,
    "structured": lambda k: np.array([(1, k)], dtype=[("a", "i4"), ("b", "f8")]),
    "objects": lambda k: np.array([{"a": k}, None], dtype=object),
    "tensor": lambda k: torch.ones(2, requires_grad=True) + k,
    "bfloat16": lambda k: torch.ones(2, dtype=torch.bfloat16) + k,
    "sparse": lambda k: (torch.eye(2) * (1 + k)).to_sparse(),
    "module": lstm,
    "mapping": lambda k: {1: None, "a": {"b": [0, k]}},
    "set": lambda k: {"a", 3, k},
    "tuple": lambda k: Pair(1, k),
    "deque": lambda k: deque([1, k]),
    "slots": lambda k: Slotted(k),
    "lock": lambda k: Locked(k),
    "partial": lambda k: functools.partial(max, k),
    "method": lambda k: Locked(k).__init__ if k else Slotted(k).__init__,
    "fraction": lambda k: Fraction(k, 3),
    "series": lambda k: pd.Series([1.0, k]),
    "index": lambda k: pd.Index(["a", k], dtype=object),
    "samples": lambda k: pd.MultiIndex.from_tuples([(pd.Timestamp("2020"), k)]),
    "frame": lambda k: pd.DataFrame({"a": [1, 2], "b": ["x", str(k)]}),
    "categorical": lambda k: pd.Categorical([str(k)]),
    "date": lambda k: pd.Timestamp("2020-01-01") + pd.Timedelta(days=k),
    "class": lambda k: Slotted if k else Locked,
    "cycle": cyclic,
}


@pytest.mark.parametrize("make", list(KINDS.values()), ids=list(KINDS))
def test_equal_content_is_equal_and_other_content_differs(make):
    assert changes(snapshot(make(0)), snapshot(make(0))) == []
    assert changes(snapshot(make(0)), snapshot(make(1))) != []


@pytest.mark.parametrize(
    "make",
    [object, threading.Lock, lambda: {object()}, lambda: [lambda: 1], np.random.default_rng],
)
def test_a_memory_address_is_no_content(make):
    assert changes(snapshot(make()), snapshot(make())) == []


MODELS = {
    "ridge": Ridge,
    "lasso": lambda: LassoCV(cv=3),
    "pipeline": lambda: make_pipeline(StandardScaler(), Ridge()),
    "neighbours": KNeighborsRegressor,
    "tree": lambda: DecisionTreeRegressor(max_depth=3, random_state=0),
    "forest": lambda: RandomForestRegressor(n_estimators=3, random_state=0),
    "boosting": lambda: GradientBoostingRegressor(n_estimators=3, random_state=0),
    "histogram boosting": lambda: HistGradientBoostingRegressor(max_iter=3, random_state=0),
    "bagging": lambda: BaggingRegressor(Ridge(), n_estimators=2, random_state=0),
}


@pytest.mark.parametrize("make", list(MODELS.values()), ids=list(MODELS))
def test_a_fitted_estimator_is_compared_by_its_parameters(make):
    draw = np.random.default_rng(0)
    x, y = draw.normal(size=(200, 3)), draw.normal(size=200)
    before = snapshot(make().fit(x, y))
    assert changes(before, snapshot(make().fit(np.asfortranarray(x), y.copy()))) == []
    moved = y.copy()
    moved[7] += 10
    assert changes(before, snapshot(make().fit(x, moved))) != []


def test_the_layout_in_memory_is_no_content():
    values = np.random.default_rng(0).normal(size=(30, 4)).astype("float32")
    assert changes(snapshot(values), snapshot(np.asfortranarray(values))) == []
    sums = values.sum(axis=0), values[::-1].sum(axis=0)
    assert (sums[0] != sums[1]).any()
    assert changes(snapshot(sums[0]), snapshot(sums[1])) == []


@pytest.mark.parametrize(
    ("kind", "step", "count"),
    [("float64", 1e-12, 0), ("float64", 1e-6, 1), ("float32", 1e-6, 0), ("float32", 1e-3, 1)],
)
def test_rounding_depends_on_the_type(kind, step, count):
    values = np.array([1.0, 2.0, 3.0])
    before = {"": values.astype(kind)}
    assert len(changes(before, {"": (values * (1 + step)).astype(kind)})) == count


def test_the_size_by_hand():
    """Sd 1 and largest entry 4: the entry that moved by 2 moved by a half."""
    before, after = np.array([2.0, 4.0]), np.array([2.0, 6.0])
    (change,) = changes(snapshot({"w": before}), snapshot({"w": after}))
    assert (change.path, change.size, change.before, change.after) == ("w", 0.5, 4.0, 6.0)


def test_whole_numbers_have_no_rounding_and_shapes_no_size():
    (one,) = changes(snapshot(np.array([10**12])), snapshot(np.array([10**12 + 1])))
    assert one.size == pytest.approx(1e-12)
    (other,) = changes(snapshot(np.zeros(2)), snapshot(np.zeros(3)))
    assert np.isinf(other.size)
    (gone,) = changes(snapshot({"a": 1, "b": 2}), snapshot({"a": 1}))
    assert (gone.path, gone.size) == ("b", float("inf"))


def test_missing_values_are_equal_to_missing_values():
    assert changes(snapshot(np.array([np.nan, 1.0])), snapshot(np.array([np.nan, 1.0]))) == []
    (change,) = changes(snapshot(np.array([np.nan, 1.0])), snapshot(np.array([0.0, 1.0])))
    assert np.isinf(change.size)


def test_loose_parts_are_left_out():
    before, after = (
        snapshot({"seconds": 0.1, "w": 1.0}),
        snapshot({"seconds": 0.2, "w": 1.0}),
    )
    assert [change.path for change in changes(before, after)] == ["seconds"]
    assert changes(before, after, {"seconds"}) == []


def test_values_under_a_mask_are_no_content():
    one, two = (np.ma.array([1.0, chance], mask=[False, True]) for chance in (3.0, 4.0))
    assert changes(snapshot(one), snapshot(two)) == []


def test_paths_name_the_part():
    paths = [path for path, _ in leaves({"a": [1, {"b": 2}], "c": torch.nn.Linear(1, 1)})]
    assert paths == ["a.0", "a.1.b", "c.weight", "c.bias"]
