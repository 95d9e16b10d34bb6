# ruff: noqa: E501  # sentences stand whole, as their reader sees them

import numpy as np
import pandas as pd
import pytest

from foldproof.tasks.data.incremental.restated import restatement

OLD = pd.DataFrame({
    "date": pd.to_datetime(["2020-01-02"] * 2 + ["2020-01-03"] * 2).as_unit("us"),
    "symbol": ["A", "B"] * 2, "price": [1.0, 2.0, np.nan, 4.0],
    "member": [True, True, True, False], "sector": ["x", "y", "x", "y"],
})  # fmt: skip
LATER = OLD.assign(date=OLD["date"] + pd.Timedelta(days=7))


def changed(**cells: object) -> pd.DataFrame:
    """OLD with ``column_row`` set, and later rows."""
    frame = OLD.copy()
    for name, value in cells.items():
        column, _, row = name.rpartition("_")
        frame.loc[int(row), column] = value
    return pd.concat([frame, LATER], ignore_index=True)


def test_appended_rows_restate_nothing() -> None:
    assert restatement(OLD, OLD) is None
    assert restatement(OLD, changed()) is None
    assert restatement(OLD, changed().assign(other=1.0)) is None


@pytest.mark.parametrize(
    ("new", "sentence"),
    [
        (changed(price_1=2.5), "1 rows changed (close 1), dated 2020-01-02 to 2020-01-02; first B on 2020-01-02: close 2.0 -> 2.5"),
        (changed(price_2=3.0), "1 rows changed (close 1), dated 2020-01-03 to 2020-01-03; first A on 2020-01-03: close missing -> 3.0"),
        (changed(price_3=np.nan), "1 rows changed (close 1), dated 2020-01-03 to 2020-01-03; first B on 2020-01-03: close 4.0 -> missing"),
        (changed(price_0=9.0, member_0=False, sector_3="z"), "2 rows changed (close 1, member 1, sector 1), dated 2020-01-02 to 2020-01-03; first A on 2020-01-02: close 1.0 -> 9.0"),
        (changed().drop(index=1), "1 rows removed, dated 2020-01-02 to 2020-01-02; first B on 2020-01-02: removed"),
        (changed(symbol_1="C"), "1 rows added, 1 rows removed, dated 2020-01-02 to 2020-01-02; first B on 2020-01-02: removed"),
        (changed(date_3=pd.Timestamp("2020-01-01")), "1 rows added, 1 rows removed, dated 2020-01-01 to 2020-01-03; first B on 2020-01-01: added"),
    ],
)  # fmt: skip
def test_differences_are_counted_with_the_first_one(new: pd.DataFrame, sentence: str) -> None:
    found = restatement(OLD, new.sort_values(["date", "symbol"], ignore_index=True), called)
    assert found is not None
    assert found.sentence == f"history restated: {sentence}"


def called(name: str) -> str:
    """The owner's name of the price."""
    return {"price": "close"}.get(name, name)


def test_dates_are_written_as_days() -> None:
    old = OLD.assign(label_end=OLD["date"])
    found = restatement(old, old.assign(label_end=old["date"] + pd.Timedelta(days=1)))
    assert found is not None
    assert found.sentence.endswith("first A on 2020-01-02: label_end 2020-01-02 -> 2020-01-03")
