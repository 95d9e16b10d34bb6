from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import foldproof.tasks.data.panel.panel as module
from foldproof.tasks.data import (
    ColumnsSpec,
    DataError,
    DataSpec,
    Panel,
    SyntheticSpec,
    TargetSpec,
    build,
    folder_of,
    from_frame,
    load,
    save,
)
from foldproof.tasks.data.panel.layout import fingerprint
from tests.tasks.data.conftest import ROLES

ARRAYS = ("dates", "symbols", "values", "target", "label_end", "member")
SMALL = DataSpec(
    source="linear", features="ready", min_history=1, synthetic=SyntheticSpec(days=40, symbols=4)
)
TARGET = TargetSpec(5, "return")


def assert_same(a: Panel, b: Panel) -> None:
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
        assert getattr(a, name).dtype == getattr(b, name).dtype
    assert (a.features, a.fingerprint, a.about) == (b.features, b.fingerprint, b.about)


def test_types_and_shapes(panel: Panel) -> None:
    days, symbols, features = panel.values.shape
    assert (days, symbols, features) == (330, 6, 16)
    assert panel.dates.dtype == panel.label_end.dtype == np.dtype("M8[D]")
    assert panel.values.dtype == panel.target.dtype == np.float32
    assert panel.member.dtype == bool
    assert panel.symbols.dtype.kind == "U"
    assert panel.target.shape == panel.member.shape == (days, symbols)
    assert (np.diff(panel.dates) > np.timedelta64(0)).all()


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_are_read_only(name: str, panel: Panel) -> None:
    with pytest.raises(ValueError, match="read-only"):
        getattr(panel, name)[0] = getattr(panel, name)[1]


def test_members_are_observed_and_in_the_universe(panel: Panel) -> None:
    member = dict(zip(panel.symbols, panel.member.T, strict=True))
    day = np.arange(330)
    np.testing.assert_array_equal(member["FULL"], day >= 0)
    np.testing.assert_array_equal(member["LATE"], day >= 40)
    np.testing.assert_array_equal(member["GONE"], day < 310)
    np.testing.assert_array_equal(member["HALT"], (day < 280) | (day >= 290))
    np.testing.assert_array_equal(member["GAPS"], day % 50 != 49)
    np.testing.assert_array_equal(member["LEFT"], day < 300)


def test_values_are_carried_for_the_limit_and_no_longer(panel: Panel) -> None:
    values = dict(zip(panel.symbols, panel.values[..., 0].T, strict=True))
    assert np.isnan(values["LATE"][:41]).all()
    for symbol, last in (("GONE", 309), ("HALT", 279)):
        np.testing.assert_array_equal(values[symbol][last + 1 : last + 6], values[symbol][last])
        assert np.isnan(values[symbol][last + 6 : 290]).all()
    assert np.isnan(values["GONE"][315:]).all()
    np.testing.assert_array_equal(values["GAPS"][49::50], values["GAPS"][48::50])
    assert not np.isnan(values["FULL"][1:]).any()


def test_labels_are_the_members_whose_prices_are_there(panel: Panel) -> None:
    target = dict(zip(panel.symbols, panel.target.T, strict=True))
    assert np.isnan(target["GONE"][304:]).all()
    assert not np.isnan(target["GONE"][:304]).any()
    assert np.isnan(target["LEFT"][300:]).all()
    assert np.isnan(target["HALT"][274:290]).all()
    np.testing.assert_array_equal(panel.label_end[:-6], panel.dates[6:])
    assert np.isnat(panel.label_end[-6:]).all()


@pytest.mark.parametrize("cut", [60, 283, 313])
def test_the_panel_of_a_shorter_table_is_the_beginning_of_the_longer(
    cut: int, market: pd.DataFrame, panel: Panel
) -> None:
    """No value and no membership of a day is decided by what came later: bit for bit."""
    short = from_frame(
        market[market["date"] <= pd.Timestamp(panel.dates[cut])],
        ROLES, TARGET, min_history=1, features="tests.tasks.data.panel.test_panel:two_features",
    )  # fmt: skip
    full = from_frame(
        market, ROLES, TARGET, min_history=1,
        features="tests.tasks.data.panel.test_panel:two_features",
    )  # fmt: skip
    np.testing.assert_array_equal(short.values, full.values[: cut + 1])
    np.testing.assert_array_equal(short.member, full.member[: cut + 1])
    np.testing.assert_array_equal(short.target[:-6], full.target[: cut - 5])


