import numpy as np
import pandas as pd
import pytest

from foldproof.tasks.panel_study.variance import COMPONENTS, variance_components

PLANTED = {
    "date": 0.20, "variant": 0.03, "fold x variant": 0.04, "seed": 0.02, "variant x date": 0.10,
    "residual": 0.15,
}  # fmt: skip
V, N, F, DAYS, HORIZON = 8, 5, 6, 120, 5


def overlapped(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Standard normal values that depend on each other over HORIZON dates."""
    own = rng.standard_normal((*shape[:-1], shape[-1] + HORIZON - 1))
    return np.lib.stride_tricks.sliding_window_view(own, HORIZON, axis=-1).sum(-1) / HORIZON**0.5


def drawn(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    sd, parts = PLANTED, []
    for _ in range(F):
        part = sd["fold x variant"] * rng.standard_normal((V, 1, 1))
        part = part + sd["seed"] * rng.standard_normal((V, N, 1))
        part = part + sd["date"] * overlapped(rng, 1, 1, DAYS)
        part = part + sd["variant x date"] * overlapped(rng, V, 1, DAYS)
        parts.append(part + sd["residual"] * overlapped(rng, V, N, DAYS))
    variant = sd["variant"] * rng.standard_normal((V, 1, 1))
    return np.concatenate(parts, axis=2) + variant, np.repeat(np.arange(F), DAYS)


@pytest.fixture(scope="module")
def mean() -> pd.DataFrame:
    """Mean over draws of the variances."""
    rng = np.random.default_rng(1)
    found = [variance_components(*drawn(rng), HORIZON) ** 2 for _ in range(30)]
    return sum(found[1:], found[0]) / len(found)


@pytest.mark.parametrize("component", PLANTED)
def test_planted_components_are_recovered(mean: pd.DataFrame, component: str) -> None:
    assert mean.at[component, "sd"] == pytest.approx(PLANTED[component] ** 2, rel=0.2)


def test_a_fold_with_a_single_date_is_left_out() -> None:
    daily, folds = drawn(np.random.default_rng(3))
    more = np.concatenate([daily, daily[:, :, :1]], axis=2)
    found = variance_components(more, np.append(folds, F), HORIZON)
    pd.testing.assert_frame_equal(found, variance_components(daily, folds, HORIZON))
    alone = variance_components(daily[:, :, :1], folds[:1], HORIZON)
    assert alone.isna().all(axis=None)


def test_shares_add_up_and_name_every_component() -> None:
    found = variance_components(*drawn(np.random.default_rng(2)), HORIZON)
    assert [*found.index] == [*COMPONENTS]
    assert found["share"].sum() == pytest.approx(1)
    assert found["share_of_gain"].sum() == pytest.approx(1)


def test_what_the_data_cannot_separate_is_missing() -> None:
    daily, folds = drawn(np.random.default_rng(3))
    alone = variance_components(daily[:, :1], folds, HORIZON)["sd"]
    assert alone[["seed", "residual"]].isna().all()
    once = variance_components(daily[:, :, :DAYS], folds[:DAYS], HORIZON)["sd"]
    assert np.isnan(once["fold x variant"])
    assert np.isfinite(once["variant"])
    single = variance_components(daily[:1], folds, HORIZON)["sd"]
    assert single[["variant", "fold x variant", "variant x date"]].isna().all()


def test_without_a_variant_every_component_is_missing() -> None:
    found = variance_components(np.zeros((0, 2, 40)), np.repeat([0, 1], 20), 1)
    assert [*found.index] == [*COMPONENTS]
    assert found.isna().all(axis=None)
