"""What one night's scoring looks at: the champion, the rows up to the night, the universe."""

from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from foldproof.tasks.operate.evidence import Champion
from foldproof.tasks.train.serving.model import ModelInputs, Served, read_served
from foldproof.tasks.train.serving.rows import inputs_of
from foldproof.tasks.train.serving.training_values import Background

LISTED = 5
"""Newest trading dates within which a symbol of the universe has a row: one that is not delivered
tonight is missed for a week, one that was delisted is not missed for longer."""


class OperationError(ValueError):
    """The registered model cannot be operated as it is; says what to do."""


@dataclass(frozen=True, eq=False)
class Night:
    """The champion and its rows, laid out.

    Attributes:
        model: Its registered name.
        champion: The version.
        served: Its forecaster.
        background: Its training rows.
        laid: All rows up to the night.
        universe: (S,) bool, who should get a score.
        when: The night.
    """

    model: str
    champion: Champion
    served: Served
    background: Background
    laid: ModelInputs
    universe: np.ndarray
    when: date

    @property
    def newest(self) -> date:
        """The newest date that has a row."""
        return date.fromisoformat(str(self.laid.dates[-1].astype("datetime64[D]")))

    def cells(self, dates: int) -> np.ndarray:
        """(N, F) feature values of the members on the newest ``dates`` dates."""
        return self.laid.values[-dates:][self.laid.member[-dates:]]


def required(champion: Champion | None, model: str) -> Champion:
    """The champion where there is one.

    Raises:
        OperationError: There is none; a registry that does not answer is another error.
    """
    if champion is None:
        raise OperationError(
            f"no version of model {model!r} has the alias champion: foldproof retrain makes the "
            "first, or give the alias to a version in the MLflow UI"
        )
    return champion


def night_of(model: str, champion: Champion, rows: pd.DataFrame, when: date) -> Night:
    """Lay out ``rows``, none of them later than the night, for the champion.

    Raises:
        OperationError: The champion was written without what its scores are held against.
        DataError: The rows are not what the champion reads.
    """
    served = read_served(champion.weights, champion.notes)
    if served.background is None:
        raise OperationError(
            f"version {champion.version} of {model} was logged without a reference of its training "
            "rows, so nothing can be held against them: foldproof retrain makes one that has it"
        )
    frame = inputs_of(rows, served.data, served.features)
    frame = frame[frame["date"] <= pd.Timestamp(when)]
    laid = served.inputs(frame)
    universe = universe_of(frame, laid)
    return Night(model, champion, served, served.background, laid, universe, when)


def universe_of(frame: pd.DataFrame, laid: ModelInputs) -> np.ndarray:
    """(S,) bool: symbols with a row on one of the newest dates, the last of which is a member's."""
    since = laid.dates[-LISTED:][0]
    recent = frame[frame["date"] >= pd.Timestamp(since)].drop_duplicates("symbol", keep="last")
    if "member" in recent:
        recent = recent[recent["member"].astype(bool)]
    return np.isin(laid.symbols, recent["symbol"].to_numpy(str))


def scores_of(night: Night) -> pd.DataFrame:
    """date, symbol, score, version: a row for each symbol of the universe; NaN without a score."""
    table = night.served.table(night.laid)[night.universe]
    return pd.DataFrame(
        {
            "date": table["date"].astype("datetime64[us]"),
            "symbol": table["symbol"].astype(str),
            "score": table["score"].astype(float),
            "version": night.champion.version,
        }
    ).reset_index(drop=True)
