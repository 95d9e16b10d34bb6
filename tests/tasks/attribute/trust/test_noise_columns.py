from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from foldproof.tasks.attribute import attribute_unit
from foldproof.tasks.attribute.trust.noise_columns import (
    PREFIX,
    above_noise,
    chance_above,
    moments,
    noise_columns_check,
    with_noise_columns,
)
from foldproof.tasks.attribute.unit.inputs import unit_inputs
from foldproof.tasks.data.panel import Panel
from foldproof.tasks.train import TrainedUnit, train_unit

Units = Callable[[str], TrainedUnit]


@pytest.fixture(scope="module")
def slow_panel() -> Panel:
    """Four features of different scale and persistence, of 12 symbols on 1,500 dates."""
    rng = np.random.default_rng(5)
    slope = np.array([0.0, 0.5, 0.9, 0.97])
    values = rng.standard_normal((1500, 12, 4))
    for day in range(1, len(values)):
        values[day] = slope * values[day - 1] + np.sqrt(1 - slope**2) * values[day]
    values = (values * [1, 100, 0.01, 5] + [0, 50, 0, -3]).astype(np.float32)
    values[:40, 0] = np.nan
    member = np.ones((1500, 12), dtype=bool)
    member[:40, 0] = False
    dates = np.datetime64("2010-01-01") + np.arange(1500)
    return Panel(
        dates=dates,
        symbols=np.array([f"S{s}" for s in range(12)]),
        features=("a", "b", "c", "d"),
        values=values,
        target=np.zeros((1500, 12), dtype=np.float32),
        label_end=dates + 1,
        member=member,
        fingerprint="slow",
    )


def test_noise_columns_resemble_the_features(slow_panel: Panel) -> None:
    wider, names = with_noise_columns(slow_panel, 6, seed=0)
    assert names == tuple(f"{PREFIX}{number}" for number in range(6))
    assert wider.features == (*slow_panel.features, *names)
    np.testing.assert_array_equal(wider.values[..., :4], slow_panel.values)
    assert np.isfinite(wider.values[..., 4:]).all()
    mean, sd, slope = moments(wider)
    imitated = [0, 1, 2, 3, 0, 1]
    np.testing.assert_allclose(sd[4:], sd[imitated], rtol=0.15)
    np.testing.assert_allclose((mean[4:] - mean[imitated]) / sd[imitated], 0, atol=0.25)
    np.testing.assert_allclose(slope[4:], slope[imitated], atol=0.03)


def test_noise_columns_are_independent_of_features_and_of_each_other(slow_panel: Panel) -> None:
    wider, _ = with_noise_columns(slow_panel, 2, seed=0)
    cells = wider.values[40:].reshape(-1, 6)
    assert np.abs(np.corrcoef(cells.T)[4:, :5] - np.eye(6)[4:, :5]).max() < 0.03
    noise = wider.values[:, :, 4]
    assert abs(np.corrcoef(noise[:, 0], noise[:, 1])[0, 1]) < 0.1  # symbols too


def test_the_new_panel_depends_on_its_seed(slow_panel: Panel) -> None:
    made = [with_noise_columns(slow_panel, 1, seed)[0] for seed in (0, 0, 1)]
    np.testing.assert_array_equal(made[0].values, made[1].values)
    assert made[0].fingerprint == made[1].fingerprint
    assert len({one.fingerprint for one in (slow_panel, made[0], made[2])}) == 3
    assert not made[0].values.flags.writeable


def test_invalid_columns_are_named(slow_panel: Panel) -> None:
    with pytest.raises(ValueError, match="asked for 0"):
        with_noise_columns(slow_panel, 0, seed=0)
    taken = replace(slow_panel, features=("a", "b", "noise_1", "d"))
    with pytest.raises(ValueError, match="already in the panel: noise_1"):
        with_noise_columns(taken, 2, seed=0)


@pytest.mark.parametrize(("real", "noise"), [(4, 5), (9, 20), (3, 40)])
def test_the_p_value_equals_the_hypergeometric_law(real: int, noise: int) -> None:
    law = stats.nhypergeom(real + noise, real, 1)
    for count in range(real + 1):
        expected = law.sf(count - 1)
        assert chance_above(count, real, noise) == pytest.approx(expected, rel=1e-9)
    assert chance_above(real + 1, real, noise) == 0


@pytest.mark.parametrize(
    ("importance", "count", "passed"),
    [
        ([9, 8, 7, 6], 4, True),  # p = 1/70
        ([9, 1, 1, 1], 1, None),  # one above: p = 1/2
        ([1, 1, 1, 1], 0, False),
        ([4, 4, 4, 4], 0, False),  # equal to the best is not above
    ],
)
def test_counted_by_hand(importance: list[float], count: int, passed: bool | None) -> None:
    names = ["noise_0", "noise_1", "noise_2", "noise_3"]
    table = pd.Series([*importance, 1.0, 2.0, 3.0, 4.0], [*"abcd", *names])
    found = noise_columns_check(table, names)
    assert found.value == count / 4
    assert found.passed is passed
    assert int(above_noise(table, names)[0].sum()) == count


def test_noise_among_noise_passes_one_time_in_twenty_at_most() -> None:
    generator = np.random.default_rng(2)
    names = [f"noise_{number}" for number in range(10)]
    tables = pd.DataFrame(generator.random((400, 18)), columns=[*"abcdefgh", *names])
    passed = [noise_columns_check(row, names).passed for _, row in tables.iterrows()]
    assert 0.005 < np.mean([one is True for one in passed]) < 0.07


def test_a_planted_signal_ranks_above_noise(panel: Panel, trained: Units) -> None:
    wider, names = with_noise_columns(panel, 12, seed=0)
    usual = trained("zscore").unit
    unit = train_unit(replace(usual, panel=wider.fingerprint), wider)
    inputs = unit_inputs(unit, wider)
    samples = len(unit_inputs(trained("zscore"), panel).test)
    assert len(inputs.test) == samples  # a noise column costs no sample
    table = attribute_unit(inputs, 40, 10, seed=0).importance
    rows = table.query("method == 'integrated_gradients'").set_index("feature")["importance"]
    above, _ = above_noise(rows, names)
    assert set(above.index[above]) >= {"planted", "lagged"}
    assert set(above.index[above]) <= {"planted", "lagged", "small"}
