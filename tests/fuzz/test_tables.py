"""A table becomes a panel of finite or missing numbers, or is refused by DataError."""

import tempfile
import warnings
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import assume, example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from foldproof.tasks.data import ColumnsSpec, DataError, DataSpec, TargetSpec, build, from_frame
from foldproof.tasks.data.panel import Panel
from foldproof.tasks.data.panel.panel import load
from foldproof.tasks.data.sql import line_of, why_not_reading
from tests.tasks.data.bad_inputs import CASES, GOOD
from tests.tasks.names import any_name

TODAY = date(2026, 1, 1)


def check(panel: Panel) -> None:
    """What holds for every panel."""
    days, symbols = len(panel.dates), len(panel.symbols)
    assert panel.values.shape == (days, symbols, len(panel.features))
    assert panel.target.shape == panel.member.shape == (days, symbols)
    assert not np.isinf(panel.values).any()
    assert not np.isinf(panel.target).any()
    assert (np.diff(panel.dates) > np.timedelta64(0)).all()
    assert len(set(panel.symbols.tolist())) == symbols
    assert not np.isnan(panel.target).all(), "a panel without a target is refused"


def attempt(make: Any) -> Panel | None:
    """The panel; None if the table is refused in a brief sentence, which is all it may be."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            panel = make()
    except DataError as error:
        said = str(error)
        assert said.strip()
        assert len(said) < 3000
        assert len(said.splitlines()) == 1, said
        return None
    check(panel)
    return panel


def built(content: bytes, suffix: str, features: str, **columns: Any) -> None:
    """Build a panel of a file with a cache, which holds a complete panel afterwards, or none."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = folder / f"prices{suffix}"
        file.write_bytes(content)
        spec = DataSpec(source="file", path=str(file), min_history=1, features=features,
                        columns=ColumnsSpec(**columns))  # fmt: skip
        attempt(lambda: build(spec, TargetSpec(1, "return"), TODAY, folder / "cache"))
        for place in (folder / "cache").glob("*"):
            assert place.name.startswith("panel-") or place.name == "newest"
            if place.name.startswith("panel-"):
                check(load(place))


kinds = st.sampled_from(["price", "ready"])
CONTENTS = [
    case.content for case in CASES if case.query is None and len(case.content or "") < 10**5
]
SEEDS = [
    content.encode() if isinstance(content, str) else content for content in CONTENTS if content
]


@st.composite
def mutated(draw: st.DrawFn, seeds: list[bytes]) -> bytes:
    """Bytes of a good or bad table with a few changes: cut, doubled, replaced, inserted."""
    content = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(0, 4))):
        assume(content)
        at = draw(st.integers(0, len(content) - 1))
        end = draw(st.integers(at, min(at + 30, len(content))))
        other = draw(st.binary(max_size=6) | st.sampled_from([b",", b"\n", b'"', b"\r", b"\x00",
                     b"\xef\xbb\xbf", b"nan", b"inf", b"-1", b"1e400", b";"]))  # fmt: skip
        content[at:end] = other
    return bytes(content)


@given(mutated([GOOD.encode(), *SEEDS]), kinds)
@example(b'date,symbol,close\n2020-01-02,"AAA,1\n', "price")
@example(b"date,symbol,close\n\x00\n", "price")
@example(b"\xef\xbb\xbfdate,symbol,close\n2020-01-02,A,1\n", "price")
def test_any_bytes_of_a_csv_file(content: bytes, features: str) -> None:
    built(content, ".csv", features)


def parquet(frame: pd.DataFrame) -> bytes:
    buffer = BytesIO()
    frame.to_parquet(buffer, index=False)
    return buffer.getvalue()


PARQUET = [parquet(pd.read_csv(BytesIO(GOOD.encode()))),
           parquet(pd.read_csv(BytesIO(GOOD.encode()), parse_dates=["date"]))]  # fmt: skip


@given(mutated(PARQUET) | st.binary(max_size=50), kinds)
def test_any_bytes_of_a_parquet_file(content: bytes, features: str) -> None:
    built(content, ".parquet", features)


