"""Places where a maximum switches, and quadrature that is split there."""

import numpy as np
import pytest
import torch

from foldproof.tasks.attribute.methods.integrated import integrated_gradients
from foldproof.tasks.attribute.origins.kinks import MOST, cuts, lead_changes, pieces, sign_changes


@pytest.mark.parametrize("seed", range(5))
def test_the_leader_changes_where_two_lines_cross_above_all_others(seed):
    """Independent: every crossing of two lines, kept where no third lies above it."""
    rng = np.random.default_rng(seed)
    way = rng.standard_normal(30)
    start = -0.5 * np.abs(way) ** 1.5 + 0.1 * rng.standard_normal(30)
    one, two = np.triu_indices(30, 1)
    places = (start[one] - start[two]) / (way[two] - way[one])
    leads = start[one] + places * way[one] >= (start + places[:, None] * way).max(1) - 1e-9
    expected = np.sort(places[leads & (places > 0) & (places < 1)])
    assert len(expected)
    np.testing.assert_allclose(lead_changes(start, way), expected, rtol=0, atol=1e-9)


def test_the_steeper_of_two_equals_leads_and_one_that_stays_behind_never_does():
    assert lead_changes(np.array([0.0, 0.0]), np.array([1.0, 2.0])) == []
    assert lead_changes(np.array([1.0, 0.0, -9.0]), np.array([0.0, 4.0, 5.0])) == [0.25]


def test_sign_changes_of_moving_elements():
    start, way = np.array([1.0, -1.0, 1.0, 2.0]), np.array([-4.0, 2.0, 0.0, -1.0])
    assert sign_changes(start, way) == [0.25, 0.5]


def test_a_slope_that_jumps_at_a_cut_is_integrated_exactly():
    """|x - 0.3| + the largest of three lines: by hand, and far off without cuts."""
    start, way = np.array([0.0, -0.2, -0.9]), np.array([0.1, 0.6, 1.9])
    lines = [torch.from_numpy(one) for one in (start, way)]
    x = torch.ones(1, 1, dtype=torch.float64)

    def forward(points):
        return (points[:, 0] - 0.3).abs() + (lines[0] + points * lines[1]).amax(1)

    edges = cuts([0.3, *lead_changes(start, way)])
    assert len(edges) == 5
    attributions, gap = integrated_gradients(forward, x, 0.0, 2, rule=pieces(edges))
    assert attributions.item() == pytest.approx(0.4 + 1.0, abs=1e-14)
    assert abs(gap.item()) < 1e-14
    _, blunt = integrated_gradients(forward, x, 0.0, 20)
    assert abs(blunt.item()) > 1e-3


@pytest.mark.parametrize("nodes", [1, 10, 160])
def test_weights_add_up_and_places_ascend(nodes):
    places, weights = pieces(cuts(np.random.default_rng(0).random(40)))(nodes)
    assert weights.sum() == pytest.approx(1, abs=1e-12)
    assert (np.diff(places) > 0).all()
    assert len(places) >= max(41, nodes)


def test_kinks_of_other_cells_are_merged_first():
    assert cuts([0.5], [0.5 + 1e-7, 0.7]).tolist() == [0, 0.5, 0.7, 1]
    many = cuts([0.5], np.linspace(0.001, 0.999, 4000))
    assert 100 < len(many) <= MOST
    assert 0.5 in many