def two_features(frame: pd.DataFrame) -> pd.DataFrame:
    by_symbol = frame.groupby("symbol")["price"]
    return pd.DataFrame({"change": by_symbol.diff(), "age": by_symbol.cumcount()})


def test_ready_features_are_copied_as_they_are() -> None:
    days = pd.bdate_range("2020-01-06", periods=4)
    frame = pd.DataFrame({
        "date": np.repeat(days, 2), "symbol": ["B", "A"] * 4, "x": np.arange(8.0),
        "y": np.arange(8)[::-1], "r": np.arange(8.0), "end": np.repeat(days, 2).shift(1, "B"),
    })  # fmt: skip
    frame.loc[2, "x"] = np.nan
    columns = ColumnsSpec(price=None, target="r", label_end="end")
    panel = from_frame(frame, columns, TARGET, features="ready", min_history=1, fill_limit=1)
    assert panel.features == ("x", "y")
    assert panel.symbols.tolist() == ["A", "B"]
    np.testing.assert_array_equal(panel.values[:, 0, 0], [1, 3, 5, 7])
    np.testing.assert_array_equal(panel.values[:, 1, 0], [0, 0, 4, 6])
    np.testing.assert_array_equal(panel.values[:, 0, 1], [6, 4, 2, 0])
    np.testing.assert_array_equal(panel.target[:, 1], [0, 2, 4, 6])
    np.testing.assert_array_equal(panel.label_end[:3], panel.dates[1:])
    assert np.isnat(panel.label_end[3])


def test_labels_of_a_date_count_as_known_when_the_last_is() -> None:
    days = pd.bdate_range("2020-01-06", periods=4)
    frame = pd.DataFrame({
        "date": np.repeat(days, 2), "symbol": ["A", "B"] * 4, "x": np.arange(8.0),
        "r": [0.0, 1, 2, np.nan, 4, 5, np.nan, np.nan],
        "end": [days[1], days[2], days[2], pd.NaT, days[3], days[3] + pd.Timedelta(days=9),
                pd.NaT, pd.NaT],
    })  # fmt: skip
    columns = ColumnsSpec(price=None, target="r", label_end="end")
    panel = from_frame(frame, columns, TARGET, features="ready", min_history=1)
    assert panel.label_end[:2].tolist() == panel.dates[[2, 2]].tolist()
    assert np.isnat(panel.label_end[2:]).all()


def test_a_kind_applies_to_a_given_target() -> None:
    plain, ranked = build(SMALL, TARGET), build(SMALL, TargetSpec(5, "cs_rank"))
    order = plain.target[:-1].argsort(axis=1)
    ranks = np.take_along_axis(ranked.target[:-1], order, axis=1)
    np.testing.assert_allclose(ranks, np.tile(np.linspace(-0.5, 0.5, 4), (39, 1)), atol=1e-7)


def changed(column: str, value: object) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def change(frame: pd.DataFrame) -> pd.DataFrame:
        out = frame.copy()
        out.loc[700, column] = value
        return out

    return change


@pytest.mark.parametrize(
    "change",
    [
        changed("price", 50.000001),
        changed("price", np.nan),
        changed("volume", 77.0),
        changed("member", False),
        lambda frame: frame.drop(index=700),
        lambda frame: frame.replace({"symbol": {"FULL": "FULL2"}}),
        lambda frame: frame.assign(date=frame["date"] + pd.Timedelta(days=7)),
        lambda frame: frame[frame["date"] > frame["date"].min()],
    ],
    ids=["price", "hole", "volume", "member", "row", "symbol", "dates", "first day"],
)
def test_the_fingerprint_depends_on_every_value(
    change: Callable[[pd.DataFrame], pd.DataFrame], market: pd.DataFrame, panel: Panel
) -> None:
    assert from_frame(change(market), ROLES, TARGET).fingerprint != panel.fingerprint


