import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from foldproof.tasks.attribute.trust.faithfulness import Removal, faithfulness, mean_interval

WEIGHT = np.array([0.1, 3.0, 0.0, -2.0, 0.2, 1.0, 0.0, 0.4])
DATES = np.repeat(np.arange(12), 15)


def linear(points: Tensor, rows: Tensor) -> Tensor:
    return (points.sum(1) * torch.from_numpy(WEIGHT)).sum(1)


def ignoring(points: Tensor, rows: Tensor) -> Tensor:
    return rows.to(points) * 1.0


@pytest.fixture(scope="module")
def where() -> Removal:
    generator = torch.Generator().manual_seed(0)
    inputs, filler = torch.randn(2, len(DATES), 3, 8, generator=generator, dtype=torch.float64)
    return Removal(linear, inputs, filler, DATES)


def test_the_true_ranking_passes_and_the_reverse_fails(where: Removal) -> None:
    for importance, passed in ((np.abs(WEIGHT), True), (-np.abs(WEIGHT), False)):
        both = faithfulness(where, importance)
        assert [one.name for one in both] == ["comprehensiveness", "sufficiency"]
        assert [one.passed for one in both] == [passed, passed], both
        assert all(one.low <= one.value <= one.high for one in both)
        assert all((one.value > 0) is passed for one in both)


def test_random_rankings_rarely_pass(where: Removal) -> None:
    """Those that pass have a strong feature in front."""
    generator = np.random.default_rng(0)
    passed = []
    for _ in range(60):
        importance = generator.permutation(8).astype(float)
        comprehensive, _ = faithfulness(where, importance, most_orders=19)
        passed.append(comprehensive.passed)
        if comprehensive.passed:
            assert set(np.argsort(-importance)[:2]) & {1, 3}
    assert np.mean(passed) < 0.15


def test_a_forecast_that_ignores_its_inputs_supports_no_ranking(where: Removal) -> None:
    deaf = Removal(ignoring, where.inputs, where.filler, DATES)
    for one in faithfulness(deaf, np.abs(WEIGHT)):
        assert one.value == pytest.approx(0, abs=1e-12)
        assert one.passed is False


def test_the_realised_target_is_reported_but_not_tested(where: Removal) -> None:
    generator = np.random.default_rng(4)
    noise = generator.standard_normal(len(DATES))
    plain = faithfulness(where, np.abs(WEIGHT))
    both = faithfulness(where, np.abs(WEIGHT), noise)
    assert [one.passed for one in both] == [one.passed for one in plain]
    assert [one.value for one in both] == [one.value for one in plain]
    assert all("realised" in b.detail > a.detail for a, b in zip(plain, both, strict=True))
    unknown = faithfulness(where, np.abs(WEIGHT), np.full(len(DATES), np.nan))
    assert all("realised" not in one.detail for one in unknown)


def test_too_few_features_or_dates_are_inconclusive(where: Removal) -> None:
    few = Removal(
        lambda points, rows: points.sum((1, 2)), where.inputs[..., :3], where.filler[..., :3], DATES
    )
    for one in faithfulness(few, np.arange(3.0)):
        assert one.passed is None
        assert one.detail.startswith("too few features")
    day = slice(0, 15)
    single = Removal(linear, where.inputs[day], where.filler[day], DATES[day])
    for one in faithfulness(single, np.abs(WEIGHT)):
        assert one.passed is None
        assert one.detail.startswith("one date only")


def test_the_interval_uses_students_t() -> None:
    daily = np.random.default_rng(0).standard_normal(9)
    mean, error, interval = mean_interval(daily)
    expected = stats.t.interval(0.95, 8, mean, stats.sem(daily))
    assert (mean, error) == (pytest.approx(daily.mean()), pytest.approx(stats.sem(daily)))
    np.testing.assert_allclose(interval, expected, rtol=1e-12)


def test_dates_of_one_sample_are_named(where: Removal) -> None:
    lonely = Removal(linear, where.inputs[:9], where.filler[:9], np.arange(9))
    with pytest.raises(ValueError, match="a date with at least three samples"):
        faithfulness(lonely, np.abs(WEIGHT))
