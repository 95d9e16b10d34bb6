"""The small ragged market of the data tests, and every built-in feature computed from it."""

import numpy as np
import pandas as pd
import pytest

from foldproof.tasks.attribute.origins.returns import FeatureFunction, Quotes, reach
from foldproof.tasks.data.features.features import FEATURES, price_features
from foldproof.tasks.data.features.grid import carried, grid_of
from tests.tasks.data.conftest import market

__all__ = ["market"]

NAMES = tuple(FEATURES)


def panel_features(frame: pd.DataFrame, limit: int) -> np.ndarray:
    """(D, S, F) features as the panel's own code makes and carries them, in float64."""
    grid, made = grid_of(frame), price_features(frame, limit)
    return np.stack([carried(grid.dense(made[name]), limit) for name in made], axis=-1)


def feature_function(
    frame: pd.DataFrame, limit: int, names=NAMES
) -> tuple[FeatureFunction, Quotes]:
    """The features on all dates of ``frame`` as a function of steps."""
    days = frame["date"].nunique()
    quotes = Quotes.of(frame, limit).rows(-reach(limit), days + reach(limit))
    return FeatureFunction.near(quotes, names, days), quotes


@pytest.fixture(scope="session")
def broken(market: pd.DataFrame) -> pd.DataFrame:
    """The market with days without trade, without a close, and with a constant close."""
    frame, day = market.copy(), market.groupby("symbol").cumcount()
    frame.loc[(frame["symbol"] == "FULL") & (day % 90 == 80), "volume"] = 0.0
    frame.loc[(frame["symbol"] == "LEFT") & (day % 60 == 50), "price"] = np.nan
    still = (frame["symbol"] == "GAPS") & day.between(200, 225)
    frame.loc[still, "price"] = frame.loc[still, "price"].iloc[0]
    return frame
