from pathlib import Path

import numpy as np
import pandas as pd

from foldproof.tasks.data import DataSpec, build, folder_of
from foldproof.tasks.data.panel.kept_rows import rows_of
from foldproof.tasks.data.spec import ColumnsSpec
from foldproof.tasks.decompose.prices import closes_of, industries_of

DAYS, SYMBOLS = 90, ("a", "b", "c")


def table() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    dates = np.busday_offset("2022-01-03", np.arange(DAYS))
    close = 20 * np.exp(np.cumsum(0.01 * rng.standard_normal((DAYS, 3)), axis=0))
    frame = pd.DataFrame(
        {"date": np.repeat(dates, 3), "symbol": np.tile(SYMBOLS, DAYS), "close": close.ravel()}
    )
    frame["gics"] = np.tile(["45", "", " 20 "], DAYS)
    frame["size"] = rng.standard_normal(len(frame))
    frame.loc[(frame["symbol"] == "a") & (frame["date"] >= "2022-04-01"), "gics"] = "20"
    return frame


def test_an_industry_of_the_file_is_no_feature_and_may_change(tmp_path: Path) -> None:
    table().to_csv(tmp_path / "stocks.csv", index=False)
    spec = DataSpec(
        source="file", path=str(tmp_path / "stocks.csv"), features="ready", min_history=50,
        columns=ColumnsSpec(industry="gics"),
    )  # fmt: skip
    panel = build(spec, cache=tmp_path)
    assert panel.features == ("size",)
    rows = rows_of(folder_of(panel, tmp_path), spec)
    codes = industries_of(rows)
    assert codes is not None
    changed = np.searchsorted(panel.dates, np.datetime64("2022-04-01"))
    assert codes[0].tolist() == [0, -1, 1]
    assert codes[changed - 1, 0] == 0
    assert (codes[changed:, 0] == 1).all()


def test_closes_are_those_of_the_rows() -> None:
    frame = table().rename(columns={"close": "price"})
    gone = (frame["symbol"] == "b") & (frame["date"] >= "2022-04-20")
    found = closes_of(frame[~gone].reset_index(drop=True), fill_limit=2)
    assert found is not None
    wide = frame[~gone].pivot(index="date", columns="symbol", values="price")
    np.testing.assert_array_equal(found.quoted, wide)
    np.testing.assert_array_equal(found.carried, wide.ffill(limit=2))
    market = np.log(wide.ffill(limit=2)).diff().where(wide.notna()).mean(axis=1)
    expected = market.rolling(63).std().to_numpy()
    np.testing.assert_allclose(found.volatility[64:], expected[64:], rtol=1e-10)


def test_without_prices_or_industries_there_are_none() -> None:
    frame = table().drop(columns="close")
    assert closes_of(frame, 5) is None
    assert industries_of(frame) is None
