from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from foldproof.models.spec import TargetName
from foldproof.tasks.data import DataSpec, TargetSpec, build
from foldproof.tasks.data.features.grid import grid_of
from foldproof.tasks.data.panel import layout
from foldproof.tasks.data.panel.layout import cells_of, extended, panel_arrays
from foldproof.tasks.data.panel.newest import newest, note_newest, row_hashes
from foldproof.tasks.data.panel.read import accepted
from foldproof.tasks.data.rows import Rows
from foldproof.tasks.data.sources.files import in_roles
from tests.tasks.data.conftest import ROLES

TODAY = date(2026, 1, 1)
TARGET = TargetSpec(5, "cs_rank")
PRICE = DataSpec(source="file", path="market.parquet", columns=ROLES, min_history=5)
READY = replace(PRICE, features="ready")
OWN = replace(PRICE, features="tests.tasks.data.panel.test_read:good")
LABELS = replace(ROLES, target="y", label_end="end")


def rows_of(market: pd.DataFrame, spec: DataSpec, days: int) -> Rows:
    """The checked rows of the first days."""
    first = market[market["date"] <= market["date"].unique()[days - 1]]
    return accepted(in_roles(Rows(first.reset_index(drop=True), "it"), spec), spec, None, TODAY)


def with_features(market: pd.DataFrame) -> pd.DataFrame:
    """Two of them, with holes, and a target with the day on which it becomes known."""
    rng = np.random.default_rng(3)
    drawn = rng.standard_normal((len(market), 3))
    drawn[rng.random(drawn.shape) < 0.2] = np.nan
    frame = market.assign(one=drawn[:, 0], two=drawn[:, 1], y=drawn[:, 2])
    return frame.assign(end=frame["date"] + pd.Timedelta(days=6))


CASES = {
    "price": PRICE,
    "price, nothing carried": replace(PRICE, fill_limit=0),
    "price without volume": replace(PRICE, columns=replace(ROLES, volume=None)),
    "ready": READY,
    "ready with labels": replace(READY, columns=LABELS),
}


@pytest.mark.parametrize("kind", ["cs_rank", "volatility_scaled"])
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("nights", [1, 12, 33])
def test_an_extended_panel_is_the_whole_one_to_the_last_bit(
    nights: int, case: str, kind: TargetName, market: pd.DataFrame
) -> None:
    """Over the end of a listing, a halt, gaps and membership that changes."""
    spec, table, target = CASES[case], with_features(market), TargetSpec(5, kind)
    if case == "ready":
        table = table.drop(columns=["y", "end"])
    before = panel_arrays(rows_of(table, spec, 330 - nights), spec, target)
    rows = rows_of(table, spec, 330)
    grid = grid_of(rows.frame)
    assert extended(rows.frame, grid, spec, target, before) is not None
    (names, found), (same, whole) = (
        panel_arrays(rows, spec, target, before), panel_arrays(rows, spec, target)
    )  # fmt: skip
    assert names == same
    for name, array in whole.items():
        assert array.dtype == found[name].dtype
        np.testing.assert_array_equal(found[name].view(np.uint8), array.view(np.uint8), name)


def test_a_look_back_stated_too_short_is_detected(
    market: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So the equality above is not by chance: it rests on what the features say of themselves."""
    before = panel_arrays(rows_of(market, PRICE, 320), PRICE, TARGET)
    short = {name: replace(one, lookback=20) for name, one in layout.FEATURES.items()}
    monkeypatch.setattr(layout, "FEATURES", short)
    rows = rows_of(market, PRICE, 330)
    grid = grid_of(rows.frame)
    found = extended(rows.frame, grid, PRICE, TARGET, before)
    assert found is not None
    (_, extension), (_, whole) = found, cells_of(rows.frame, grid, PRICE, TARGET)
    assert not np.array_equal(extension["values"], whole["values"], equal_nan=True)


def test_changes_that_may_affect_all_cells_compute_the_whole_panel(market: pd.DataFrame) -> None:
    """A symbol that comes in moves the market; how far own features look back is unknown."""
    rows = rows_of(market, PRICE, 330)
    grid = grid_of(rows.frame)
    before = panel_arrays(rows_of(market, PRICE, 320), PRICE, TARGET)
    fewer = panel_arrays(rows_of(market[market["symbol"] != "LATE"], PRICE, 320), PRICE, TARGET)
    brief = panel_arrays(rows_of(market, PRICE, 260), PRICE, TARGET)
    own = panel_arrays(rows_of(market, OWN, 320), OWN, TARGET)
    others = (("other",), before[1])
    assert extended(rows.frame, grid, PRICE, TARGET, before) is not None
    for earlier in (fewer, brief, others):
        assert extended(rows.frame, grid, PRICE, TARGET, earlier) is None
    assert extended(rows.frame, grid, OWN, TARGET, own) is None


def test_a_night_of_the_same_panel_is_extended_and_a_restated_one_is_not(
    market: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the flows call it: one file, one cache, one ``data.end`` a night."""
    laid: list[int] = []

    def counted(frame: pd.DataFrame, *rest: object) -> object:
        laid.append(frame["date"].nunique())
        return cells_of(frame, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(layout, "cells_of", counted)
    path, days = tmp_path / "market.parquet", market["date"].dt.date.unique()
    market.to_parquet(path)
    for night in (325, 326, 329):
        spec = replace(PRICE, path=str(path), end=days[night])
        found = build(spec, TARGET, TODAY, tmp_path / "kept")
        assert found.fingerprint == build(spec, TARGET, TODAY).fingerprint
    assert laid[0] == laid[1] == 326
    assert laid[2] == 327 - (326 - 7 - 253 - 10)
    assert laid[3] == 327
    market.assign(price=market["price"].where(market.index != 50, 1.0)).to_parquet(path)
    found = build(spec, TARGET, TODAY, tmp_path / "kept")
    assert found.fingerprint == build(spec, TARGET, TODAY).fingerprint
    assert laid[-2] == laid[-1] == 330


def test_only_a_panel_of_the_first_rows_is_the_newest(market: pd.DataFrame, tmp_path: Path) -> None:
    content = row_hashes(market)
    assert newest(tmp_path, "line", content) is None
    note_newest(tmp_path, "line", "panel-1", content[:1000])
    assert newest(tmp_path, "line", content) == "panel-1"
    assert newest(tmp_path, "line", content[:1000]) == "panel-1"
    assert newest(tmp_path, "other", content) is None
    assert newest(tmp_path, "line", content[:999]) is None
    assert newest(tmp_path, "line", content[1:]) is None
    (tmp_path / "newest" / "line.json").write_text("{")
    assert newest(tmp_path, "line", content) is None
