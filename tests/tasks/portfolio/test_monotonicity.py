"""The monotonicity test: recomputed draw by draw, its size, and its power."""

import numpy as np
import pytest

from foldproof.tasks.compare.resampling import drawn_dates
from foldproof.tasks.portfolio.monotonicity import monotonic_p


def test_equals_its_definition_draw_by_draw() -> None:
    rng = np.random.default_rng(0)
    returns = rng.standard_normal((2, 4, 120)) + np.arange(4)[:, None] * 0.15
    p = monotonic_p(returns, 3, draws=100, seed=5)
    steps = returns[:, 1:] - returns[:, :-1]
    for n in range(2):
        mean = steps[n].mean(axis=1)
        found = []
        for rows in drawn_dates(steps.reshape(-1, 120).T, 3, draws=100, seed=5):
            drawn = np.array([steps[n, i][rows].mean() - mean[i] for i in range(3)])
            found.append(drawn.min() >= mean.min())
        assert p[n] == pytest.approx(np.mean(found))


def test_size_on_flat_returns_and_power_on_rising_ones() -> None:
    """300 panels of flat quantiles: a nominal 5 % test rejects about 5 %."""
    rng = np.random.default_rng(1)
    noise = rng.standard_normal((300, 4, 250))
    flat = monotonic_p(noise, 1, draws=300)
    assert 0.02 < (flat < 0.05).mean() < 0.09
    rising = monotonic_p(noise[:50] + 0.4 * np.arange(4)[:, None], 1, draws=300)
    assert (rising < 0.05).mean() > 0.9
    bent = noise[:50] + np.array([0.0, 2.0, 1.0, 3.0])[:, None]  # a large spread, one step down
    assert (monotonic_p(bent, 1, draws=300) > 0.5).all()


def test_equal_quantiles_have_no_p_value() -> None:
    assert np.isnan(monotonic_p(np.zeros((1, 3, 60)), 1, draws=100)).all()
