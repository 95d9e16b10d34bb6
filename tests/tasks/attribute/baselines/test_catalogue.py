"""Baselines by hand on small panels, over the whole mapping, and on trained units."""

from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from foldproof.tasks.attribute.baselines.catalogue import (
    BASELINES,
    BaselineInputs,
    baseline_of,
    medians,
)
from foldproof.tasks.attribute.methods.adaptive import resolved_gradients
from foldproof.tasks.attribute.unit.inputs import UnitInputs, unit_inputs
from foldproof.tasks.data.panel import Panel
from foldproof.tasks.train import TrainedUnit

DAYS, SYMBOLS, FEATURES, LENGTH = 40, 5, 3, 4
TRAIN = range(25)


def baseline_inputs(**change: object) -> BaselineInputs:
    generator = torch.Generator().manual_seed(4)
    values = torch.randn(DAYS, SYMBOLS, FEATURES, generator=generator)
    values[10, 2, 1] = torch.nan
    member = torch.ones(DAYS, SYMBOLS, dtype=torch.bool)
    member[:, 4] = False
    samples = torch.tensor([30, DAYS + 31, 3 * DAYS + 39, DAYS + 30])
    made = BaselineInputs(values, member, samples, LENGTH, TRAIN, torch.Generator().manual_seed(1))
    return replace(made, **change)


def training_windows(on: BaselineInputs) -> np.ndarray:
    """(N, T, F), one at a time."""
    found = []
    for s in range(SYMBOLS):
        for d in on.train:
            window = on.values[max(0, d - LENGTH + 1) : d + 1, s].numpy()
            if len(window) == LENGTH and np.isfinite(window).all() and on.member[d, s]:
                found.append(window)
    return np.array(found, dtype=np.float64)


@pytest.mark.parametrize("name", BASELINES)
def test_every_baseline_is_a_finite_window_for_each_sample(name: str) -> None:
    on = baseline_inputs()
    kept = on.values.clone()
    windows = baseline_of(name, on)
    assert windows.shape == (4, LENGTH, FEATURES)
    assert windows.dtype == on.values.dtype
    assert windows.isfinite().all()
    torch.testing.assert_close(on.values, kept, rtol=0, atol=0, equal_nan=True)
    words = [getattr(BASELINES[name], field.name) for field in fields(BASELINES[name])[:-1]]
    assert all(isinstance(word, str) and word for word in words)


@pytest.mark.parametrize(("name", "of"), [("train_mean", np.mean), ("train_median", np.median)])
def test_mean_and_median_are_those_of_the_training_windows(name: str, of: Callable) -> None:
    on = baseline_inputs()
    expected = of(training_windows(on), axis=0)
    actual = baseline_of(name, on)
    np.testing.assert_allclose(actual[0], expected, rtol=1e-6)
    assert (actual == actual[0]).all()


def test_a_draw_is_a_training_window_and_depends_on_its_generator() -> None:
    known = {window.astype(np.float32).tobytes() for window in training_windows(baseline_inputs())}
    samples = torch.arange(30, 39)
    first, again = (baseline_of("train_draw", baseline_inputs(samples=samples)) for _ in range(2))
    assert {window.numpy().tobytes() for window in first} <= known
    assert len({window.numpy().tobytes() for window in first}) > 5
    torch.testing.assert_close(first, again, rtol=0, atol=0)
    other = baseline_inputs(samples=samples, generator=torch.Generator().manual_seed(2))
    assert not baseline_of("train_draw", other).equal(first)


def test_the_median_stock_uses_the_members_of_each_row() -> None:
    on = baseline_inputs()
    on.values[29, 0, 2] = torch.nan
    actual = baseline_of("cs_median", on)
    for row, d in enumerate(range(27, 31)):
        cells = np.where(on.member[d].numpy()[:, None], on.values[d].numpy(), np.nan)
        np.testing.assert_allclose(actual[0, row], np.nanmedian(cells, axis=0), rtol=1e-6)
    torch.testing.assert_close(actual[0], actual[3])  # the same date, another stock
    assert not actual[0].equal(actual[1])


@pytest.mark.parametrize("days", [1, 5])
def test_days_earlier_is_the_same_stocks_window(days: int) -> None:
    on = baseline_inputs(days=days)
    actual = baseline_of("days_earlier", on)
    for window, (s, d) in zip(actual, [(0, 30), (1, 31), (3, 39), (1, 30)], strict=True):
        end = d - days + 1
        torch.testing.assert_close(window, on.values[end - LENGTH : end, s], rtol=0, atol=0)


