"""A small ragged market: late listing, delisting, a halt, a gap, membership that changes."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from foldproof.tasks.data import ColumnsSpec, Panel, TargetSpec, from_frame
from foldproof.tasks.data.sources.databases import FOLDERS

DAYS = 330
ROLES = ColumnsSpec(price="price", volume="volume", member="member")


@pytest.fixture(autouse=True)
def readable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Queries may read the files of the test."""
    monkeypatch.setenv(FOLDERS, str(tmp_path))


@pytest.fixture(scope="session")
def market() -> pd.DataFrame:
    """Long rows of 6 symbols on 330 days: complete, late, delisted, halted, gappy, leaving."""
    rng = np.random.default_rng(7)
    days = pd.bdate_range("2015-01-05", periods=DAYS)
    names = ["FULL", "LATE", "GONE", "HALT", "GAPS", "LEFT"]
    price = 50 * np.exp(np.cumsum(0.02 * rng.standard_normal((DAYS, 6)), axis=0))
    frame = pd.DataFrame({
        "date": np.repeat(days, 6), "symbol": names * DAYS, "price": price.ravel(),
        "volume": rng.integers(1_000, 9_000, DAYS * 6).astype(float),
        "member": True, "day": np.repeat(np.arange(DAYS), 6),
    })  # fmt: skip
    symbol, day = frame["symbol"], frame["day"]
    frame.loc[(symbol == "LEFT") & (day >= 300), "member"] = False
    absent = (
        ((symbol == "LATE") & (day < 40))
        | ((symbol == "GONE") & (day >= 310))
        | ((symbol == "HALT") & (day >= 280) & (day < 290))
        | ((symbol == "GAPS") & (day % 50 == 49))
    )
    return frame[~absent].drop(columns="day").reset_index(drop=True)


@pytest.fixture(scope="session")
def panel(market: pd.DataFrame) -> Panel:
    return from_frame(market, ROLES, TargetSpec(5, "return"))
