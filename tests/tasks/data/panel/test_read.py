import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from foldproof.tasks.data import (
    ColumnsSpec,
    DataError,
    DataSpec,
    TargetSpec,
    build,
    features_of,
    from_frame,
    load_raw,
)
from foldproof.tasks.data.panel.read import features_version, latest_today
from tests.tasks.data.conftest import ROLES


def good(frame: pd.DataFrame) -> pd.DataFrame:
    """Features on the same rows; the columns date and symbol may stay."""
    change = frame.groupby("symbol")["price"].pct_change(fill_method=None)
    return frame[["date", "symbol"]].assign(change=change, square=change**2)


def sees_tomorrow(frame: pd.DataFrame) -> pd.DataFrame:
    """Legal here: whether features see the future is for the audit to say."""
    return pd.DataFrame({"next": frame.groupby("symbol")["price"].shift(-1)})


def spoils(frame: pd.DataFrame) -> pd.DataFrame:
    frame["price"] = 0.0
    return pd.DataFrame({"one": frame["price"] + np.arange(len(frame))})


BAD: dict[str, tuple[Callable[[pd.DataFrame], object], str]] = {
    "raises": (lambda f: f["no such"], "failed: KeyError: 'no such' .test_read.py, line"),
    "fewer_rows": (lambda f: good(f).dropna(), "returned 1898 rows for 1904, or other index"),
    "other_index": (lambda f: good(f).set_axis(range(1, len(f) + 1)), "or other index labels"),
    "a_series": (lambda f: f["price"], "returned Series; return a DataFrame"),
    "nothing": (lambda f: f[["date", "symbol"]], r"returned the columns \[\]"),
    "same_name": (lambda f: good(f)[["change", "change"]], "of different names"),
    "text": (lambda f: pd.DataFrame({"sector": "tech"}, f.index), "'sector' holds text"),
    "broken_name": (
        lambda f: pd.DataFrame({"a\nb": f["price"]}),
        r"column 'a\\nb' holds an invisible",
    ),
    "too_large": (lambda f: pd.DataFrame({"x": f["price"] * 1e38}, f.index), "beyond 3.4e.38 at"),
    "infinite": (lambda f: pd.DataFrame({"x": f["price"] / 0}, f.index), "'x' is infinite at 2015"),
    "empty": (lambda f: pd.DataFrame({"x": f["price"] * np.nan}), "feature 'x' has no value"),
}


@pytest.fixture
def own(tmp_path: Path) -> Iterator[ModuleType]:
    """The module ``own_features`` with every function above."""
    module = ModuleType("own_features")
    functions = {"good": good, "sees_tomorrow": sees_tomorrow, "spoils": spoils, "number": 3}
    module.__dict__.update(functions | {name: function for name, (function, _) in BAD.items()})
    sys.modules["own_features"] = module
    yield module
    del sys.modules["own_features"]


def test_own_features_become_the_panel(own: ModuleType, market: pd.DataFrame) -> None:
    panel = from_frame(market, ROLES, TargetSpec(5), features="own_features:good", fill_limit=0)
    assert panel.features == ("change", "square")
    price = market.pivot(index="date", columns="symbol", values="price")
    expected = market.assign(c=good(market)["change"]).pivot(
        index="date", columns="symbol", values="c"
    )
    assert price.shape == expected.shape
    np.testing.assert_array_equal(panel.values[..., 0], expected.astype(np.float32))


@pytest.mark.parametrize("close", ["close", "Adj Close", "volume"])
def test_own_features_get_the_columns_of_the_user_s_table(
    close: str, own: ModuleType, market: pd.DataFrame
) -> None:
    """Under their own names, in the table's own words, and under their roles."""
    named = {"date": "Date", "symbol": "Ticker", "price": close}
    table = market[["date", "symbol", "price"]].rename(columns=named).assign(sector=1.0)
    given: list[pd.DataFrame] = []

    def ratio(frame: pd.DataFrame) -> pd.DataFrame:
        given.append(frame)
        change = frame.groupby("Ticker")[close].pct_change(fill_method=None)
        return frame[["Date", "Ticker", close]].assign(change=change)

    own.ratio = ratio  # type: ignore[attr-defined]
    columns = ColumnsSpec(**named)
    panel = from_frame(table, columns, TargetSpec(5), features="own_features:ratio", fill_limit=0)
    assert [*given[0]] == ["Date", "Ticker", close, "sector", "date", "symbol", "price"]
    assert given[0]["price"].equals(given[0][close])
    assert panel.features == ("change",)
    expected = from_frame(market, ROLES, TargetSpec(5), features="own_features:good", fill_limit=0)
    np.testing.assert_array_equal(panel.values[..., 0], expected.values[..., 0])


