"""The rows that are decomposed: all that was compared, each feature alone, and the ensemble."""

from collections.abc import Iterator, Sequence

import numpy as np

from foldproof.models.date_rows import at
from foldproof.tasks.compare.aligned import Aligned
from foldproof.tasks.data.panel import Panel
from foldproof.tasks.decompose.ranked import Ranked
from foldproof.tasks.split.fold import Fold
from foldproof.tasks.statistics.rank_ic import centred_ranks
from foldproof.tasks.train import PREFIX
from foldproof.tasks.train.single_features import FEATURE, daily_feature_ics, training_signs

ENSEMBLE = f"{PREFIX}ensemble"
"""Name of the row that averages the candidates."""
MOST_FEATURES = 30
"""Single features at most; of more, those with the highest rank IC in the training blocks."""


def places(aligned: Aligned, panel: Panel) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the panel that hold the compared dates and symbols."""
    rows = np.searchsorted(panel.dates, aligned.dates.astype("datetime64[D]"))
    order = np.argsort(panel.symbols)
    return rows, order[np.searchsorted(panel.symbols[order], aligned.symbols.astype(str))]


def ensemble(forecasts: Sequence[np.ndarray]) -> np.ndarray:
    """(D, S) mean over forecasts (D, S) of their ranks within each date.

    Ranks are averaged because the variants' forecasts have different scales.
    """
    mean = np.mean([centred_ranks(one) for one in forecasts], axis=0)
    return np.where(np.isfinite(forecasts[0]), mean, np.nan)


def strongest(daily: np.ndarray, folds: Sequence[Fold]) -> np.ndarray:
    """Places of the features with the highest rank IC in training, at most MOST_FEATURES.

    Either sign counts. Only the training block of the first fold decides: those of later folds
    contain the test blocks of earlier ones.
    """
    first = min(folds, key=lambda fold: fold.test[0])
    strength = np.abs(np.nan_to_num(daily[at(first.train)]).mean(axis=0))
    return np.sort(np.argsort(-strength, kind="stable")[:MOST_FEATURES])


def single_features(
    aligned: Aligned, panel: Panel, folds: Sequence[Fold]
) -> Iterator[tuple[str, np.ndarray]]:
    """Each feature alone: its name and its ranks (D, S), signed by each fold's training block.

    A missing value becomes the middle of its date. Many features are cut to the strongest.
    """
    rows, columns = places(aligned, panel)
    daily = daily_feature_ics(panel)
    signs = {fold.number: training_signs(daily, fold.train) for fold in folds}
    by_date = np.stack([signs[int(number)] for number in aligned.folds])
    cells = np.isfinite(aligned.forecasts[0])
    for place in strongest(daily, folds):
        values = panel.values[rows[:, None], columns, place]
        ranks = centred_ranks(np.where(cells, values, np.nan))
        signed = np.where(cells, ranks * by_date[:, [place]], np.nan)
        yield f"{PREFIX}{FEATURE}{panel.features[place]}", signed


def variant_rows(aligned: Aligned, candidates: Sequence[str]) -> dict[str, np.ndarray]:
    """Everything compared, then the ensemble of ``candidates``; two make an ensemble."""
    forecasts = dict(zip(aligned.variants, aligned.forecasts, strict=True))
    if len(candidates) > 1:
        forecasts[ENSEMBLE] = ensemble([forecasts[name] for name in candidates])
    return forecasts


def decomposed_rows(
    aligned: Aligned, panel: Panel, folds: Sequence[Fold], candidates: Sequence[str]
) -> Ranked:
    """Everything compared, then the ensemble of ``candidates``, then each feature alone.

    A feature is written ``ref:feature:<name>``. Two candidates make an ensemble.
    """
    forecasts = variant_rows(aligned, candidates)
    return Ranked.of(forecasts | dict(single_features(aligned, panel, folds)))
