"""The torch features and their derivatives equal those of the panel's code."""

from datetime import date

import numpy as np
import pytest
import torch

from foldproof.tasks.attribute.origins.returns import LOOKBACK
from foldproof.tasks.attribute.origins.torch_features import TORCH_FEATURES, LogPrices
from foldproof.tasks.data import DataSpec, load_raw
from foldproof.tasks.data.features.features import FEATURES
from tests.tasks.attribute.origins.conftest import NAMES, feature_function, panel_features


def test_every_feature_has_a_torch_copy():
    assert set(TORCH_FEATURES) == set(FEATURES)
    assert LOOKBACK == 253


@pytest.mark.parametrize("limit", [5, 0, 2])
def test_the_same_numbers_and_the_same_gaps_on_a_ragged_market(broken, limit):
    made, quotes = feature_function(broken, limit)
    found = made.values(quotes.steps, quotes.steps.cells).numpy()
    expected = panel_features(broken, limit)
    for k, name in enumerate(NAMES):
        assert np.isfinite(expected[..., k]).any(), name
        np.testing.assert_allclose(found[..., k], expected[..., k], rtol=0, atol=1e-12)


def test_the_same_numbers_on_the_bundled_panel():
    raw = load_raw(DataSpec(start=date(2019, 1, 1)))
    expected = panel_features(raw, 5)
    made, quotes = feature_function(
        raw, 5, tuple(name for name in NAMES if not FEATURES[name].needs_volume)
    )
    found = made.values(quotes.steps, quotes.steps.cells).numpy()
    assert expected.shape[1:] == (20, 14)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_derivatives_are_those_of_the_panels_own_code(market, name):
    """Independent check: small changes of closes and volumes, through the panel's own code."""
    made, quotes = feature_function(market, 5, (name,))
    rng, little = np.random.default_rng(3), 1e-6
    nudges = {kind: rng.standard_normal(len(market)) for kind in ("price", "volume")}

    def at(size):
        moved = {kind: market[kind] * np.exp(size * nudge) for kind, nudge in nudges.items()}
        frame = market.assign(**moved)
        return feature_function(frame, 5, (name,))[1].steps.cells, panel_features(frame, 5)[
            ..., NAMES.index(name)
        ]

    (up, above), (down, below) = at(little), at(-little)
    _, found = torch.autograd.functional.jvp(
        lambda cells: made.values(quotes.steps, cells)[..., 0],
        quotes.steps.cells.nan_to_num(),
        (up - down).nan_to_num() / (2 * little),
    )
    expected = (above - below) / (2 * little)
    there = np.isfinite(expected)
    assert there.sum() > 100
    scale = np.abs(expected[there]).max()
    np.testing.assert_allclose(found.numpy()[there], expected[there], rtol=1e-5, atol=1e-6 * scale)


def test_missing_cells_leave_every_derivative_finite(broken):
    made, quotes = feature_function(broken, 5)
    cells = quotes.steps.cells.nan_to_num().requires_grad_()
    values = made.values(quotes.steps, cells)
    assert values.isnan().any()
    (slopes,) = torch.autograd.grad(values[~values.isnan()].sum(), cells)
    assert slopes.isfinite().all()
    assert slopes[quotes.steps.cells.isfinite()].any()


def test_features_of_volume_need_it():
    some = torch.zeros(30, 1, dtype=torch.float64)
    with pytest.raises(ValueError, match="needs volume"):
        TORCH_FEATURES["illiquidity_21"](LogPrices(some, some, some, None), 1)
