"""Which variant forecasts best, and how certain that is."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from foldproof.models.normalizers import VARIANTS
from foldproof.tasks.compare.aligned import Aligned, align, aligned_of
from foldproof.tasks.compare.confidence_set import confidence_set
from foldproof.tasks.compare.cube import Cube, Tables, cube_of
from foldproof.tasks.compare.intervals import simultaneous_intervals
from foldproof.tasks.compare.metrics import Scores, figures, scores_of
from foldproof.tasks.compare.spec import StatisticsSpec
from foldproof.tasks.compare.verdicts import verdicts
from foldproof.tasks.statistics.mean_test import hac_t
from foldproof.tasks.statistics.rank_ic import rank_correlation
from foldproof.tasks.train import PREFIX

CONTROLS = tuple(name for name, variant in VARIANTS.items() if variant.control)
"""Variants that leak on purpose: ranked, but not candidates for the best."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """All forecasts compared on the same dates and symbols, averaged over seeds.

    Attributes:
        ranking: One row per variant or reference forecaster, highest rank IC first. Columns:
            rank_ic with its interval low, high (jointly at the level over all rows) and hac_t;
            every other metric of ``METRICS``; difference in rank IC to the reference variant with
            difference_low, difference_high (jointly over all rows); in_confidence_set (cannot be
            ruled out as the best variant; False if not a candidate); against and detectable (see
            :func:`~foldproof.tasks.compare.verdicts.verdicts`; missing unless a candidate other
            than the reference); rank_ic_seed and seed_sd (see :func:`single_seeds`); coverage
            (share of the row's own forecasts compared).
        by_fold: variant, fold, every metric.
        daily: Rank IC, one row per date, one column per variant, in the order of the ranking.
    """

    ranking: pd.DataFrame
    by_fold: pd.DataFrame
    daily: pd.DataFrame


def compare(
    forecasts: pd.DataFrame | Tables,
    horizon: int,
    spec: StatisticsSpec = StatisticsSpec(),  # noqa: B008  # frozen
    outside: Collection[str] = CONTROLS,
) -> Comparison:
    """Compare variants on the dates and symbols that all of them forecast.

    The unit of inference is a date: its rank IC per variant, after averaging over seeds. The
    intervals of the means hold jointly over all rows at the level of ``spec``, and so do the
    intervals of the differences. Both families include reference forecasters (``ref:...``), because
    a reader compares all rows. The confidence set asks which normalization is best: its candidates
    exclude reference forecasters and the variants in ``outside``.

    Args:
        forecasts: Out of sample: date, symbol, fold, variant, seed, forecast, target; an optional
            column plan must hold one value. One table, or a function that returns its parts each
            time it is called, so that they need not be in memory together.
        horizon: Rows that a label spans, at least 1.
        spec: Reference variant, level, draws and seed; the same seed gives the same figures.
        outside: Variants that leak and so are no candidates; by default the leaky controls.

    Raises:
        ValueError: The forecasts cannot be compared (see
            :func:`~foldproof.tasks.compare.aligned.align`), span too few dates or lack the
            reference.
    """
    cube = cube_of(forecasts)
    aligned = aligned_of(cube)
    own = [name for name in aligned.variants if not name.startswith(PREFIX)]
    base = spec.base(own or aligned.variants)
    if base not in aligned.variants:
        raise ValueError(
            f"reference {base!r} is not among the forecasts' variants: "
            f"{', '.join(map(str, aligned.variants))}"
        )
    scored = scores_of(aligned)
    ic = daily_of(aligned, scored)
    ranking = pd.DataFrame({name: figures(one) for name, one in scored.items()}).T
    ranking = ranking.join(inference(ic, horizon, base, spec))
    candidates = [name for name in scored if not name.startswith(PREFIX) and name not in outside]
    ranking["in_confidence_set"] = False
    if candidates:
        ranking.loc[candidates, "in_confidence_set"] = confidence_set(
            ic[candidates].to_numpy(), horizon, level=spec.level, draws=spec.draws, seed=spec.seed
        )
    rivals = [name for name in candidates if name != base]
    if rivals:
        gains = ic[rivals].sub(ic[base], axis=0)
        judged = verdicts(gains, horizon, margin=spec.margin, level=spec.level)
        ranking = ranking.join(judged[["against", "detectable"]])
    ranking = ranking.join(single_seeds(cube, aligned))
    ranking["coverage"] = aligned.coverage
    ranking = ranking.rename_axis("variant").sort_values("rank_ic", ascending=False, kind="stable")
    return Comparison(ranking, by_fold_of(aligned, scored), ic[ranking.index])


def single_seeds(cube: Cube, aligned: Aligned) -> pd.DataFrame:
    """The rank IC that one network has, and how much it depends on its seed.

    A row of the ranking averages forecasts over seeds, so its rank IC is that of an ensemble, which
    is usually higher than that of the single network that is registered.

    Args:
        cube: The forecasts of every seed.
        aligned: The same forecasts aligned; its cells are used for every seed.

    Returns:
        By variant: rank_ic_seed, the mean over seeds of the mean daily rank IC, and seed_sd, its
        standard deviation over seeds (NaN for one seed). Both columns are missing where no variant
        has several seeds.
    """
    if max(map(len, cube.seeds.values())) < 2:
        return pd.DataFrame(index=[*aligned.variants])
    keep = np.ix_(cube.dates.isin(aligned.dates), cube.symbols.isin(aligned.symbols))
    found = {
        str(name): [
            float(rank_correlation(cube.cells[own[seed]][keep], aligned.target).mean())
            for seed in sorted(own)
        ]
        for name, own in cube.seeds.items()
    }
    return pd.DataFrame(
        {
            "rank_ic_seed": {name: np.mean(ics) for name, ics in found.items()},
            "seed_sd": {
                name: np.std(ics, ddof=1) if len(ics) > 1 else np.nan for name, ics in found.items()
            },
        }
    )


def daily(forecasts: pd.DataFrame | Tables) -> pd.DataFrame:
    """Rank IC of every variant (columns) on every date (rows) that all variants forecast."""
    aligned = align(forecasts)
    return daily_of(aligned, scores_of(aligned))


def daily_of(aligned: Aligned, scored: Mapping[str, Scores]) -> pd.DataFrame:
    """Rank IC, dates x variants."""
    table = pd.DataFrame({name: one.rank_ic for name, one in scored.items()})
    return table.set_index(pd.Index(aligned.dates, name="date")).rename_axis("variant", axis=1)


def by_fold_of(aligned: Aligned, scored: Mapping[str, Scores]) -> pd.DataFrame:
    """Every metric of every variant and fold: variant, fold, metrics."""
    rows = [
        {"variant": name, "fold": fold, **figures(one.on(aligned.folds == fold))}
        for name, one in scored.items()
        for fold in np.unique(aligned.folds)
    ]
    return pd.DataFrame(rows)


def inference(ic: pd.DataFrame, horizon: int, base: str, spec: StatisticsSpec) -> pd.DataFrame:
    """Interval and HAC t of the mean rank IC, interval of the difference to ``base``."""
    mean = ic.to_numpy()
    difference = mean - ic[[base]].to_numpy()
    columns = np.arange(2 * len(ic.columns)).reshape(2, -1)
    low, high = simultaneous_intervals(
        np.hstack([mean, difference]), tuple(columns), horizon,
        level=spec.level, draws=spec.draws, seed=spec.seed,
    )  # fmt: skip
    of_mean, of_difference = columns
    return pd.DataFrame(
        {
            "low": low[of_mean],
            "high": high[of_mean],
            "hac_t": hac_t(mean, horizon),
            "difference": difference.mean(axis=0),
            "difference_low": low[of_difference],
            "difference_high": high[of_difference],
        },
        index=ic.columns,
    )
