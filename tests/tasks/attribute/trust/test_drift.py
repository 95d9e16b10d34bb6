"""Drift of the importance between folds: by hand, without drift, planted, with networks."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from foldproof.tasks.attribute import attribute_unit
from foldproof.tasks.attribute.spec import AttributionSpec
from foldproof.tasks.attribute.trust.drift import LEAST_PERIODS, drift, drifts
from foldproof.tasks.attribute.unit.inputs import unit_inputs
from foldproof.tasks.attribute.unit.periods import by_direction, period_rows
from foldproof.tasks.data.panel import Panel
from foldproof.tasks.split import Fold
from foldproof.tasks.train import TrainedUnit, train_unit

ALERT = AttributionSpec().drift_alert


def fold(
    shares: np.ndarray, generator: np.random.Generator, periods: int, seeds: int, own: float
) -> np.ndarray:
    """(seeds, periods, 2, F) sums about ``shares`` (2, F): noise of periods, and of networks."""
    noise = generator.gamma(4.0, 0.25, (1, periods, *shares.shape))
    return shares * noise * np.exp(own * generator.standard_normal((seeds, 1, *shares.shape)))


EVEN = np.full((2, 4), 0.125)


def test_moved_shares_by_hand() -> None:
    before = np.array([[[[3.0, 1.0], [0.0, 0.0]]]])
    turned = before[:, :, ::-1]
    shuffled_within_dates = before[..., ::-1]
    assert drift(before, before, 0.05).moved == 0
    assert drift(before, turned, 0.05).moved == 1
    assert drift(before, turned, 0.05).tau == pytest.approx(1)
    assert drift(before, 7 * shuffled_within_dates, 0.05).moved == pytest.approx(0.5)
    assert drift(before, shuffled_within_dates, 0.05).tau == pytest.approx(-1)
    assert np.isnan(drift(before, turned, 0.05).mark)


@pytest.mark.parametrize(("seeds", "own"), [(1, 0.0), (4, 0.2)])
def test_without_drift_the_mark_is_rarely_exceeded(seeds: int, own: float) -> None:
    generator = np.random.default_rng(2)
    draws = [
        drift(*(fold(EVEN, generator, 12, seeds, own) for _ in range(2)), 0.05) for _ in range(120)
    ]
    assert np.mean([one.moved > one.mark for one in draws]) < 0.12


def test_one_seed_does_not_contain_training_noise() -> None:
    """Why an alert also needs a least share: the training's noise exceeds the mark."""
    generator = np.random.default_rng(2)
    draws = [drift(*(fold(EVEN, generator, 12, 1, 0.2) for _ in range(2)), 0.05) for _ in range(60)]
    assert np.mean([one.moved > one.mark for one in draws]) > 0.2
    assert np.mean([one.moved < ALERT for one in draws]) > 0.9


@pytest.mark.parametrize("seeds", [1, 3])
def test_a_shift_of_a_third_exceeds_the_mark(seeds: int) -> None:
    generator = np.random.default_rng(4)
    other = EVEN + np.array([[0.125, -0.1, 0.0, 0.0], [0.125, -0.1, -0.05, 0.0]])
    for _ in range(10):
        before, after = (fold(one, generator, 20, seeds, 0.1) for one in (EVEN, other))
        found = drift(before, after, 0.05)
        assert found.p < 0.05
        assert found.moved > found.mark


def test_a_reversed_signal_keeps_its_importance_and_changes_direction() -> None:
    generator = torch.Generator().manual_seed(0)
    moved = torch.randn(50, 3, 2, generator=generator).double()
    weights = torch.tensor([[0.0, 0.0], [0.0, -2.0], [1.0, 0.0]]).double()
    up, down = by_direction(weights * moved, moved)
    torch.testing.assert_close(up.mean(0), torch.stack([moved[:, 2, 0].abs().mean(), up[0, 1]]))
    assert up[:, 1].count_nonzero() == 0
    assert down[:, 0].count_nonzero() == 0
    other_up, other_down = by_direction(-weights * moved, moved)
    torch.testing.assert_close(other_up, down)
    torch.testing.assert_close(other_down, up)


