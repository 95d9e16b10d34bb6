"""Evidence for the gate: daily out-of-sample rank IC of each challenger and of the champion."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from foldproof.tasks.compare.aligned import NothingCommon
from foldproof.tasks.compare.comparison import daily
from foldproof.tasks.data import Panel
from foldproof.tasks.diagnose.findings.finding import Verdict
from foldproof.tasks.operate.retraining.decision import Challenger, Incumbent
from foldproof.tasks.split import Fold
from foldproof.tasks.train.serving.model import Served
from foldproof.tasks.train.train import with_target

CHAMPION = "champion"
"""Names the champion's network in a table where its variant may be a challenger too."""


@dataclass(frozen=True)
class Champion:
    """The registered model with the alias champion.

    Attributes:
        version: Version in the model registry.
        variant: Key of its variant.
        tested_from: The first date that it forecasts out of sample.
        unit: Key of the trained unit.
        weights: Its file of weights.
        notes: Its file of notes.
    """

    version: str
    variant: str
    tested_from: date
    unit: str
    weights: Path
    notes: Path


def incumbent_of(champion: Champion, forecasts: pd.DataFrame, folds: Sequence[Fold]) -> Incumbent:
    """The champion in the form that the gate needs.

    Args:
        champion: The registered model.
        forecasts: Its own forecasts of the test blocks.
        folds: The newest plan; the network of its newest fold would replace the champion.
    """
    dates, newest = folds[-1].calendar, folds[-1].test_dates[0]
    since = np.datetime64(champion.tested_from, "D")
    behind = int(((dates >= since) & (dates < newest)).sum())
    return Incumbent(champion.version, champion.variant, behind, mean_of(rank_ic(forecasts)))


def champion_forecasts(
    served: Served, raw: pd.DataFrame, panel: Panel, champion: Champion, folds: Sequence[Fold]
) -> pd.DataFrame:
    """Out-of-sample forecasts of the champion's own network, from the first test block to the last.

    The network scores raw rows as it does in operation; it is not trained again.

    Args:
        served: The champion's forecaster.
        raw: Rows of the source up to the night.
        panel: Gives the targets and the universe.
        champion: Gives the first date of its out-of-sample forecasts.
        folds: The newest plan.

    Returns:
        date, symbol, variant (``champion``), forecast, target; empty where no date is out of
        sample.
    """
    start, end = panel.dates[[folds[0].test.start, folds[-1].test.stop - 1]]
    inputs, since = served.inputs(raw), np.datetime64(champion.tested_from, "D")
    first = int(np.searchsorted(inputs.dates, max(start, since)))
    last = int(np.searchsorted(inputs.dates, end, side="right"))
    dates = inputs.dates[first:last]
    scores = served.block(inputs, range(first, last))  # (D', S)
    table = pd.DataFrame(
        {
            "date": np.repeat(dates, len(inputs.symbols)),
            "symbol": np.tile(inputs.symbols, len(dates)),
            "variant": CHAMPION,
            "forecast": scores.ravel(),
        }
    ).dropna(subset="forecast")
    inside = table["symbol"].isin(panel.symbols) & table["date"].isin(panel.dates)
    return known_labels(with_target(table[inside], panel), panel)


def known_labels(forecasts: pd.DataFrame, panel: Panel) -> pd.DataFrame:
    """The forecasts without the targets that become known after the panel's newest row.

    A ready-made target column may already hold them.
    """
    rows = np.searchsorted(panel.dates, forecasts["date"].to_numpy().astype("datetime64[D]"))
    unknown = np.isnat(panel.label_end[rows])
    return forecasts.assign(target=forecasts["target"].mask(unknown))


def challenger_of(
    variant: str,
    verdict: Verdict,
    forecasts: pd.DataFrame,
    champion: pd.DataFrame | None,
    panel: Panel,
    folds: Sequence[Fold],
) -> Challenger:
    """The evidence on a newly trained variant.

    Args:
        variant: Key of the variant.
        verdict: Verdict of its leak audit.
        forecasts: Its forecasts of the test blocks: date, symbol, forecast, target; with several
            seeds those of the ensemble are compared.
        champion: The champion's forecasts; None without a champion.
        panel: Gives the universe.
        folds: The newest plan.
    """
    forecasts = known_labels(ensemble_of(forecasts), panel)
    own = rank_ic(forecasts.assign(variant=variant))
    rows = [row for fold in folds for row in fold.test]
    coverage = len(forecasts) / max(1, int(panel.member[rows].sum()))
    difference = None if champion is None else difference_of(forecasts, champion, panel)
    return Challenger(variant, verdict, coverage, mean_of(own), len(own), difference)


def ensemble_of(forecasts: pd.DataFrame) -> pd.DataFrame:
    """The mean forecast over seeds; unchanged with one seed."""
    if "seed" not in forecasts or forecasts["seed"].nunique() < 2:
        return forecasts
    cells = forecasts.groupby(["date", "symbol"], as_index=False, sort=False)
    return cells.agg({"forecast": "mean", "target": "first"})


def difference_of(forecasts: pd.DataFrame, champion: pd.DataFrame, panel: Panel) -> pd.DataFrame:
    """date, known, difference: daily rank IC less the champion's, where both forecast.

    ``known`` is the date on which the labels of ``date`` become known.
    """
    columns = ["date", "symbol", "variant", "forecast", "target"]
    both = pd.concat([forecasts.assign(variant="")[columns], champion[columns]])
    ic = rank_ic(both)
    if not {"", CHAMPION} <= set(ic):
        ic = pd.DataFrame({"": [], CHAMPION: []}, index=panel.dates[:0])
    dates = ic.index.to_numpy().astype("datetime64[s]")
    known = panel.label_end[np.searchsorted(panel.dates, dates)].astype("datetime64[s]")
    gains = (ic[""] - ic[CHAMPION]).to_numpy(dtype=float)
    return pd.DataFrame({"date": dates, "known": known, "difference": gains})


def rank_ic(forecasts: pd.DataFrame) -> pd.DataFrame:
    """Daily rank IC, dates x variants; empty where nothing can be ranked.

    This is not an error: the labels of a new model may not be known yet.
    """
    try:
        return pd.DataFrame() if forecasts.empty else daily(forecasts)
    except NothingCommon:
        return pd.DataFrame()


def mean_of(ic: pd.DataFrame) -> float:
    """Mean over dates of one variant's rank IC; NaN without dates."""
    return float(ic.to_numpy().mean()) if len(ic) else float("nan")
