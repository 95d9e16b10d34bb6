"""What the forecasts are made of: styles, single features, regimes, horizons and delays."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from foldproof.tasks.compare.aligned import Aligned
from foldproof.tasks.compare.intervals import simultaneous_intervals
from foldproof.tasks.compare.seeds import pseudo_values
from foldproof.tasks.compare.spec import StatisticsSpec
from foldproof.tasks.data.panel import Panel
from foldproof.tasks.decompose.decay import by_horizon
from foldproof.tasks.decompose.neutral import industry_dummies, neutral_rank_ics, style_ranks
from foldproof.tasks.decompose.prices import Closes
from foldproof.tasks.decompose.ranked import Ranked
from foldproof.tasks.decompose.regimes import by_regime
from foldproof.tasks.decompose.rows import decomposed_rows, places, variant_rows
from foldproof.tasks.decompose.spec import DecompositionSpec
from foldproof.tasks.split.fold import Fold
from foldproof.tasks.statistics.mean_test import dates_needed


@dataclass(frozen=True, eq=False)
class Decomposition:
    """What the forecasts are made of. Rows are those of the ranking, the ensemble and each feature.

    All columns are known on the forecast's date. Dates and stocks are those of the ranking. With
    several seeds a forecast is the mean over seeds, and the intervals of ``table`` allow for other
    seeds too; those of regimes, horizons and delays are over dates only.

    Attributes:
        table: By row: rank_ic with low and high, and neutral (rank IC of the part that styles and
            industries do not explain) with neutral_low and neutral_high; both intervals hold
            jointly over all rows. Then ``exposure:<style>``, the mean over dates of the rank
            correlation of forecast and style. The neutral columns are missing if there is nothing
            to be neutral to.
        neutral: Daily neutral rank IC, dates x rows; empty without styles.
        regimes: row, kind, regime, dates, rank_ic, low, high; each interval by itself.
        decay: row, horizon, delay, dates, rank_ic, low, high; each interval by itself. Empty
            without prices.
        styles: The style columns.
        industries: Number of industries that the neutral rank IC is neutral to.
        dropped: Dates that could not be neutralized: too few stocks for the columns.
    """

    table: pd.DataFrame
    neutral: pd.DataFrame
    regimes: pd.DataFrame
    decay: pd.DataFrame
    styles: tuple[str, ...]
    industries: int
    dropped: int


def decompose(
    aligned: Aligned,
    panel: Panel,
    folds: Sequence[Fold],
    candidates: Sequence[str],
    horizon: int,
    *,
    delisting_return: float | None = None,
    closes: Closes | None = None,
    industries: np.ndarray | None = None,
    without: Iterable[Aligned] = (),
    statistics: StatisticsSpec = StatisticsSpec(),  # noqa: B008  # frozen
    spec: DecompositionSpec = DecompositionSpec(),  # noqa: B008  # frozen
) -> Decomposition:
    """Decompose the rank IC of every row.

    The neutral rank IC regresses, on each date, the ranks of the forecast on the ranks of the
    styles and on industry indicators, and correlates the rank of the residual with the target.

    Args:
        aligned: Forecasts on common cells.
        panel: The panel that they were made from.
        folds: The plan.
        candidates: Variants that the ensemble averages.
        horizon: Rows that a label spans.
        delisting_return: Return of a stock that ends before its label; None for no label.
        closes: Prices of the panel's dates; None leaves out horizons, delays and volatility.
        industries: (D, S) int, the panel's industries by number, -1 where unknown; None without.
        without: ``aligned`` without each of several seeds (see
            :func:`~foldproof.tasks.compare.seeds.without_each_seed`); empty for one.
        statistics: Level, draws and seed.
        spec: Styles, horizons and delays.

    Raises:
        ValueError: A style is not a feature of the panel, or too few dates were scored.
    """
    styles = spec.chosen(panel.features)
    rows, columns = places(aligned, panel)
    ranked = decomposed_rows(aligned, panel, folds, candidates)
    daily = table_of(aligned, ranked, ranked.rank_ics(aligned.target))
    given, dummies = neutral_columns(aligned, panel, styles, industries)
    given_columns = np.concatenate([given, dummies], axis=-1)
    neutral = neutral_of(aligned, ranked, given_columns, horizon)
    plain_by_seed, neutral_by_seed = [], []
    for other in without:
        rows_left = Ranked.of(variant_rows(other, candidates))
        ics = table_of(aligned, rows_left, rows_left.rank_ics(aligned.target))
        plain_by_seed.append(daily.assign(**ics))
        if len(neutral):
            left = neutral_of(aligned, rows_left, given_columns, horizon)
            neutral_by_seed.append(neutral.assign(**left))
    exposures = {
        f"exposure:{name}": ranked.correlations(given[..., k]).mean(axis=0)
        for k, name in enumerate(styles)
    }
    seeds = plain_by_seed, neutral_by_seed
    table = with_intervals(daily, neutral, seeds, horizon, statistics).assign(**exposures)
    level, volatility, decay = statistics.level, None, pd.DataFrame()
    if closes is not None:
        volatility = closes.volatility[rows]
        pairs = [(one, 0) for one in spec.horizons] + [(horizon, one) for one in spec.delays]
        distinct = list(dict.fromkeys(pairs))
        if distinct:
            decay = by_horizon(ranked, closes, rows, columns, distinct, level, delisting_return)
    return Decomposition(
        table=table,
        neutral=neutral,
        regimes=by_regime(daily, volatility, horizon, level),
        decay=decay,
        styles=styles,
        industries=dummies.shape[2],
        dropped=len(daily) - len(neutral) if styles or dummies.shape[2] else 0,
    )


def neutral_columns(
    aligned: Aligned, panel: Panel, styles: Sequence[str], industries: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """What a forecast is neutral to: (D, S, K) ranks of styles, (D, S, G) industry indicators.

    Args:
        aligned: Forecasts on common cells.
        panel: The panel that they were made from.
        styles: K of its features.
        industries: (D, S) int, the panel's industries by number, -1 where unknown; None without.
    """
    rows, columns = places(aligned, panel)
    cells = np.isfinite(aligned.forecasts[0])
    values = panel.values[np.ix_(rows, columns)][..., [panel.features.index(s) for s in styles]]
    dummies = np.zeros((*cells.shape, 0))
    if industries is not None:
        dummies = industry_dummies(industries[np.ix_(rows, columns)], cells)
    return style_ranks(values, cells), dummies


def table_of(aligned: Aligned, ranked: Ranked, daily: np.ndarray) -> pd.DataFrame:
    """Daily values (D, N) as dates x rows."""
    return pd.DataFrame(daily, index=pd.Index(aligned.dates, name="date"), columns=ranked.names)


def neutral_of(aligned: Aligned, ranked: Ranked, columns: np.ndarray, horizon: int) -> pd.DataFrame:
    """Daily neutral rank IC; empty without columns, or if too few dates can be neutralized."""
    if not columns.shape[2]:
        return pd.DataFrame()
    daily = table_of(aligned, ranked, neutral_rank_ics(ranked, columns, aligned.target)).dropna()
    return daily if len(daily) >= dates_needed(horizon) else daily.iloc[:0]


def with_intervals(
    daily: pd.DataFrame,
    neutral: pd.DataFrame,
    without: tuple[list[pd.DataFrame], list[pd.DataFrame]],
    horizon: int,
    statistics: StatisticsSpec,
) -> pd.DataFrame:
    """Means and joint intervals of the plain and the neutral rank IC, by row.

    Args:
        daily: Dates x rows.
        neutral: The same of the neutral rank IC; may be empty.
        without: Both without each of several seeds; empty lists for one.
        horizon: Rows that a label spans.
        statistics: Level, draws and seed.
    """
    found = pd.DataFrame(index=pd.Index(daily.columns, name="row"))
    kinds = (("rank_ic", daily, without[0]), ("neutral", neutral, without[1]))
    for prefix, one, others in kinds:
        if len(one):
            values = one.to_numpy()
            if others:
                values = pseudo_values(values, np.stack([other.to_numpy() for other in others]))
            low, high = simultaneous_intervals(
                values, (np.arange(one.shape[1]),), horizon,
                level=statistics.level, draws=statistics.draws, seed=statistics.seed,
            )  # fmt: skip
            found[prefix] = one.mean(axis=0)
            ends = "" if prefix == "rank_ic" else "neutral_"
            found[f"{ends}low"], found[f"{ends}high"] = low, high
    return found
