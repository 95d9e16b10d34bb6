import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from foldproof.tasks.data import DataError, DataSpec, load_raw
from foldproof.tasks.data.sources import stockdata
from foldproof.tasks.data.sources.stockdata import repaired, split_factors, trading_days

SPEC = DataSpec(source="sp500_2003")
DAYS = 1258


@pytest.mark.parametrize(
    ("before", "after", "shares"),
    [
        (48.30, 24.96, 2),  # MSFT 2003-02-18, and 3 % up
        (66.51, 31.21, 2),  # FLIR 2007-12-04, and 6 % down
        (45.63, 30.42, 1.5),  # DF 2003-06-10
        (168.05, 56.06, 3),  # CI 2007-06-05
        (102.65, 25.67, 4),  # IGT 2003-07-03
        (105.66, 24.48, 5),  # TIE 2004-08-27, and 16 % up
        (7.49, 14.64, 1 / 2),  # ISRG 2003-07-01
        (1.90, 18.77, 1 / 10),  # TIE 2003-02-18
        (45.07, 33.00, 1),  # MRK 2004-09-30 withdrew Vioxx
        (67.28, 38.65, 1),  # BIIB 2005-02-28 withdrew Tysabri
        (32.09, 17.63, 1),  # CERN 2003-04-03
        (60.94, 43.50, 1),  # LXK 2005-10-04
        (14.56, 9.43, 1),  # NVDA 2004-08-06: nobody splits so cheap a share
        (17.43, 8.70, 1),
        (20.11, 40.20, 1),  # nobody merges so dear a share
        (16.32, 12.26, 1),  # A 2003-02-06: a 4-for-3 split would look the same
    ],
)
def test_splits_are_repaired_and_falls_are_not(before: float, after: float, shares: float) -> None:
    factors = split_factors(np.array([[before], [after], [after]]))
    np.testing.assert_allclose(factors[:, 0], [1, shares, 1])


def closes(seed: int = 0) -> np.ndarray:
    """Three stocks; the first splits 2 for 1 on row 31, the second loses half on row 40."""
    moves = 1 + 0.01 * np.random.default_rng(seed).standard_normal((DAYS, 3))
    moves[31, 0] *= 0.5
    moves[40, 1] *= 0.45
    return 100 * moves.cumprod(axis=0)


def rows(values: np.ndarray) -> pd.DataFrame:
    symbols, sectors = np.array(["A", "B", "C"]), np.array(["Energy", "Energy", "Materials"])
    return repaired(values, symbols, sectors, "stockdata.rda").frame


def test_the_rows_have_dates_sectors_and_returns_without_the_split() -> None:
    raw = closes()
    wide = rows(raw).pivot(index="date", columns="symbol", values="price").to_numpy()
    np.testing.assert_array_equal(wide[:31], raw[:31])
    np.testing.assert_array_equal(wide[31:, 0], 2 * raw[31:, 0])
    np.testing.assert_array_equal(wide[:, 1:], raw[:, 1:])
    frame = rows(raw)
    assert frame.groupby("symbol")["industry"].unique().str[0].tolist() == [
        "Energy", "Energy", "Materials",
    ]  # fmt: skip


def test_a_price_depends_on_no_later_close() -> None:
    raw, changed = closes(), closes()
    changed[700:] = closes(seed=1)[700:] * [0.5, 3, 0.25]
    early = rows(raw)["date"] < trading_days()[700]
    pd.testing.assert_frame_equal(rows(raw)[early], rows(changed)[early])
    assert not rows(raw)["price"].equals(rows(changed)["price"])


def test_each_repair_and_each_large_move_is_listed() -> None:
    about = repaired(closes(), np.array(["A", "B", "C"]), np.array(["x"] * 3), "file").about
    (split,), (move,) = about["splits_repaired"], about["large_moves_kept"]
    assert split.startswith("2003-02-18 A ")
    assert split.endswith(", 2 shares for 1")
    assert move.startswith("2003-03-03 B ")
    assert about["warnings"] == [
        "repaired 1 splits by the closes around them, 1 other large moves kept: the report's data "
        "section lists both"
    ]


def test_the_trading_days_are_those_of_the_exchange() -> None:
    days = trading_days()
    assert len(days) == DAYS
    assert days[31] == pd.Timestamp("2003-02-18")  # on which Microsoft split
    closed = ["2004-06-11", "2007-01-02", "2004-12-24", "2005-12-26", "2006-04-14", "2004-07-05"]
    assert not days.isin(pd.to_datetime(closed)).any()
    assert days.isin(pd.to_datetime(["2004-12-31", "2007-01-03", "2007-12-24"])).sum() == 3


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Series.values")  # in exchange-calendars
def test_the_trading_days_are_those_of_exchange_calendars() -> None:
    calendars = pytest.importorskip("exchange_calendars")
    calendar = calendars.get_calendar("XNYS", start="2003-01-01", end="2008-01-01")
    assert calendar.sessions_in_range(stockdata.FIRST, stockdata.LAST).equals(
        trading_days().as_unit("ns").rename(None)
    )


def test_a_missing_file_or_package_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stockdata, "PLACES", (tmp_path / "stockdata.rda",))
    with pytest.raises(DataError, match="not installed: run make panels or apt-get install r-cran"):
        load_raw(SPEC)
    with pytest.raises(DataError, match=r"data.path: there is no file .*other.rda; correct it"):
        load_raw(DataSpec(source="sp500_2003", path=str(tmp_path / "other.rda")))
    (tmp_path / "stockdata.rda").write_bytes(b"no R data")
    monkeypatch.setitem(sys.modules, "rdata", None)
    with pytest.raises(DataError, match=r"rda: reading it needs .* pip install 'foldproof\[panels"):
        load_raw(SPEC)


def test_another_data_set_is_refused() -> None:
    with pytest.raises(DataError, match=r"1257 days; the data set stockdata .* the 1258 trading"):
        rows(closes()[1:])
    with pytest.raises(DataError, match="a close is not a positive number"):
        rows(closes() - 1000)


def test_a_damaged_file_is_one_sentence(tmp_path: Path) -> None:
    pytest.importorskip("rdata")
    (tmp_path / "stockdata.rda").write_bytes(b"no R data")
    with pytest.raises(DataError, match="not the data set stockdata of R's package huge"):
        load_raw(DataSpec(source="sp500_2003", path=str(tmp_path / "stockdata.rda")))


@pytest.mark.slow
def test_the_real_file() -> None:
    try:
        made = stockdata.load_stockdata(SPEC)
    except DataError as error:
        pytest.skip(str(error))
    wide = made.frame.pivot(index="date", columns="symbol", values="price")
    assert wide.shape == (DAYS, 452)
    assert made.frame["industry"].nunique() == 10
    assert (len(made.about["splits_repaired"]), len(made.about["large_moves_kept"])) == (203, 8)
    moves = wide.pct_change()
    assert moves.loc["2003-02-18", "MSFT"] == pytest.approx(0.0335, abs=1e-3)
    assert moves.loc["2004-09-30", "MRK"] == pytest.approx(-0.268, abs=1e-3)
    assert moves.loc["2005-02-28", "BIIB"] == pytest.approx(-0.4255, abs=1e-3)
