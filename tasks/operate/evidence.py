"""What the gate is shown: each challenger's and the champion's daily rank IC out of sample."""

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from foldproof.tasks.compare import daily
from foldproof.tasks.compare.aligned import NothingCommon
from foldproof.tasks.data import Panel
from foldproof.tasks.diagnose.findings.finding import Verdict
from foldproof.tasks.operate.decision import Challenger, Incumbent
from foldproof.tasks.split import Fold
from foldproof.tasks.train.serving.model import Served
from foldproof.tasks.train.train import with_target

CHAMPION = "champion"
"""Stands for the incumbent network where its own variant is a challenger too."""


@dataclass(frozen=True)
class Champion:
    """The registered model that has the alias.

    Attributes:
        version: In the model registry.
        variant: Key of its variant.
        tested_from: The first date that it forecasts out of sample.
        unit: Key of the unit that it is.
        weights: Its file of weights.
        notes: Its file of notes.
    """

    version: str
    variant: str
    tested_from: date
    unit: str
    weights: Path
    notes: Path


def business_days(newest: date, night: date) -> int:
    """Business days after the newest row, the night's own included: Friday to Sunday is none."""
    day = timedelta(days=1)
    return max(0, int(np.busday_count(newest + day, night + day)))


def stretch_of(folds: tuple[Fold, ...]) -> range:
    """Rows from the first test block of the plan to the last."""
    return range(folds[0].test.start, folds[-1].test.stop)


def incumbent_of(champion: Champion, forecasts: pd.DataFrame, folds: tuple[Fold, ...]) -> Incumbent:
    """The champion with its ``forecasts``, beside the newest fold, whose network would replace it.

    Versions with the same plan are as far apart as the nights on which they were trained.
    """
    dates, newest = folds[-1].calendar, folds[-1].test_dates[0]
    since = np.datetime64(champion.tested_from, "D")
    behind = int(((dates >= since) & (dates < newest)).sum())
    return Incumbent(champion.version, champion.variant, behind, mean_of(rank_ic(forecasts)))


def champion_forecasts(
    served: Served, raw: pd.DataFrame, panel: Panel, champion: Champion, rows: range
) -> pd.DataFrame:
    """What the champion's own network forecasts in ``rows``, out of its sample only.

    It is scored from raw rows, as it is in operation, not trained again on what it never saw.

    Args:
        served: The champion.
        raw: Rows of the source up to the night.
        panel: Gives the targets and the universe.
        champion: Says from when on its forecasts are out of sample.
        rows: Rows of the panel.

    Returns:
        date, symbol, variant (``champion``), forecast, target; empty where none is out of sample.
    """
    laid, since = served.inputs(raw), np.datetime64(champion.tested_from, "D")
    first = np.searchsorted(laid.dates, max(panel.dates[rows.start], since))
    last = np.searchsorted(laid.dates, panel.dates[rows.stop - 1], side="right")
    dates = laid.dates[first:last]
    scores = served.block(laid, range(int(first), int(last)))  # (D', S)
    table = pd.DataFrame(
        {
            "date": np.repeat(dates, len(laid.symbols)),
            "symbol": np.tile(laid.symbols, len(dates)),
            "variant": CHAMPION,
            "forecast": scores.ravel(),
        }
    ).dropna(subset="forecast")
    inside = table["symbol"].isin(panel.symbols) & table["date"].isin(panel.dates)
    return with_target(table[inside], panel)


def challenger_of(
    variant: str,
    verdict: Verdict,
    forecasts: pd.DataFrame,
    champion: pd.DataFrame | None,
    panel: Panel,
    folds: tuple[Fold, ...],
) -> Challenger:
    """A newly trained model's evidence.

    Args:
        variant: Key of the variant.
        verdict: Of its leak audit.
        forecasts: Its own, out of sample: date, symbol, forecast, target.
        champion: Those of the champion; None where there is none.
        panel: Gives the universe.
        folds: Whose test blocks are the stretch.
    """
    own = rank_ic(forecasts.assign(variant=variant))
    rows = [row for fold in folds for row in fold.test]
    coverage = len(forecasts) / max(1, int(panel.member[rows].sum()))
    difference = None if champion is None else difference_of(forecasts, champion)
    return Challenger(variant, verdict, coverage, mean_of(own), len(own), difference)


def difference_of(forecasts: pd.DataFrame, champion: pd.DataFrame) -> np.ndarray:
    """(D,) daily rank IC less the champion's, on the dates and symbols that both forecast."""
    columns = ["date", "symbol", "variant", "forecast", "target"]
    both = pd.concat([forecasts.assign(variant="")[columns], champion[columns]])
    ic = rank_ic(both)
    return (ic[""] - ic[CHAMPION]).to_numpy() if {"", CHAMPION} <= set(ic) else np.zeros(0)


def rank_ic(forecasts: pd.DataFrame) -> pd.DataFrame:
    """Daily rank IC, dates x variants; without rows where nothing can be ranked.

    That is no error here: labels of a new model may not have arrived yet.
    """
    try:
        return pd.DataFrame() if forecasts.empty else daily(forecasts)
    except NothingCommon:
        return pd.DataFrame()


def mean_of(ic: pd.DataFrame) -> float:
    """Mean over dates of one variant's rank IC; NaN without dates."""
    return float(ic.to_numpy().mean()) if len(ic) else float("nan")
