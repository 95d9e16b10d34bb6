from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from foldproof.tasks.data import DataError, DataSpec, TargetSpec, build
from foldproof.tasks.data.incremental.append import read_incrementally
from foldproof.tasks.data.incremental.store import READING
from foldproof.tasks.data.panel.read import read, typed
from foldproof.tasks.data.rows import Rows
from foldproof.tasks.data.sources.catalogue import SOURCES
from foldproof.tasks.version import code_version
from tests.tasks.data.growing import COLUMNS, WAYS, in_csv, nights

TODAY = date(2026, 1, 1)
OWN = "tests.tasks.data.panel.test_read:good"


class Whole:
    """Reads a whole source and counts how often it has to."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self, spec: DataSpec) -> Rows:
        self.times += 1
        return SOURCES[spec.source].load(spec)


def settings(spec: DataSpec, features: str = "ready") -> DataSpec:
    return replace(spec, columns=COLUMNS, features=features, incremental=True, min_history=1)


def whole_reading(spec: DataSpec) -> Rows:
    return typed(SOURCES[spec.source].load(spec), spec, TODAY)


def assert_same(one: Rows, other: Rows) -> None:
    """To the last bit, types, warnings and all that errors would say."""
    pd.testing.assert_frame_equal(one.frame, other.frame, check_exact=True)
    for name in ("about", "origin", "unit", "first", "written", "in_order"):
        assert getattr(one, name) == getattr(other, name), name


def grow(way: str, features: str, seed: int, then: int, folder: Path) -> None:
    """Follow a market of ``seed`` for ``then`` nights; everything is read once, on the first."""
    whole, table = Whole(), pd.DataFrame()
    for night, added in enumerate(nights(seed, then=then)):
        table = pd.concat([table, added], ignore_index=True)
        spec = settings(WAYS[way](table, added if night else None, folder), features)
        found = read_incrementally(spec, TODAY, folder / "kept", whole)
        assert_same(found, whole_reading(spec))
        assert whole.times == 1, night
    assert_same(read_incrementally(spec, TODAY, folder / "kept", whole), found)  # nothing new
    assert whole.times == 1
    assert len(found.frame) == len(table) > 100


@pytest.mark.parametrize("way", WAYS)
def test_appended_rows_equal_a_complete_reading(way: str, tmp_path: Path) -> None:
    grow(way, "ready", [*WAYS].index(way), 2, tmp_path)


@pytest.mark.parametrize("features", ["price", OWN])
@pytest.mark.parametrize("way", ["csv", "parquet, groups across dates"])
def test_own_columns_keep_their_types(way: str, features: str, tmp_path: Path) -> None:
    """The user's function gets columns as they were read: text, truth values, numbers."""
    grow(way, features, 3, 2, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("features", ["price", "ready", OWN])
def test_many_appendings(features: str, way: str, tmp_path: Path) -> None:
    for seed in range(10, 12):
        (tmp_path / str(seed)).mkdir()
        grow(way, features, seed, 6, tmp_path / str(seed))


def test_the_panel_equals_that_of_a_complete_reading(tmp_path: Path) -> None:
    """The warnings count, too: they are part of the key."""
    table = pd.DataFrame()
    for night, added in enumerate(nights(0, first=40, then=3)):
        table = pd.concat([table, added], ignore_index=True)
        spec = settings(in_csv(table, added if night else None, tmp_path))
        target = TargetSpec(2, "return")
        found = build(spec, target, TODAY, tmp_path / "kept")
        plain = build(replace(spec, incremental=False), target, TODAY)
        assert found.fingerprint == plain.fingerprint
        assert found.about == plain.about


@pytest.fixture
def market() -> list[pd.DataFrame]:
    """The first days, and two nights."""
    return [*nights(5, then=2)]


def restated(
    way: str, market: list[pd.DataFrame], change: Callable[[pd.DataFrame], pd.DataFrame], at: Path
) -> tuple[Rows, int]:
    """Follow the first days, then what ``change`` makes of all; and how often all was read."""
    whole = Whole()
    spec = settings(WAYS[way](market[0], None, at))
    read_incrementally(spec, TODAY, at / "kept", whole)
    table = change(pd.concat(market[:2], ignore_index=True))
    WAYS[way](table, None, at)
    found = read_incrementally(spec, TODAY, at / "kept", whole)
    plain = whole_reading(spec)
    pd.testing.assert_frame_equal(found.frame, plain.frame, check_exact=True)
    WAYS[way](pd.concat([table, market[2]], ignore_index=True), market[2], at)
    again = read_incrementally(spec, TODAY, at / "kept", whole)
    assert again.about["warnings"] == found.about["warnings"], "later nights report it too"
    return found, whole.times


NOT_APPENDED = ["csv", "parquet, one group", "parquet, groups across dates", "sqlite"]


@pytest.mark.parametrize("way", NOT_APPENDED)
def test_a_restated_cell_is_detected_read_again_and_reported(
    way: str, market: list[pd.DataFrame], tmp_path: Path
) -> None:
    """In files anywhere; in a query on one of its newest dates."""
    last = market[0].index[-2] if way == "sqlite" else 3
    row, old = market[0].loc[last], market[0].loc[last, "close"]

    def change(table: pd.DataFrame) -> pd.DataFrame:
        table.loc[last, "close"] = 12.5
        return table

    found, times = restated(way, market, change, tmp_path)
    assert times == 2
    day = f"{row['date']:%Y-%m-%d}"
    was = "missing" if pd.isna(old) else old
    assert found.about["warnings"][-1] == (
        f"history restated: 1 rows changed (close 1), dated {day} to {day}; first {row['symbol']} "
        f"on {day}: close {was} -> 12.5; noticed 2026-01-01"
    )


@pytest.mark.parametrize("way", [*NOT_APPENDED, "sqlite with times"])
def test_removed_and_late_rows_are_detected(
    way: str, market: list[pd.DataFrame], tmp_path: Path
) -> None:
    """In a query, too, before the dates that are compared: the number of rows gives it away."""
    gone = market[0].iloc[3]
    found, times = restated(way, market, lambda t: t.drop(index=3), tmp_path)
    assert times == 2
    said = found.about["warnings"][-1]
    assert "1 rows removed" in said
    assert f"first {gone['symbol']} on {gone['date']:%Y-%m-%d}: removed" in said


def test_values_restated_before_the_overlap_need_a_complete_reading(
    market: list[pd.DataFrame], tmp_path: Path
) -> None:
    """The price of not asking for it, and why incremental is a choice."""

    def change(table: pd.DataFrame) -> pd.DataFrame:
        table.loc[3, "volume"] = 12.5
        return table

    with pytest.raises(AssertionError, match="DataFrame"):
        restated("sqlite", market, change, tmp_path)


def appended(market: list[pd.DataFrame], text: str, at: Path) -> tuple[DataSpec, Whole]:
    """Follow the first days in a CSV file, then add ``text`` to it."""
    whole, spec = Whole(), settings(in_csv(market[0], None, at))
    read_incrementally(spec, TODAY, at / "kept", whole)
    with (at / "prices.csv").open("a") as stream:
        stream.write(text)
    return spec, whole


NIGHT = "2020-01-02,AAA,1,2,True,tech,0.5,7\n"
BY_ITSELF = {
    "a row of an earlier date": NIGHT + "2019-11-20,LATE,1,2,True,tech,0.5,7\n",
    "rows out of order": "2020-01-03,AAA,1,2,True,tech,0.5,7\n" + NIGHT,
    "no end of line": NIGHT.strip(),
    "a time of day": NIGHT.replace("-02", "-02 16:00"),
    "a fraction where whole numbers were": NIGHT.replace(",7", ",7.5"),
}


@pytest.mark.parametrize("what", BY_ITSELF)
def test_anything_but_appended_rows_is_read_completely(
    what: str, market: list[pd.DataFrame], tmp_path: Path
) -> None:
    """Read by itself it would count, or mean, something else than within the whole."""
    spec, whole = appended(market, BY_ITSELF[what], tmp_path)
    expected = whole_reading(spec)
    found = read_incrementally(spec, TODAY, tmp_path / "kept", whole)
    pd.testing.assert_frame_equal(found.frame, expected.frame, check_exact=True)
    said = [text for text in found.about["warnings"] if "restated" not in text]
    assert said == expected.about["warnings"]
    assert whole.times == 2


def test_a_digit_changed_in_place_is_detected(market: list[pd.DataFrame], tmp_path: Path) -> None:
    """The lines after it still begin where they did."""
    spec, whole = appended(market, NIGHT, tmp_path)
    old = str(market[0]["close"].dropna().iloc[0])
    new = ("8" if old[0] == "9" else "9") + old[1:]
    text = (tmp_path / "prices.csv").read_text()
    assert text.count(old) == 1
    (tmp_path / "prices.csv").write_text(text.replace(old, new))
    found = read_incrementally(spec, TODAY, tmp_path / "kept", whole)
    pd.testing.assert_frame_equal(found.frame, whole_reading(spec).frame, check_exact=True)
    assert "1 rows changed (close 1)" in found.about["warnings"][-1]
    assert f"close {old} -> {new[:8]}" in found.about["warnings"][-1]
    assert whole.times == 2


def test_new_cells_get_the_types_of_the_complete_file(
    market: list[pd.DataFrame], tmp_path: Path
) -> None:
    """By themselves 1 would be a number, and the long volume a whole one with another last bit."""
    spec = settings(in_csv(market[0], None, tmp_path), OWN)
    whole = Whole()
    read_incrementally(spec, TODAY, tmp_path / "kept", whole)
    with (tmp_path / "prices.csv").open("a") as stream:
        stream.write("2020-01-02,AAA,1,12345678901234567,True,1,0.5,7\n")
    assert_same(read_incrementally(spec, TODAY, tmp_path / "kept", whole), whole_reading(spec))
    assert whole.times == 1


WRONG = {
    "no number": NIGHT.replace(",1,", ",n.v.,"),
    "twice": NIGHT + NIGHT,
    "a cell too many": NIGHT.replace("tech", "tech,1,2,3"),
    "no price at all": NIGHT.replace(",1,", ",-1,"),
    "tomorrow's": NIGHT.replace("2020", "2030"),
    "a time zone": NIGHT.replace("-02", "-02T00:00+01:00"),
    "text that reads as a number": NIGHT.replace("tech", "1"),
    "no symbol": NIGHT.replace("AAA", ""),
}


@pytest.mark.parametrize("what", WRONG)
def test_errors_equal_those_of_a_complete_reading_and_keep_the_kept_rows(
    what: str, market: list[pd.DataFrame], tmp_path: Path
) -> None:
    """With the line of the whole file. When the night is put right, it is appended."""
    spec, whole = appended(market, WRONG[what], tmp_path)
    with pytest.raises(DataError) as expected:
        whole_reading(spec)
    with pytest.raises(DataError) as caught:
        read_incrementally(spec, TODAY, tmp_path / "kept", whole)
    assert str(caught.value) == str(expected.value)
    lines = (tmp_path / "prices.csv").read_text().splitlines(keepends=True)
    (tmp_path / "prices.csv").write_text("".join(lines[: len(market[0]) + 1]) + NIGHT)
    assert_same(read_incrementally(spec, TODAY, tmp_path / "kept", whole), whole_reading(spec))
    assert whole.times == 2


def broken(place: Path) -> None:
    piece = next(place.glob("rows-*/*.arrow"))
    piece.write_bytes(piece.read_bytes()[:100])


def gone(place: Path) -> None:
    next(place.glob("rows-*/*.arrow")).unlink()


def of_other_code(place: Path) -> None:
    notes = next(place.glob("rows-*/rows.json"))
    notes.write_text(notes.read_text().replace(code_version(READING), "another"))


def no_notes(place: Path) -> None:
    next(place.glob("rows-*/rows.json")).write_text("{")


@pytest.mark.parametrize("spoil", [broken, gone, of_other_code, no_notes])
def test_incomplete_kept_rows_are_not_used(
    spoil: Callable[[Path], None], market: list[pd.DataFrame], tmp_path: Path
) -> None:
    spec, whole = appended(market, NIGHT, tmp_path)
    spoil(tmp_path / "kept")
    assert_same(read_incrementally(spec, TODAY, tmp_path / "kept", whole), whole_reading(spec))
    assert whole.times == 2
    read_incrementally(spec, TODAY, tmp_path / "kept", whole)
    assert whole.times == 2


def test_a_night_before_the_last_one_refuses_rows_of_the_future(
    market: list[pd.DataFrame], tmp_path: Path
) -> None:
    """As a whole reading does: rows that were fine on a later day are not fine now."""
    spec, whole = appended(market, "", tmp_path)
    with pytest.raises(DataError, match=r"is in the future \(today is 2019-12-01\)"):
        read_incrementally(spec, date(2019, 12, 1), tmp_path / "kept", whole)


def test_other_settings_keep_other_rows(market: list[pd.DataFrame], tmp_path: Path) -> None:
    """Dates and history that are asked for do not change what is kept; roles do."""
    spec = settings(in_csv(market[0], None, tmp_path))
    for other in (
        spec, replace(spec, end=date(2019, 12, 20), min_history=3),
        replace(spec, columns=replace(COLUMNS, features=("score",))),
        replace(spec, features="price"),
    ):  # fmt: skip
        plain = replace(other, incremental=False)
        assert_same(read(other, TODAY, tmp_path / "kept"), read(plain, TODAY))
    assert len([*(tmp_path / "kept").iterdir()]) == 3