cells = {
    "floats": lambda n: arrays.arrays(np.float64, n),
    "small": lambda n: arrays.arrays(np.float32, n),
    "prices": lambda n: arrays.arrays(np.float64, n, elements=st.floats(0.01, 1e6)),
    "integers": lambda n: arrays.arrays(np.int64, n),
    "unsigned": lambda n: arrays.arrays(np.uint8, n),
    "truth": lambda n: arrays.arrays(np.bool_, n),
    "texts": lambda n: st.lists(st.none() | any_name, min_size=n, max_size=n),
    "any": lambda n: st.lists(
        st.none() | st.booleans() | st.integers() | st.floats() | any_name
        | st.lists(st.integers(), max_size=2), min_size=n, max_size=n,
    ).map(lambda values: pd.Series(values, dtype=object)),
    "moments": lambda n: arrays.arrays("datetime64[us]", n),
    "spans": lambda n: arrays.arrays("timedelta64[ns]", n),
    "nullable": lambda n: st.lists(st.none() | st.integers(-5, 5), min_size=n, max_size=n).map(
        lambda values: pd.array(values, dtype="Int64")),
    "kinds": lambda n: st.lists(st.sampled_from(["a", "b"]), min_size=n, max_size=n).map(
        pd.Categorical),
    "complex": lambda n: arrays.arrays(np.complex128, n),
}  # fmt: skip


@st.composite
def tables(draw: st.DrawFn) -> pd.DataFrame:
    """Long rows of a few days and symbols, some columns of them of any kind."""
    days, symbols = draw(st.integers(1, 8)), draw(st.integers(1, 3))
    count = days * symbols
    frame = pd.DataFrame({
        "date": np.repeat(pd.bdate_range("2020-01-01", periods=days), symbols),
        "symbol": [f"S{n}" for n in range(symbols)] * days,
        "close": 10.0 + np.arange(count) % 7,
    })  # fmt: skip
    roles = st.sampled_from(["date", "symbol", "close", "volume", "member", "price", "target"])
    for _ in range(draw(st.integers(0, 3))):
        kind = draw(st.sampled_from(sorted(cells)))
        frame[draw(roles | any_name)] = draw(cells[kind](count))
    if draw(st.booleans()):
        frame = frame.sample(frac=1, random_state=draw(st.integers(0, 9)))
    if draw(st.booleans()):
        frame = frame.drop(columns=draw(st.sampled_from([*frame.columns])))
    return frame


LISTS = pd.DataFrame({"date": [[], [1]], "symbol": ["A", "A"], "close": [1.0, 2.0]})


@given(tables(), kinds, st.booleans(), st.sampled_from(["return", "cs_zscore", "cs_rank"]))
@example(LISTS, "price", False, "return")
@example(LISTS.rename(columns={"date": "symbol", "symbol": "date"}), "price", False, "return")
@example(LISTS.assign(date=["2020-01-02", "2020-01-03"], z=[0.0, 3.402824e38]), "ready", False,
         "return")  # fmt: skip
@example(LISTS.assign(date=pd.NaT), "price", False, "return")
@example(LISTS.assign(date=pd.array([None, None], dtype="Int64")), "price", False, "return")
@example(LISTS.assign(date=[20200131.0, "2020-02-03"]), "price", False, "return")
def test_any_table_in_memory(frame: pd.DataFrame, features: str, more: bool, target: Any) -> None:
    roles = {name: name for name in ("volume", "member") if more and name in frame}
    before = frame.copy(deep=True)
    attempt(lambda: from_frame(
        frame, ColumnsSpec(**roles), TargetSpec(1, target), TODAY, features=features, min_history=1
    ))  # fmt: skip
    pd.testing.assert_frame_equal(frame, before)


@given(st.text(max_size=80) | st.lists(st.sampled_from(
    ["select", "with", "delete", "drop", "copy", "(", ")", ";", "--", "/*", "*/", "\n", "'", "$$",
     "1", "from t", "attach", "pragma", "set", "x as"]), max_size=9).map(" ".join))  # fmt: skip
@example("\x0c")
@example("")
def test_any_query_is_judged(query: str) -> None:
    why = why_not_reading(query)
    assert why or query.strip().lower().startswith(("select", "with", "from", "values", "table",
                                                    "(", "-", "/"))  # fmt: skip
    line = line_of(query, f"no such column: {query[:20]} LINE 99: x")
    assert line is None or line >= 1
