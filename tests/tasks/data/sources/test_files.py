import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from foldproof.tasks.data import ColumnsSpec, DataError, DataSpec, TargetSpec, build, from_frame
from foldproof.tasks.data.sources.files import read_file, read_table
from tests.tasks.data.conftest import ROLES


def spec_of(path: Path, **settings: object) -> DataSpec:
    return DataSpec(source="file", path=str(path), columns=ROLES, **settings)


def write(frame: pd.DataFrame, path: Path, index: bool = False) -> Path:
    frame.to_parquet(path, index=index) if path.suffix == ".parquet" else frame.to_csv(
        path, index=index
    )
    return path


def test_a_pipe_is_refused_without_waiting_for_it(tmp_path: Path) -> None:
    path = tmp_path / "fifo.csv"
    os.mkfifo(path)
    with pytest.raises(DataError, match="this is a pipe or a device; set path to a file"):
        read_table(str(path), "symbol")


def test_csv_parquet_and_memory_make_one_panel(market: pd.DataFrame, tmp_path: Path) -> None:
    target = TargetSpec(5, "return")
    csv = build(spec_of(write(market, tmp_path / "m.csv")), target)
    parquet = build(spec_of(write(market, tmp_path / "m.parquet")), target)
    indexed = market.set_index(["date", "symbol"])
    with_index = build(spec_of(write(indexed, tmp_path / "i.parquet", index=True)), target)
    assert csv.fingerprint == parquet.fingerprint == with_index.fingerprint
    for frame in (market, indexed):
        memory = from_frame(frame, ROLES, target)
        np.testing.assert_array_equal(memory.values, csv.values)
        np.testing.assert_array_equal(memory.target, csv.target)


@pytest.mark.parametrize("symbol", ["000001", "NA", "NaN", "TRUE", "1e5", "null", "BRK.B"])
def test_symbols_of_a_csv_stay_as_written(symbol: str, tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    path.write_text(f"date,symbol,close\n2020-01-02,{symbol},1\n2020-01-03,{symbol},2\n")
    frame = read_file(DataSpec(source="file", path=str(path))).frame
    assert frame["symbol"].tolist() == [symbol] * 2


@pytest.mark.parametrize(
    "dates",
    [
        ["2020-01-02", "2020-01-03", "2020-01-06"],
        [20200102, 20200103, 20200106],
        list(pd.to_datetime(["2020-01-02", "2020-01-03", "2020-01-06"]).date),
        list(pd.to_datetime(["2020-01-02", "2020-01-03", "2020-01-06"]).tz_localize("US/Eastern")),
        ["2020-01-02T16:00:00", "2020-01-03 09:30", "2020-01-06"],
    ],
    ids=["text", "whole numbers", "date objects", "time zone", "time of day"],
)
def test_dates_in_every_form_are_the_same_days(dates: list[object]) -> None:
    frame = pd.DataFrame({
        "date": [day for day in dates for _ in "AB"], "symbol": ["A", "B"] * 3,
        "close": [1.0, 2, 3, 4, 5, 7], "f": [1.0, 2, 3, 4, 5, 6],
    })  # fmt: skip
    panel = from_frame(
        frame, ColumnsSpec(), TargetSpec(1, "return"), features="ready", min_history=1
    )
    assert panel.dates.astype(str).tolist() == ["2020-01-02", "2020-01-03", "2020-01-06"]


def test_categories_small_floats_and_missing_integers_are_read(market: pd.DataFrame) -> None:
    frame = market.astype({"symbol": "category", "volume": "Int64", "member": "int8"})
    plain = from_frame(market, ROLES, TargetSpec(5, "return"))
    typed = from_frame(frame, ROLES, TargetSpec(5, "return"))
    assert typed.fingerprint == plain.fingerprint
    small = from_frame(market.astype({"price": "float32"}), ROLES, TargetSpec(5, "return"))
    np.testing.assert_allclose(small.values, plain.values, rtol=1e-2, atol=1e-4)


def test_a_table_is_not_changed_by_being_read(market: pd.DataFrame) -> None:
    before = market.copy()
    from_frame(market, ROLES, TargetSpec(5))
    pd.testing.assert_frame_equal(market, before)
