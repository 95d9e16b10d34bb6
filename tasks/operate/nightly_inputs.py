"""Inputs of a night's scoring and monitoring: champion, rows up to the night, universe."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from foldproof.tasks.operate.retraining.evidence import Champion
from foldproof.tasks.train.serving.model import ModelInputs, Served, read_served
from foldproof.tasks.train.serving.rows import inputs_of
from foldproof.tasks.train.serving.training_values import Background

RECENT_DATES = 5
"""A symbol with a row on one of the newest five trading dates should get a score. So a symbol whose
row is missing tonight counts as missing for a week, and so does a delisted one."""


class OperationError(ValueError):
    """The registered model cannot score or be monitored; the message says what to do."""


@dataclass(frozen=True, eq=False)
class Night:
    """The champion and its rows as dense arrays.

    Attributes:
        model: Name in the model registry.
        champion: The version.
        served: Its forecaster.
        background: Statistics of its training rows.
        rows: All rows up to the night.
        universe: (S,) bool, symbols that should get a score.
        when: The night.
        calendar: Calendar of the exchange; None for Monday to Friday.
    """

    model: str
    champion: Champion
    served: Served
    background: Background
    rows: ModelInputs
    universe: np.ndarray
    when: date
    calendar: str | None = None

    @property
    def newest(self) -> date:
        """The newest date with a row."""
        return date.fromisoformat(str(self.rows.dates[-1].astype("datetime64[D]")))

    def cells(self, dates: int) -> np.ndarray:
        """(N, F) feature values of the members on the newest ``dates`` dates."""
        return self.rows.values[-dates:][self.rows.member[-dates:]]


def required(champion: Champion | None, model: str) -> Champion:
    """The champion.

    Raises:
        OperationError: There is none. (A registry that does not answer raises TrackingError.)
    """
    if champion is None:
        raise OperationError(
            f"no version of model {model!r} has the alias champion: run foldproof retrain nightly "
            "(your configuration in place of nightly), which makes the first one, or give a "
            "version the alias in the MLflow UI"
        )
    return champion


def night_of(
    model: str, champion: Champion, raw: pd.DataFrame, when: date, calendar: str | None = None
) -> Night:
    """The inputs of one night.

    Args:
        model: Name in the model registry.
        champion: The version that scores.
        raw: Rows of the source; rows after the night are dropped.
        when: The night.
        calendar: Calendar of the exchange; None for Monday to Friday.

    Raises:
        OperationError: The champion was logged without statistics of its training rows.
        DataError: The rows lack what the champion reads.
    """
    served = read_served(champion.weights, champion.notes)
    if served.background is None:
        raise OperationError(
            f"version {champion.version} of {model} was logged without statistics of its training "
            "rows, which the checks need: run foldproof retrain nightly (your "
            "configuration in place of nightly)"
        )
    frame = inputs_of(raw, served.data, served.features)
    frame = frame[frame["date"] <= pd.Timestamp(when)]
    rows = served.inputs(frame)
    universe = universe_of(frame, rows)
    return Night(model, champion, served, served.background, rows, universe, when, calendar)


def universe_of(frame: pd.DataFrame, rows: ModelInputs) -> np.ndarray:
    """(S,) bool: symbols with a row on one of the newest dates, the last of them as a member."""
    since = rows.dates[-RECENT_DATES:][0]
    recent = frame[frame["date"] >= pd.Timestamp(since)].drop_duplicates("symbol", keep="last")
    if "member" in recent:
        recent = recent[recent["member"].astype(bool)]
    return np.isin(rows.symbols, recent["symbol"].to_numpy(str))


def scores_of(night: Night) -> pd.DataFrame:
    """date, symbol, score, version: one row per symbol of the universe, NaN without a score."""
    table = night.served.table(night.rows)[night.universe].reset_index(drop=True)
    typed = table.astype({"date": "datetime64[us]", "symbol": str, "score": float})
    return typed.assign(version=night.champion.version)
