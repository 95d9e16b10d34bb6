"""Which variant forecasts best, and how certain that is."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import compress

import numpy as np
import pandas as pd

from foldproof.models.normalizers import CONTROLS as LEAKY
from foldproof.models.normalizers import VARIANTS
from foldproof.tasks.compare.aligned import Aligned, aligned_of
from foldproof.tasks.compare.bases import bases_of
from foldproof.tasks.compare.confidence_set import confidence_set
from foldproof.tasks.compare.cube import Cube, Tables, cube_of
from foldproof.tasks.compare.intervals import simultaneous_intervals
from foldproof.tasks.compare.metrics import METRICS, Scores, figures, scores_of
from foldproof.tasks.compare.seeds import (
    count_of_seeds,
    networks,
    rank_ic_of_ensembles,
    rank_ic_of_networks,
    side_by_side,
)
from foldproof.tasks.compare.spec import StatisticsSpec
from foldproof.tasks.compare.superior import superior
from foldproof.tasks.compare.verdicts import verdicts
from foldproof.tasks.statistics.mean_test import hac_t
from foldproof.tasks.train import PREFIX

CONTROLS = tuple(name for name, one in {**VARIANTS, **LEAKY}.items() if one.control)
"""Variants that leak on purpose: ranked, but not candidates for the best."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """All forecasts compared on the same dates and symbols.

    With several seeds a row is the ensemble, the mean forecast over seeds; or one network, whose
    figures are means over seeds (``StatisticsSpec.ensemble``).

    Attributes:
        ranking: One row per variant or reference forecaster, highest rank IC first. Columns:
            rank_ic with its interval low, high (jointly at the level over all rows) and hac_t;
            every other metric of ``METRICS``; difference in rank IC to the reference variant (see
            :func:`~foldproof.tasks.compare.bases.bases_of`) with difference_low, difference_high
            (jointly over all rows); in_confidence_set (cannot be
            ruled out as the best variant; False if not a candidate); against and detectable (see
            :func:`~foldproof.tasks.compare.verdicts.verdicts`; missing unless a candidate other
            than the reference); rank_ic_seed and seed_sd (see :func:`over_seeds`); coverage
            (share of the row's own forecasts compared).
        by_fold: variant, fold, every metric.
        daily: Rank IC, one row per date, one column per variant, in the order of the ranking.
        superior: By benchmark (the reference variant, the best reference forecaster): p of no
            candidate with a gain over it, and better, the names of those that have one (see
            :func:`~foldproof.tasks.compare.superior.superior`). It decides nothing.
        paths: Of a combinatorial plan, by variant, path and seed: rank_ic, its mean over dates, and
            difference to the reference variant. Empty without paths.
    """

    ranking: pd.DataFrame
    by_fold: pd.DataFrame
    daily: pd.DataFrame
    superior: pd.DataFrame
    paths: pd.DataFrame = field(default_factory=pd.DataFrame)


def compare(
    forecasts: pd.DataFrame | Tables,
    horizon: int,
    spec: StatisticsSpec = StatisticsSpec(),  # noqa: B008  # frozen
    outside: Collection[str] = CONTROLS,
) -> Comparison:
    """Compare variants on the dates and symbols that all of them forecast.

    Inference is over dates: the daily rank IC of each variant. With several seeds it is over seeds
    as well, so intervals, confidence set and verdicts hold for other draws of the weights too. The
    intervals of the means hold jointly over all rows at the level of ``spec``, and so do the
    intervals of the differences. Both families include reference forecasters (``ref:...``), because
    a reader compares all rows. The confidence set asks which normalization is best: its candidates
    exclude reference forecasters and the variants in ``outside``.

    With the paths of a combinatorial plan every figure is a mean over paths. They share dates,
    labels and most of their training rows, so inference takes their mean daily rank IC as one
    series over dates: more paths are no more evidence.

    Args:
        forecasts: Out of sample: date, symbol, fold, variant, seed, forecast, target; path too if
            several paths forecast each date; an optional column plan must hold one value. One
            table, or a function that returns its parts each time it is called, so that they need
            not be in memory together.
        horizon: Rows that a label spans, at least 1.
        spec: Reference variant, level, draws and seed; the same seed gives the same figures.
        outside: Variants that leak and so are not candidates; by default the leaky controls.

    Raises:
        ValueError: The forecasts cannot be compared (see
            :func:`~foldproof.tasks.compare.aligned.align`), span too few dates, lack the reference,
            or have different numbers of seeds.
    """
    cube = cube_of(forecasts)
    aligned = aligned_of(cube)
    base = spec.base(aligned.candidates() or aligned.variants)
    if base not in aligned.variants:
        raise ValueError(
            f"reference {base!r} is not among the forecasts' variants: "
            f"{', '.join(map(str, aligned.variants))}"
        )
    seeds = count_of_seeds(cube)
    if cube.paths > 1 and seeds > 1 and spec.ensemble:
        raise ValueError(
            "with several paths, figures are computed for single networks: set "
            "statistics.ensemble=false, or forecast with one seed"
        )
    over = bases_of(aligned.variants, base)
    networks_alone = max(seeds, cube.paths) > 1
    on_paths = rank_ic_of_networks(cube, aligned) if networks_alone else {}
    single = mean_over_paths(on_paths, cube.paths)
    scored = scores_of(aligned)
    ic, metrics = daily_of(aligned, scored), figures_of(scored)
    by_fold = by_fold_of(aligned, scored)
    if not networks_alone:
        by_seed = ic.to_numpy()[None]
    elif spec.ensemble and cube.paths == 1:
        ensembles = {name: one.rank_ic for name, one in scored.items()}
        by_seed = side_by_side(rank_ic_of_ensembles(cube, aligned, ensembles), aligned.variants)
    else:
        by_seed = side_by_side(single, aligned.variants)
        ic.loc[:] = by_seed.mean(axis=0)
        metrics, by_fold = figures_of_networks(cube, aligned)
    ranking = metrics.join(inference(by_seed, ic, horizon, over, spec))
    column = {name: at for at, name in enumerate(aligned.variants)}
    candidates = aligned.candidates(outside)
    ranking["in_confidence_set"] = False
    if candidates:
        ranking.loc[candidates, "in_confidence_set"] = confidence_set(
            by_seed[:, :, [column[name] for name in candidates]], horizon,
            level=spec.level, draws=spec.draws, seed=spec.seed,
        )  # fmt: skip
    rivals = [name for name in candidates if name != base]
    if rivals:
        gains = {
            name: by_seed[:, :, column[name]] - by_seed[:, :, column[over[name]]] for name in rivals
        }
        judged = verdicts(gains, horizon, margin=spec.margin, level=spec.level)
        ranking = ranking.join(judged[["against", "detectable"]])
    ranking = ranking.join(over_seeds(single if seeds > 1 else {}))
    paths = by_path(on_paths, cube.paths, over)
    if len(paths):
        ranking = ranking.join(over_paths(paths))
    ranking["coverage"] = aligned.coverage
    ranking = ranking.rename_axis("variant").sort_values("rank_ic", ascending=False, kind="stable")
    forecasters = [name for name in ranking.index if name.startswith(PREFIX) and ic[name].any()]
    benchmarks = superior_to(by_seed, column, candidates, [base, *forecasters[:1]], horizon, spec)
    return Comparison(ranking, by_fold, ic[ranking.index], benchmarks, paths)


def superior_to(
    by_seed: np.ndarray,
    column: Mapping[str, int],
    candidates: Sequence[str],
    benchmarks: Sequence[str],
    horizon: int,
    spec: StatisticsSpec,
) -> pd.DataFrame:
    """P and better by benchmark; no row for a benchmark without another candidate.

    Args:
        by_seed: (N, D, V) daily rank ICs.
        column: Column of each variant.
        candidates: Variants that may be better.
        benchmarks: Variants or reference forecasters.
        horizon: Rows that a label spans.
        spec: Level, draws and seed.
    """
    rivals = {one: [name for name in candidates if name != one] for one in benchmarks}
    rivals = {one: names for one, names in rivals.items() if names}
    if not rivals:
        return pd.DataFrame(columns=["p", "better"])
    own, other = np.array([
        (column[name], column[one]) for one, names in rivals.items() for name in names
    ]).T  # fmt: skip
    ends = np.cumsum([len(names) for names in rivals.values()])
    found = superior(
        by_seed[:, :, own] - by_seed[:, :, other],
        tuple(np.split(np.arange(len(own)), ends[:-1])), horizon,
        level=spec.level, draws=spec.draws, seed=spec.seed,
    )  # fmt: skip
    better = [
        ", ".join(compress(names, one.better))
        for names, one in zip(rivals.values(), found, strict=True)
    ]
    return pd.DataFrame({"p": [one.p for one in found], "better": better}, [*rivals])


def over_seeds(single: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """The rank IC that one network has, and how much it depends on its seed.

    The rank IC of an ensemble is usually higher than that of one of its networks.

    Args:
        single: By variant, (N, D) daily rank IC of each seed's network; empty for one seed.

    Returns:
        By variant: rank_ic_seed, the mean over seeds of the mean daily rank IC, and seed_sd, its
        standard deviation over seeds (NaN for one seed). Both columns are missing for one seed.
    """
    if not single:
        return pd.DataFrame()
    means = {name: daily.mean(axis=1) for name, daily in single.items()}
    return pd.DataFrame(
        {
            "rank_ic_seed": {name: one.mean() for name, one in means.items()},
            "seed_sd": {
                name: one.std(ddof=1) if len(one) > 1 else np.nan for name, one in means.items()
            },
        }
    )


def mean_over_paths(daily: Mapping[str, np.ndarray], paths: int) -> dict[str, np.ndarray]:
    """By variant, (N, D) means over P paths of daily values (N * P, D)."""
    if paths == 1:
        return dict(daily)
    return {name: one.reshape(-1, paths, one.shape[1]).mean(axis=1) for name, one in daily.items()}


def by_path(daily: Mapping[str, np.ndarray], paths: int, over: Mapping[str, str]) -> pd.DataFrame:
    """Mean over dates on each path; empty for one path.

    Args:
        daily: By variant, (N * P, D) daily rank ICs, those of a seed in succession.
        paths: P.
        over: By variant, the one that its difference is taken to.

    Returns:
        variant, path, seed (its place among the seeds), rank_ic, difference.
    """
    if paths == 1:
        return pd.DataFrame()
    means = {name: one.mean(axis=1).reshape(-1, paths) for name, one in daily.items()}
    tables = []
    for name, one in means.items():
        seed, path = np.indices(one.shape)
        table = {"variant": name, "path": path.ravel(), "seed": seed.ravel()}
        base = means[over[name]]
        difference = np.broadcast_to(one, base.shape) - base
        table |= {"rank_ic": one.ravel(), "difference": difference[: len(one)].ravel()}
        tables.append(pd.DataFrame(table))
    return pd.concat(tables, ignore_index=True)


def over_paths(paths: pd.DataFrame) -> pd.DataFrame:
    """By variant, path_sd, path_low and path_high of the paths' mean rank ICs, each over seeds.

    The standard deviation is that of a path. That of their mean is not smaller by the root of
    their number, because they are not independent.
    """
    means = paths.groupby(["variant", "path"], sort=False)["rank_ic"].mean().groupby("variant")
    return pd.DataFrame(
        {"path_sd": means.std(ddof=1), "path_low": means.min(), "path_high": means.max()}
    )


def figures_of(scored: Mapping[str, Scores]) -> pd.DataFrame:
    """Every metric (columns) of every variant (rows)."""
    return pd.DataFrame({name: figures(one) for name, one in scored.items()}).T


def figures_of_networks(cube: Cube, aligned: Aligned) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Every metric of one network, as its mean over seeds and paths: by variant, and by fold."""
    overall, by_fold = [], []
    for name, wide in networks(cube, aligned):
        for one in wide:
            alone = replace(aligned, variants=(name,), forecasts=one[None])
            scored = scores_of(alone)
            overall.append(figures_of(scored))
            by_fold.append(by_fold_of(alone, scored))
    mean = pd.concat(overall).groupby(level=0, sort=False)[[*METRICS]].mean()
    parts = pd.concat(by_fold).groupby(["variant", "fold"], sort=False)[[*METRICS]].mean()
    return mean.reindex([*aligned.variants]), parts.reset_index()


def daily(forecasts: pd.DataFrame | Tables) -> pd.DataFrame:
    """Rank IC of every variant (columns) on every date (rows) that all variants forecast.

    It is that of the mean forecast over seeds; with several paths, the mean over single networks.
    """
    cube = cube_of(forecasts)
    aligned = aligned_of(cube)
    found = daily_of(aligned, scores_of(aligned))
    if cube.paths > 1:
        for name, one in rank_ic_of_networks(cube, aligned).items():
            found[name] = one.mean(axis=0)
    return found


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


def inference(
    by_seed: np.ndarray,
    ic: pd.DataFrame,
    horizon: int,
    over: Mapping[str, str],
    spec: StatisticsSpec,
) -> pd.DataFrame:
    """Interval and HAC t of the mean rank IC, interval of the difference to the base.

    Args:
        by_seed: (N, D, V) daily rank ICs; their means over seeds are ``ic``.
        ic: (D, V) with the variants as columns.
        horizon: Rows that a label spans.
        over: By variant, the base that its difference is taken to.
        spec: Level, draws and seed.
    """
    places = ic.columns.get_indexer(pd.Index([over[name] for name in ic.columns]))
    columns = np.arange(2 * len(ic.columns)).reshape(2, -1)
    difference = by_seed - by_seed[:, :, places]
    low, high = simultaneous_intervals(
        np.concatenate([by_seed, difference], axis=2), tuple(columns), horizon,
        level=spec.level, draws=spec.draws, seed=spec.seed,
    )  # fmt: skip
    of_mean, of_difference = columns
    mean = ic.to_numpy()
    return pd.DataFrame(
        {
            "low": low[of_mean],
            "high": high[of_mean],
            "hac_t": hac_t(mean, horizon),
            "difference": (mean - mean[:, places]).mean(axis=0),
            "difference_low": low[of_difference],
            "difference_high": high[of_difference],
        },
        index=ic.columns,
    )
