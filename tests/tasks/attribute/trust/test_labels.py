from dataclasses import replace

import numpy as np
import pytest

from foldproof.tasks.attribute.trust.retraining import with_permuted_target
from foldproof.tasks.data.panel import Panel


@pytest.fixture(scope="module")
def gappy(panel: Panel) -> Panel:
    target, member = panel.target.copy(), panel.member.copy()
    target[3, :4] = np.nan
    target[-1] = np.nan
    member[5, 2] = False
    return replace(panel, target=target, member=member)


def test_targets_of_a_date_change_symbols_and_nothing_else_changes(gappy: Panel) -> None:
    permuted = with_permuted_target(gappy, seed=0)
    np.testing.assert_array_equal(np.isnan(permuted.target), np.isnan(gappy.target))
    np.testing.assert_array_equal(np.sort(permuted.target, 1), np.sort(gappy.target, 1))
    assert permuted.target[5, 2] == gappy.target[5, 2]  # no member: not exchanged
    assert permuted.values is gappy.values
    moved = permuted.target != gappy.target
    assert np.mean(moved[np.isfinite(gappy.target)]) == pytest.approx(7 / 8, abs=0.03)


def test_permuted_targets_have_no_cross_sectional_signal(panel: Panel) -> None:
    def between(values: np.ndarray) -> np.ndarray:
        return (values - values.mean(1, keepdims=True)).ravel()

    planted = between(panel.values[..., 1])
    targets = (panel.target, with_permuted_target(panel, seed=0).target)
    before, after = (np.corrcoef(planted, between(target))[0, 1] for target in targets)
    assert before > 0.7
    assert abs(after) < 0.1  # three standard errors


def test_the_new_panel_depends_on_its_seed(panel: Panel) -> None:
    first, again, other = (with_permuted_target(panel, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.target, again.target)
    assert first.fingerprint == again.fingerprint
    assert len({panel.fingerprint, first.fingerprint, other.fingerprint}) == 3
    assert not np.array_equal(first.target, other.target)
    assert not first.target.flags.writeable