def test_a_changed_column_is_a_feature_whatever_its_name(
    own: ModuleType, market: pd.DataFrame
) -> None:
    def scaled(frame: pd.DataFrame) -> pd.DataFrame:
        return frame[["date", "symbol"]].assign(close=np.log(frame["close"]))

    own.scaled = scaled  # type: ignore[attr-defined]
    table = market[["date", "symbol", "price"]].rename(columns={"price": "close"})
    panel = from_frame(table, ColumnsSpec(), TargetSpec(5), features="own_features:scaled")
    assert panel.features == ("close",)


def test_an_error_in_a_user_s_function_names_its_file_line_and_the_columns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, market: pd.DataFrame
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wrong_features.py").write_text(
        "def f(rows):\n    part = rows[['date']]\n    return part.assign(x=rows['Close'])\n"
    )
    table = market[["date", "symbol", "price"]].rename(columns={"price": "close"})
    with pytest.raises(DataError) as error:
        from_frame(table, ColumnsSpec(), TargetSpec(5), features="wrong_features:f")
    assert str(error.value) == (
        "features 'wrong_features:f' failed: KeyError: 'Close' (wrong_features.py, line 3); its "
        "rows have the columns date, symbol, close, price"
    )


def test_own_features_may_be_of_any_kind_here(own: ModuleType, market: pd.DataFrame) -> None:
    panel = from_frame(market, ROLES, TargetSpec(5), features="own_features:sees_tomorrow")
    assert panel.features == ("next",)


def test_own_features_cannot_spoil_the_rows(own: ModuleType, market: pd.DataFrame) -> None:
    panel = from_frame(market, ROLES, TargetSpec(5, "return"), features="own_features:spoils")
    untouched = from_frame(market, ROLES, TargetSpec(5, "return"))
    np.testing.assert_array_equal(panel.target, untouched.target)


@pytest.mark.parametrize("name", BAD)
def test_bad_own_features_are_refused(name: str, own: ModuleType, market: pd.DataFrame) -> None:
    with pytest.raises(DataError, match=BAD[name][1]):
        from_frame(market, ROLES, TargetSpec(5), features=f"own_features:{name}")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such_module:f", "No module named 'no_such_module'"),
        ("own_features:absent", "own_features defines no 'absent'"),
        ("own_features:number", "must be a function; it is of type int"),
    ],
)
def test_a_feature_function_that_cannot_be_imported(
    name: str, message: str, own: ModuleType, market: pd.DataFrame
) -> None:
    with pytest.raises(DataError, match=message):
        from_frame(market, ROLES, TargetSpec(5), features=name)


def test_the_code_of_own_features_is_part_of_the_key() -> None:
    name = "tests.tasks.data.panel.test_read:good"
    assert len(features_version(DataSpec(features=name))) == 64
    assert features_version(DataSpec()) == ""


def test_the_two_stages_make_the_panel() -> None:
    """What the leak audit calls: raw rows, then features of them."""
    spec = DataSpec(source="noise")
    raw, transform = load_raw(spec), features_of(spec)
    assert transform is not None
    features = transform(raw)
    assert features.index.equals(raw.index)
    panel = build(spec, TargetSpec(5))
    stacked = features.to_numpy(np.float32).reshape(panel.values.shape)
    np.testing.assert_array_equal(panel.values, stacked)
    assert features_of(DataSpec(source="linear", features="ready")) is None


def test_price_features_need_prices() -> None:
    with pytest.raises(DataError, match="has no prices to make features from; set features: ready"):
        build(DataSpec(source="linear"))


def test_today_is_the_latest_on_earth() -> None:
    assert 0 <= (latest_today() - pd.Timestamp.now("UTC").date()).days <= 1
