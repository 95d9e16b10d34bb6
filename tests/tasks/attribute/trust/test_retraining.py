"""The checks that train again pass learned rankings and fail others."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from foldproof.tasks.attribute import attribute_unit
from foldproof.tasks.attribute.trust import retraining
from foldproof.tasks.attribute.trust.retraining import (
    importance_on,
    permuted_labels_check,
    ranked,
    with_noise_check,
    with_permuted_target,
)
from foldproof.tasks.attribute.unit.inputs import unit_inputs
from foldproof.tasks.data.panel import Panel
from foldproof.tasks.train import TrainedUnit

Fit = Callable[..., TrainedUnit]
SIZE = {"samples": 40, "nodes": 8}


@pytest.fixture(scope="module")
def graded(wide_panel: Panel) -> Panel:
    """All features matter, with known weights, so the whole ranking is learned."""
    weights = 0.6 ** np.array([3, 1, 5, 0, 6, 2, 7, 4])
    target = (wide_panel.values * weights).sum(-1).astype(np.float32)
    return replace(wide_panel, target=target, fingerprint="graded")


def test_planted_features_pass_the_noise_check_and_noise_fails(
    wide_panel: Panel, graded: Panel, fit: Fit
) -> None:
    assert with_noise_check(fit(panel=graded), graded, 12, **SIZE).passed
    empty = with_permuted_target(wide_panel, 3)
    found = with_noise_check(fit(panel=empty), empty, 12, **SIZE)
    assert not found.passed
    assert "above the 12 noise columns" in found.detail


def test_a_ranking_shared_by_permuted_labels_fails(
    graded: Panel, fit: Fit, monkeypatch: pytest.MonkeyPatch
) -> None:
    importance = attribute_unit(unit_inputs(fit(panel=graded), graded), **SIZE, seed=0).importance
    assert permuted_labels_check(fit(panel=graded), graded, importance, 2, **SIZE).passed
    monkeypatch.setattr(retraining, "with_permuted_target", lambda panel, _: panel)
    kept = permuted_labels_check(fit(panel=graded), graded, importance, 1, **SIZE)
    assert kept.passed is False  # labels that were not permuted
    assert kept.value > 0.8


def test_the_same_panel_and_seed_reproduce_the_unit(graded: Panel, fit: Fit) -> None:
    unit = fit(panel=graded)
    own = ranked(attribute_unit(unit_inputs(unit, graded), **SIZE, seed=0).importance)
    pd.testing.assert_series_equal(importance_on(graded, unit, unit.unit.seed, **SIZE), own)
    assert list(own.index) == list(graded.features)
