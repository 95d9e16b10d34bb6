import numpy as np
import pandas as pd
import pytest

from foldproof.tasks.data import ChecksSpec, DataSpec, TargetSpec, build
from foldproof.tasks.data.panel.suspicious import is_code, suspicious
from foldproof.tasks.data.rows import Rows

DAYS = pd.bdate_range("2020-01-06", periods=60)
CHECKS = ChecksSpec()


def market(**columns: object) -> pd.DataFrame:
    """Two symbols that move by 1 % a day, by date."""
    rng = np.random.default_rng(0)
    parts = [
        pd.DataFrame({
            "date": DAYS, "symbol": name,
            "price": 50 * np.exp(np.cumsum(0.01 * rng.standard_normal(60))),
            "volume": rng.integers(1000, 9000, 60).astype(float),
        })
        for name in ("AAA", "BBB")
    ]  # fmt: skip
    frame = pd.concat(parts).sort_values(["date", "symbol"], ignore_index=True)
    return frame.assign(**columns)


def said(frame: pd.DataFrame, checks: ChecksSpec = CHECKS) -> list[str]:
    rows = suspicious(Rows(frame, "it", written={"price": "close"}), checks)
    pd.testing.assert_frame_equal(rows.frame, frame)
    return rows.about["warnings"]


def changed(symbol: str, days: slice, column: str, factor: float) -> pd.DataFrame:
    frame = market()
    here = (frame["symbol"] == symbol) & frame["date"].isin(DAYS[days])
    frame.loc[here, column] *= factor
    return frame


def test_an_ordinary_table_has_no_warnings() -> None:
    assert said(market()) == []


def test_the_bundled_panel_has_no_warnings() -> None:
    """Its largest move in a day, Apple's fall by 52 % in September 2000, was real."""
    assert build(DataSpec(), TargetSpec()).about["warnings"] == []


@pytest.mark.parametrize(
    ("factor", "found"), [(0.25, "x0.25"), (0.5, "x0.5"), (100, "x1"), (1.5, "")]
)
def test_a_split_or_a_change_of_unit_is_named_with_symbol_date_and_size(
    factor: float, found: str
) -> None:
    warnings = said(changed("BBB", slice(30, None), "price", factor))
    assert bool(warnings) == bool(found)
    for text in warnings:
        assert text.startswith(
            "1 price differs from the symbol's previous price by a factor of 2.5"
        )
        assert f"BBB {found[:3]}" in text
        assert f"on {DAYS[30]:%Y-%m-%d}: a split" in text


def test_the_bound_of_a_jump_is_a_setting() -> None:
    frame = changed("AAA", slice(30, None), "price", 4.0)
    assert said(frame, ChecksSpec(max_jump=None)) == []
    assert said(frame, ChecksSpec(max_jump=5.0)) == []
    assert len(said(changed("AAA", slice(30, None), "price", 1.5), ChecksSpec(max_jump=1.4))) == 1


def test_a_jump_over_a_gap_names_the_date_before() -> None:
    frame = changed("AAA", slice(40, None), "price", 30.0)
    gap = (frame["symbol"] == "AAA") & frame["date"].isin(DAYS[20:40])
    (text,) = said(frame[~gap].reset_index(drop=True))
    assert f"on {DAYS[40]:%Y-%m-%d} (before: {DAYS[19]:%Y-%m-%d})" in text


def test_only_the_largest_jumps_are_shown_and_all_are_counted() -> None:
    frame = market()
    frame.loc[frame["symbol"] == "AAA", "price"] *= np.where(np.arange(60) % 10 < 5, 1, 3.0)
    frame.loc[frame.index[-1], "price"] *= 100
    (text,) = said(frame)
    assert text.startswith("12 prices differ")
    assert "BBB x" in text
    assert text.count(" on 2020") == 3


def test_prices_carried_after_a_delisting_are_named_if_nothing_was_traded() -> None:
    frame = market()
    gone = (frame["symbol"] == "BBB") & (frame["date"] >= DAYS[30])
    frame.loc[gone, "price"] = frame.loc[(frame["symbol"] == "BBB"), "price"].iloc[29]
    assert said(frame) == [], "with volume it may have been traded at this price"
    for table in (frame.drop(columns="volume"), frame.assign(volume=frame["volume"].mask(gone, 0))):
        (text,) = said(table)
        assert "1 symbols repeat a price on more than 20 dates in a row" in text
        assert f"on 30 dates from {DAYS[30]:%Y-%m-%d} to {DAYS[59]:%Y-%m-%d}" in text
        assert said(table, ChecksSpec(max_stale=30)) == []
        assert said(table, ChecksSpec(max_stale=None)) == []
        assert len(said(table, ChecksSpec(max_stale=29))) == 1


def test_a_run_does_not_go_on_from_one_symbol_to_the_next() -> None:
    assert said(market(price=7.0).drop(columns="volume"), ChecksSpec(max_stale=59)) == []
    (text,) = said(market(price=7.0).drop(columns="volume"), ChecksSpec(max_stale=58))
    assert text.startswith("2 symbols repeat")
    assert "on 59 dates" in text


@pytest.mark.parametrize("code", [9999999.0, 999.99, -99.99, -999.0, 2147483647.0, 3.4e38])
def test_a_code_for_a_missing_value_is_named_in_any_column(code: float) -> None:
    frame = market(quality=np.linspace(-1, 1, 120))
    frame.loc[[10, 51], "quality"] = code
    (text,) = said(frame)
    assert text.startswith(f"quality is {code:.12g} in 2 rows, first AAA on {DAYS[5]:%Y-%m-%d}")


def test_a_price_of_nines_beside_its_like_is_a_price() -> None:
    assert not is_code(999.0, np.array([999.0, 990.0, 980.0]))
    assert is_code(999.0, np.array([999.0, 50.0, 40.0]))
    assert not is_code(998.0, np.array([998.0, 50.0, 40.0]))
    assert not is_code(999.0, np.array([999.0, np.nan]))


def test_a_code_in_the_price_is_called_by_the_user_s_name() -> None:
    frame = market()
    frame.loc[20, "price"] = 9999999.0
    code, jump = said(frame)
    assert code.startswith("close is 9999999 in 1 rows, first AAA on")
    assert "2 prices differ" in jump
