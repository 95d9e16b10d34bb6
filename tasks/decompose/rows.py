"""The rows that are decomposed: all that was compared, each feature alone, and the ensemble."""

from collections.abc import Sequence

import numpy as np

from foldproof.tasks.compare.aligned import Aligned
from foldproof.tasks.data.panel import Panel
from foldproof.tasks.decompose.ranked import Ranked, centred_ranks
from foldproof.tasks.split.fold import Fold
from foldproof.tasks.train import PREFIX
from foldproof.tasks.train.single_features import FEATURE, daily_feature_ics, training_signs

ENSEMBLE = f"{PREFIX}ensemble"
"""Name of the row that averages the candidates."""


def places(aligned: Aligned, panel: Panel) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the panel that hold the compared dates and symbols."""
    rows = np.searchsorted(panel.dates, aligned.dates.astype("datetime64[D]"))
    order = np.argsort(panel.symbols)
    return rows, order[np.searchsorted(panel.symbols[order], aligned.symbols.astype(str))]


def ensemble(forecasts: np.ndarray) -> np.ndarray:
    """(D, S) mean over forecasts (V, D, S) of their ranks within each date, in (-1/2, 1/2).

    Ranks are averaged because the variants' forecasts have different scales.
    """
    cells = np.isfinite(forecasts[0])
    mean = np.mean([centred_ranks(one) for one in forecasts], axis=0)
    return np.where(cells, mean / np.maximum(cells.sum(axis=1, keepdims=True), 1), np.nan)


def single_features(aligned: Aligned, panel: Panel, folds: Sequence[Fold]) -> np.ndarray:
    """(F, D, S) ranks of the features on the forecast's date, signed by each fold's training block.

    A missing value becomes the middle of its date.
    """
    rows, columns = places(aligned, panel)
    daily = daily_feature_ics(panel)
    signs = {fold.number: training_signs(daily, fold.train) for fold in folds}
    by_date = np.stack([signs[int(number)] for number in aligned.folds])
    values = panel.values[np.ix_(rows, columns)]
    cells = np.isfinite(aligned.forecasts[0])
    alone = np.empty((values.shape[2], *cells.shape))
    for place in range(len(alone)):
        ranks = centred_ranks(np.where(cells, values[..., place], np.nan))
        alone[place] = np.where(cells, ranks * by_date[:, [place]], np.nan)
    return alone


def decomposed_rows(
    aligned: Aligned, panel: Panel, folds: Sequence[Fold], candidates: Sequence[str]
) -> Ranked:
    """Everything compared, then the ensemble of ``candidates``, then each feature alone.

    A feature is written ``ref:feature:<name>``. One that was compared as a reference is not
    repeated. Two candidates make an ensemble.
    """
    names, parts = list(aligned.variants), [aligned.forecasts]
    if len(candidates) > 1:
        chosen = [names.index(name) for name in candidates]
        parts.append(ensemble(aligned.forecasts[chosen])[None])
        names.append(ENSEMBLE)
    alone = [f"{PREFIX}{FEATURE}{name}" for name in panel.features]
    new = [place for place, name in enumerate(alone) if name not in names]
    parts.append(single_features(aligned, panel, folds)[new])
    names += [alone[place] for place in new]
    return Ranked(tuple(names), np.concatenate(parts))
