"""Several paths of a combinatorial plan in one comparison."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from foldproof.tasks.compare.comparison import compare, daily
from foldproof.tasks.compare.spec import StatisticsSpec

DATES, SYMBOLS, PATHS = 120, 10, 3
SPEC = StatisticsSpec("zscore", draws=100)


def on_paths(table, target: np.ndarray, paths: int = PATHS, seed: int = 0) -> pd.DataFrame:
    """Forecasts with other noise on each path; the reference's are the same on all."""
    rng = np.random.default_rng(seed)
    parts = []
    for path in range(paths):
        noise = rng.standard_normal((2, *target.shape))
        given = dict(zip(("zscore", "none"), 0.3 * target + noise, strict=True))
        rows = table({**given, "ref:zero": np.zeros_like(target)}, target, folds=4)
        parts.append(rows.assign(path=path))
    return pd.concat(parts)


@pytest.fixture
def target() -> np.ndarray:
    return np.random.default_rng(9).standard_normal((DATES, SYMBOLS))


def rank_ics(rows: pd.DataFrame) -> pd.Series:
    """Rank IC by date."""
    by_date = rows.groupby("date")
    return pd.Series({day: spearmanr(one["forecast"], one["target"])[0] for day, one in by_date})


def test_a_figure_is_the_mean_over_paths_and_their_spread_stands_beside_it(table, target) -> None:
    rows = on_paths(table, target)
    found = compare(rows, 1, SPEC)
    by_path = [rank_ics(one) for _, one in rows[rows["variant"] == "none"].groupby("path")]
    means = [one.mean() for one in by_path]
    row = found.ranking.loc["none"]
    assert row["rank_ic"] == pytest.approx(np.mean(means), abs=1e-12)
    assert row["path_sd"] == pytest.approx(np.std(means, ddof=1), abs=1e-12)
    assert (row["path_low"], row["path_high"]) == pytest.approx((min(means), max(means)), abs=1e-12)
    paths = found.paths.set_index(["variant", "path"])
    assert paths.loc["none", "rank_ic"].tolist() == pytest.approx(means, abs=1e-12)
    other = [rank_ics(one).mean() for _, one in rows[rows["variant"] == "zscore"].groupby("path")]
    gains = [one - two for one, two in zip(means, other, strict=True)]
    assert paths.loc["none", "difference"].tolist() == pytest.approx(gains, abs=1e-12)
    np.testing.assert_allclose(found.daily["none"], np.mean(by_path, axis=0), atol=1e-12)
    pd.testing.assert_frame_equal(daily(rows)[found.daily.columns], found.daily)
    assert {"rank_ic_seed", "seed_sd"}.isdisjoint(found.ranking)


def test_more_paths_are_no_more_evidence(table, target) -> None:
    """The same forecasts on three paths have the intervals and verdicts of one path."""
    one = on_paths(table, target, paths=1).drop(columns="path")
    three = pd.concat([one.assign(path=path) for path in range(PATHS)])
    alone, several = compare(one, 1, SPEC).ranking, compare(three, 1, SPEC).ranking
    assert (several["path_sd"] == 0).all()
    of_paths = ["path_sd", "path_low", "path_high"]
    pd.testing.assert_frame_equal(several.drop(columns=of_paths), alone, rtol=0, atol=1e-12)


def test_seeds_and_paths_are_both_averaged_and_seeds_are_drawn(table, target) -> None:
    parts = [on_paths(table, target, seed=one).assign(seed=one) for one in (0, 1)]
    rows = pd.concat(parts)
    rows = rows[(rows["variant"] != "ref:zero") | (rows["seed"] == 0)]
    with pytest.raises(ValueError, match=r"set statistics\.ensemble=false"):
        compare(rows, 1, SPEC)
    found = compare(rows, 1, StatisticsSpec("zscore", draws=100, ensemble=False))
    single = [compare(part, 1, SPEC).ranking["rank_ic"] for part in parts]
    means = np.array([one["none"] for one in single])
    row = found.ranking.loc["none"]
    assert row["rank_ic"] == row["rank_ic_seed"] == pytest.approx(means.mean(), abs=1e-12)
    assert row["seed_sd"] == pytest.approx(means.std(ddof=1), abs=1e-12)
    assert len(found.paths) == 2 * 2 * PATHS + PATHS