@pytest.mark.parametrize("name", ["train_draw", "train_mean", "train_median"])
@pytest.mark.parametrize(("rows", "moved"), [(slice(0, 25), True), (slice(25, None), False)])
def test_only_training_rows_make_training_baselines(name: str, rows: slice, moved: bool) -> None:
    """A baseline that moved with test rows would be a leak."""
    values = baseline_inputs().values.clone()
    values[rows] += 1
    same = baseline_of(name, baseline_inputs()).equal(
        baseline_of(name, baseline_inputs(values=values))
    )
    assert same is not moved


def test_medians_by_hand() -> None:
    nan = torch.nan
    cells = torch.tensor([[3.0, nan, nan], [1.0, 2.0, nan], [2.0, 5.0, nan], [9.0, nan, nan]])
    torch.testing.assert_close(
        medians(cells), torch.tensor([2.5, 3.5, nan]), equal_nan=True, rtol=0, atol=0
    )
    odd = torch.tensor([[4.0, 1.0, 2.0]])
    assert medians(odd, dim=1).tolist() == [2.0]


def of_unit(prepared: UnitInputs, samples: torch.Tensor, days: int = 5) -> BaselineInputs:
    unit = prepared.trained.unit
    generator = torch.Generator().manual_seed(0)
    window = unit.network.window
    return BaselineInputs(
        prepared.scaled.values, prepared.member, samples, window, unit.fold.train, generator, days
    )


@pytest.mark.parametrize("variant", ["zscore", "cs_zscore", "revin", "layer_norm"])
def test_against_the_earlier_window_attributions_add_up_to_the_change_of_the_forecast(
    variant: str, panel: Panel, trained: Callable[[str], TrainedUnit]
) -> None:
    """The two forecasts are those that the unit scored, each on its own date."""
    unit, days = trained(variant), 3
    prepared = unit_inputs(unit, panel)
    dates = prepared.test % len(panel.dates)
    chosen = prepared.test[dates >= dates.min() + days][::7]
    baseline = baseline_of("days_earlier", of_unit(prepared, chosen, days)).double()
    paths = resolved_gradients(
        prepared.forward(chosen),
        prepared.windows(chosen),
        baseline,
        8,
        rows=torch.arange(len(chosen)),
    )
    scored = unit.forecasts.set_index(["date", "symbol"])["forecast"]
    d, s = chosen.numpy() % len(panel.dates), chosen.numpy() // len(panel.dates)
    now, before = (
        scored.loc[list(zip(panel.dates[rows], panel.symbols[s], strict=True))].to_numpy()
        for rows in (d, d - days)
    )
    spread = now.std()
    np.testing.assert_allclose(
        paths.attributions.sum((1, 2)), now - before, rtol=0, atol=2e-4 * spread
    )
    assert np.abs(now - before).mean() > 0.1 * spread


@pytest.mark.parametrize("name", BASELINES)
def test_attributions_against_every_baseline_are_complete(
    name: str, panel: Panel, trained: Callable[[str], TrainedUnit]
) -> None:
    prepared = unit_inputs(trained("zscore"), panel)
    chosen = prepared.test[::9]
    baseline = baseline_of(name, of_unit(prepared, chosen)).double()
    paths = resolved_gradients(
        prepared.forward(chosen),
        prepared.windows(chosen),
        baseline,
        8,
        rows=torch.arange(len(chosen)),
    )
    assert paths.unresolved == 0
    assert paths.attributions.abs().sum() > 0


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("cs_meridian", {}, "no baseline 'cs_meridian'; did you mean cs_median"),
        (
            "zero",
            {"days": 0},
            "days must be at least 1: the baseline is an earlier window; it is 0",
        ),
        ("train_mean", {"train": range(3)}, "rows 0..3 hold no complete window of 4 rows"),
        ("train_draw", {"member": torch.zeros(DAYS, SYMBOLS).bool()}, "no complete window"),
        ("cs_median", {"member": torch.zeros(DAYS, SYMBOLS).bool()}, "for 4 of 4 samples"),
        ("days_earlier", {"days": 28}, "not complete for 2 of 4 samples, the first at place 0"),
    ],
)
def test_invalid_baselines_are_named(name: str, change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        baseline_of(name, baseline_inputs(**change))
