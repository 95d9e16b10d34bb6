import numpy as np
import pandas as pd
import pytest

from foldproof.tasks.diagnose import Verdict
from foldproof.tasks.diagnose.findings.finding import overall
from foldproof.tasks.diagnose.lookahead.point_in_time import point_in_time


@pytest.fixture
def rows() -> pd.DataFrame:
    """Earnings of quarter ends, reported 3 or 40 days later, on business days of two stocks."""
    dates = pd.bdate_range("2024-01-01", periods=50)
    index = pd.MultiIndex.from_product([dates, ["A", "B"]], names=["date", "symbol"])
    out = index.to_frame(index=False).assign(close=1.0, earnings=np.nan)
    out["reported"] = pd.NaT
    out["reported"] = out["reported"].astype("datetime64[ns]")
    return out


def earn(rows, row, lag):
    rows.loc[row, "earnings"] = 2.0
    rows.loc[row, "reported"] = rows.loc[row, "date"] + pd.Timedelta(lag)


def test_late_cells_by_hand(rows):
    """Friday's figure known on Monday: 1 trading day. Monday's known 8 days later: 6."""
    earn(rows, 8, "3D")
    earn(rows, 11, "8D")
    earn(rows, 20, "0D")
    finding, unknown = point_in_time(rows, {"earnings": "reported"})
    assert (finding.verdict, finding.value, finding.ahead) == (Verdict.LEAK, 2.0, 6)
    assert finding.detail.startswith("2 of 3 cells of earnings (66.7%)")
    assert "up to 8.0 days" in finding.detail
    assert (finding.witness.date, finding.witness.symbol) == ("2024-01-08", "B")
    assert (unknown.verdict, unknown.counts) == (Verdict.UNKNOWN, False)
    assert unknown.detail == "close has no knowledge time"


def test_agrees_with_a_loop(rows):
    draw = np.random.default_rng(0)
    for row in range(len(rows)):
        earn(rows, row, f"{int(draw.integers(-3, 4))}D")
    rows.loc[draw.random(len(rows)) < 0.3, "earnings"] = np.nan
    late = [
        (line["reported"] - line["date"]).days
        for _, line in rows.iterrows()
        if line["earnings"] == line["earnings"] and line["reported"] > line["date"]
    ]
    finding = point_in_time(rows.sample(frac=1, random_state=1), {"earnings": "reported"})[0]
    assert finding.value == len(late)
    assert f"up to {max(late):.1f} days" in finding.detail
    (shifted, _) = point_in_time(
        rows.assign(decision=rows["date"] + pd.Timedelta("3D")),
        {"earnings": "reported"},
        "decision",
    )
    assert (shifted.verdict, shifted.value) == (Verdict.CLEAN, 0.0)


def test_without_knowledge_times_nothing_is_clean(rows):
    (unknown,) = point_in_time(rows[["date", "symbol", "close"]], {})
    assert (unknown.verdict, unknown.counts) == (Verdict.UNKNOWN, False)
    assert overall([unknown]) is Verdict.UNKNOWN
    (none,) = point_in_time(rows[["date", "symbol"]], {})
    assert (none.verdict, none.detail) == (Verdict.UNKNOWN, "no column to look at")


def test_a_cell_without_its_time_is_unknown(rows):
    earn(rows, 8, "0D")
    rows.loc[9, "earnings"] = 1.0
    (unknown,) = point_in_time(rows.drop(columns="close"), {"earnings": "reported"})
    assert unknown.verdict is Verdict.UNKNOWN
    assert unknown.detail == "earnings has none in 1 of 2 cells"


def test_times_of_day_count_only_where_decisions_have_them(rows):
    earn(rows, 8, "18h")
    (by_day, _) = point_in_time(rows, {"earnings": "reported"})
    assert by_day.verdict is Verdict.CLEAN
    timed = rows.assign(decision=rows["date"] + pd.Timedelta("16h"))
    (late, _) = point_in_time(timed, {"earnings": "reported"}, "decision")
    assert (late.verdict, late.value, late.ahead) == (Verdict.LEAK, 1.0, 1)
    assert "up to 0.1 days" in late.detail


def test_time_zones_are_converted_or_refused(rows):
    earn(rows, 8, "18h")
    zoned = rows.assign(
        decision=(rows["date"] + pd.Timedelta("16h")).dt.tz_localize("America/New_York"),
        reported=rows["reported"].dt.tz_localize("Europe/London"),
    )
    (clean, _) = point_in_time(zoned, {"earnings": "reported"}, "decision")
    assert clean.verdict is Verdict.CLEAN  # 18:00 in London is before 16:00 in New York
    with pytest.raises(ValueError, match="both have a time zone or both have none"):
        point_in_time(zoned, {"earnings": "reported"})


def test_odd_tables_are_refused(rows):
    with pytest.raises(ValueError, match="needs the column sales"):
        point_in_time(rows, {"sales": "reported"})
    with pytest.raises(ValueError, match="column published is missing"):
        point_in_time(rows, {"earnings": "published"})
    with pytest.raises(ValueError, match="column close must hold times"):
        point_in_time(rows, {"earnings": "close"})
    with pytest.raises(ValueError, match="date must not be missing; row 3 is"):
        point_in_time(rows.assign(date=rows["date"].where(rows.index != 3)), {})
    assert point_in_time(rows[:0], {"earnings": "reported"})[0].value == 0