def test_periods_by_hand() -> None:
    days = np.datetime64("2020-01-01") + np.arange(7)
    who = {"variant": "v", "fold": 0, "seed": 0}
    up = torch.arange(1.0, 6.0).double().unsqueeze(1)
    rows = period_rows(who, ("a",), days[[0, 2, 2, 4, 6]], days, 2, (up, 10 * up))
    assert rows["period"].tolist() == [0, 1, 2]
    assert rows["samples"].tolist() == [1, 2, 2]
    assert rows["up"].tolist() == [1.0, 2.5, 4.5]
    assert rows["down"].tolist() == [10.0, 25.0, 45.0]
    assert rows["first"].tolist() == [pd.Timestamp(day) for day in days[[0, 2, 4]]]


DAYS, WINDOW = 640, 5


def panel_of(change: str) -> Panel:
    """0.5 f1 - 0.4 f3; from the middle on, f6 replaces f1, or f1 changes sign."""
    rng = np.random.default_rng(5)
    values = rng.standard_normal((DAYS, 8, 8), dtype=np.float32)
    first, middle = np.array(values[:, :, 1]), DAYS // 2
    if change == "feature":
        first[middle:] = values[middle:, :, 6]
    if change == "sign":
        first[middle:] *= -1
    target = 0.5 * first - 0.4 * values[:, :, 3] + 0.2 * rng.standard_normal((DAYS, 8))
    dates = np.datetime64("2020-01-01") + np.arange(DAYS)
    return Panel(
        dates=dates,
        symbols=np.array([f"S{s}" for s in range(8)]),
        features=tuple(f"f{k}" for k in range(8)),
        values=values,
        target=(0.02 * target).astype(np.float32),
        label_end=dates + 1,
        member=np.ones((DAYS, 8), dtype=bool),
        fingerprint=f"drift {change}",
    )


def folds_of(panel: Panel) -> list[Fold]:
    """Three: two before the middle, one trained and tested after it."""
    return [
        Fold(
            number, range(s, s + 180), range(s + 181, s + 230), range(s + 231, s + 291), panel.dates
        )
        for number, s in enumerate((0, 28, 325))
    ]


@pytest.mark.parametrize("change", ["none", "feature", "sign"])
def test_a_planted_regime_shift_alerts_and_a_stable_panel_does_not(
    change: str, fit: Callable[..., TrainedUnit]
) -> None:
    panel = panel_of(change)
    one = fit().unit
    periods = []
    for each in folds_of(panel):
        unit = replace(one, fold=each, panel=panel.fingerprint)
        periods.append(
            attribute_unit(unit_inputs(train_unit(unit, panel), panel), 240, 8, seed=0).periods
        )
    table = drifts(pd.concat(periods, ignore_index=True), ALERT)
    assert table[["before", "fold"]].to_numpy().tolist() == [[0, 1], [1, 2]]
    assert table["alert"].tolist() == [False, change != "none"]
    assert (table["mark"] < 0.2).all()
    if change != "none":
        assert table["moved"].iloc[1] > 0.4
        assert "importance moved; resampled dates alone move up to" in table["detail"].iloc[1]
        assert drifts(pd.concat(periods), 1.0)["alert"].tolist() == [False, False]


def test_undecided_drift_and_invalid_inputs() -> None:
    short = np.ones((1, LEAST_PERIODS - 1, 2, 3))
    assert np.isnan(drift(short, short, 0.05).p)
    columns = ["variant", "fold", "seed", "period", "first", "samples", "feature", "up", "down"]
    rows = [
        ("v", f, 0, p, None, 1, name, 1.0, 0.0) for f in (0, 1) for p in (0, 1) for name in "ab"
    ]
    (only,) = drifts(pd.DataFrame(rows, columns=columns), 0.2).itertuples()
    assert only.alert is None
    assert "fewer than 6 whole windows" in only.detail
    with pytest.raises(ValueError, match="without any importance"):
        drift(short, 0 * short, 0.05)
    with pytest.raises(ValueError, match=r"drift_alert must lie in \[0, 1\]; it is 1.5"):
        AttributionSpec(drift_alert=1.5)