def test_the_fingerprint_depends_on_names_and_target(market: pd.DataFrame, panel: Panel) -> None:
    """Same numbers, other feature name; same numbers, other target spec."""
    ready = ColumnsSpec(price="price", features=("volume_",))
    renamed = ColumnsSpec(price="price", features=("volume2",))
    frame = market.rename(columns={"volume": "volume_"})
    a = from_frame(frame, ready, TARGET, features="ready")
    b = from_frame(frame.rename(columns={"volume_": "volume2"}), renamed, TARGET, features="ready")
    np.testing.assert_array_equal(a.values, b.values)
    assert a.fingerprint != b.fingerprint
    assert from_frame(market, ROLES, TargetSpec(4, "return")).fingerprint != panel.fingerprint


def test_the_fingerprint_depends_on_shapes_and_types() -> None:
    zeros = [np.zeros((2, 3)), np.zeros((3, 2)), np.zeros((2, 3), np.int64)]
    assert len({fingerprint([], [array]) for array in zeros}) == 3


def test_the_fingerprint_ignores_the_order_of_rows(market: pd.DataFrame, panel: Panel) -> None:
    shuffled = market.sample(frac=1, random_state=0)
    assert from_frame(shuffled, ROLES, TARGET).fingerprint == panel.fingerprint
    assert from_frame(shuffled[shuffled.columns[::-1]], ROLES, TARGET).fingerprint == (
        panel.fingerprint
    )


def test_a_panel_comes_back_from_disk_as_it_was(panel: Panel, tmp_path: Path) -> None:
    mapped = save(panel, tmp_path / "deep" / "folder")
    assert_same(mapped, panel)
    assert_same(load(tmp_path / "deep" / "folder"), panel)
    assert isinstance(mapped.values, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        mapped.values[0] = 0
    assert [file.name for file in (tmp_path / "deep").iterdir()] == ["folder"]


def test_the_planted_truth_comes_back_from_disk(tmp_path: Path) -> None:
    panel = build(SMALL, TARGET)
    assert save(panel, tmp_path / "p").about["truth"] == panel.about["truth"]
    assert set(panel.about["truth"]["f0"]) == {0}


def test_a_second_build_skips_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = build(SMALL, TARGET, cache=tmp_path)
    assert folder_of(first, tmp_path).is_dir()
    monkeypatch.delattr(module, "panel_arrays")
    assert_same(build(SMALL, TARGET, cache=tmp_path), first)
    with pytest.raises(NameError):  # another seed is other work
        build(replace(SMALL, synthetic=SyntheticSpec(40, 4, seed=9)), TARGET, cache=tmp_path)


@pytest.mark.parametrize(
    "other",
    [
        (replace(SMALL, fill_limit=4), TARGET),
        (replace(SMALL, synthetic=SyntheticSpec(40, 4, seed=9)), TARGET),
        (SMALL, TargetSpec(5, "cs_rank")),
    ],
)
def test_the_folder_of_a_panel_depends_on_its_settings(
    other: tuple[DataSpec, TargetSpec], tmp_path: Path
) -> None:
    first, second = build(SMALL, TARGET, cache=tmp_path), build(*other, cache=tmp_path)
    assert folder_of(first, tmp_path) != folder_of(second, tmp_path)
    assert len(list(tmp_path.glob("panel-*"))) == 2


@pytest.mark.parametrize("harm", ["values.npy", "panel.json", "cut off"])
def test_a_broken_panel_is_built_again(harm: str, tmp_path: Path) -> None:
    first = build(SMALL, TARGET, cache=tmp_path)
    folder = folder_of(first, tmp_path)
    whole = {name: np.array(getattr(first, name)) for name in ARRAYS}
    if harm == "cut off":
        (folder / "values.npy").write_bytes((folder / "values.npy").read_bytes()[:-40])
    else:
        (folder / harm).unlink()
    with pytest.raises(DataError, match=r"not a complete panel .* delete the folder"):
        load(folder)
    again = build(SMALL, TARGET, cache=tmp_path)
    for name, array in whole.items():
        np.testing.assert_array_equal(getattr(again, name), array)


def test_a_save_that_fails_leaves_nothing(
    panel: Panel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(*_: object, **__: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(module.json, "dumps", full_disk)  # after all arrays are written
    with pytest.raises(OSError, match="no space left"):
        save(panel, tmp_path / "p")
    assert not list(tmp_path.iterdir())


def test_saving_at_once_leaves_one_whole_panel(tmp_path: Path) -> None:
    panel = build(SMALL, TARGET)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: save(panel, tmp_path / "p"), range(12)))
    for one in found:
        assert_same(one, panel)
    assert [file.name for file in tmp_path.iterdir()] == ["p"]
