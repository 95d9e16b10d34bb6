from dataclasses import fields
from itertools import permutations

import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr

from foldproof.tasks.compare.aligned import align
from foldproof.tasks.compare.metrics import METRICS, figures, quantile_spread, scores_of
from foldproof.tasks.statistics.rank_ic import ranks


def panel(dates: int = 30, symbols: int = 12, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Forecasts with ties and a target, both with gaps at the same cells."""
    rng = np.random.default_rng(seed)
    target = rng.standard_normal((dates, symbols))
    forecast = np.round(0.5 * target + rng.standard_normal((dates, symbols)), 0)
    target[rng.random((dates, symbols)) < 0.1] = np.nan
    return forecast, target


def of(table, forecast: np.ndarray, target: np.ndarray) -> dict[str, float]:
    return figures(scores_of(align(table({"one": forecast}, target)))["one"])


def test_correlations_agree_with_scipy_date_by_date(table) -> None:
    forecast, target = panel()
    known = np.isfinite(target)
    pairs = [(f[k], y[k]) for f, y, k in zip(forecast, target, known, strict=True)]
    pearson = np.array([pearsonr(*pair).statistic for pair in pairs])
    spearman = np.array([spearmanr(*pair).statistic for pair in pairs])
    figures = of(table, forecast, target)
    assert figures["ic"] == pytest.approx(pearson.mean(), abs=1e-12)
    assert figures["rank_ic"] == pytest.approx(spearman.mean(), abs=1e-12)
    assert figures["icir"] == pytest.approx(pearson.mean() / pearson.std(ddof=1), abs=1e-12)
    assert figures["rank_icir"] == pytest.approx(spearman.mean() / spearman.std(ddof=1), abs=1e-12)


def test_a_perfect_forecast_and_its_opposite(table) -> None:
    _, target = panel(symbols=10)
    target = np.nan_to_num(target, nan=0.1)
    best, worst = of(table, target, target), of(table, -target, target)
    for name, value in {"ic": 1, "rank_ic": 1, "mse": 0, "mse_ratio": 0, "hit_rate": 1}.items():
        assert best[name] == pytest.approx(value, abs=1e-12)
    ordered = np.sort(target, axis=1)
    expected = (ordered[:, -2:] - ordered[:, :2]).mean()
    assert best["quantile_spread"] == pytest.approx(expected, abs=1e-12)
    for name, value in {"ic": -1, "rank_ic": -1, "mse_ratio": 4, "hit_rate": 0}.items():
        assert worst[name] == pytest.approx(value, abs=1e-12)
    assert worst["quantile_spread"] == pytest.approx(-expected, abs=1e-12)


@pytest.mark.parametrize("constant", [0.0, 0.1])
def test_a_constant_forecast_has_zero_correlations_and_spread(table, constant: float) -> None:
    _, target = panel()
    figures = of(table, np.full(target.shape, constant), target)
    for name in ("ic", "rank_ic", "quantile_spread"):
        assert figures[name] == 0
    assert np.isnan([figures["icir"], figures["rank_icir"]]).all()
    expected = np.nanmean((target - constant) ** 2) / np.nanmean(target**2)
    assert figures["mse_ratio"] == pytest.approx(expected, abs=1e-12)
    if constant == 0:
        assert figures["hit_rate"] == 0.5


def test_a_date_with_equal_forecasts_counts_as_zero(table) -> None:
    _, target = panel(dates=2, symbols=5)
    target = np.nan_to_num(target, nan=0.1)
    forecast = np.vstack([target[0], np.zeros(5)])
    assert of(table, forecast, target)["rank_ic"] == pytest.approx(0.5, abs=1e-15)


def test_hits_by_hand(table) -> None:
    target = np.array([[1.0, -2.0, 0.0, 3.0, -1.0]])
    forecast = np.array([[0.5, 0.1, 7.0, 0.0, -0.2]])  # hit, miss, not counted, half, hit
    assert of(table, forecast, target)["hit_rate"] == 2.5 / 4


@pytest.mark.parametrize(("names", "size"), [(3, 1), (5, 1), (9, 3), (10, 2), (14, 2), (15, 3)])
def test_quintiles_from_ten_names_on_and_terciles_below(table, names: int, size: int) -> None:
    target = np.arange(1.0, names + 1)[None] ** 2
    top, bottom = target[0, -size:].mean(), target[0, :size].mean()
    assert of(table, target, target)["quantile_spread"] == pytest.approx(top - bottom)


def test_ties_across_the_border_are_broken_as_at_random() -> None:
    forecast = np.array([[2.0, 1.0, 2.0, 2.0, 0.0, 1.0, np.nan]])
    target = np.array([[5.0, -3.0, 1.0, 4.0, 2.0, 8.0, np.nan]])
    spreads = []
    for order in permutations(range(6)):
        position = np.lexsort((np.array(order), forecast[0, :6]))
        ordered = target[0, position]
        spreads.append(ordered[-2:].mean() - ordered[:2].mean())
    spread = quantile_spread(*ranks(forecast), target)
    np.testing.assert_allclose(spread, [np.mean(spreads)], atol=1e-12)


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_is_finite_described_and_knows_its_direction(name: str, table) -> None:
    metric = METRICS[name]
    assert all(getattr(metric, field.name) not in ("", None) for field in fields(metric))
    _, target = panel()
    noise = np.random.default_rng(1).standard_normal(target.shape)
    skilled, unskilled = (
        of(table, weight * np.nan_to_num(target) + noise, target)[name] for weight in (2, 0)
    )
    assert np.isfinite([skilled, unskilled]).all()
    assert (skilled > unskilled) is metric.higher_is_better


def test_metrics_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        METRICS["mine"] = METRICS["ic"]


def test_a_monotone_map_does_not_change_rank_metrics(table) -> None:
    forecast, target = panel()
    plain, mapped = of(table, forecast, target), of(table, np.exp(forecast) * 100, target)
    for name in ("rank_ic", "rank_icir", "quantile_spread"):
        assert mapped[name] == plain[name]
    assert mapped["ic"] != plain["ic"]
