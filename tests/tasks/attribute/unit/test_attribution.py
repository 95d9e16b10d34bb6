from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from foldproof.tasks.attribute import ATTRIBUTIONS, Attribution, attribute_unit
from foldproof.tasks.attribute.baselines.sampling import cut
from foldproof.tasks.attribute.methods.adaptive import resolved_gradients
from foldproof.tasks.attribute.methods.catalogue import DEFAULT
from foldproof.tasks.attribute.methods.integrated import integrated_gradients
from foldproof.tasks.attribute.unit.inputs import feature_spread, unit_inputs
from foldproof.tasks.attribute.unit.tables import COLUMNS
from foldproof.tasks.data.panel import Panel
from foldproof.tasks.train import (
    TrainedUnit,
    fit_statistics,
    network_of,
    normalized,
    score,
    train_unit,
)
from tests.variants import EVERY_VARIANT, RESOLVED

Units = Callable[[str], TrainedUnit]
SAMPLES, NODES = 40, 20
OWN = ("lagged", "importance", "series", "gap", "periods")
SOMETIMES = ("sign_consistency", "net_error")  # NaN where a method has none


@pytest.mark.parametrize("variant", RESOLVED)
def test_every_variant_is_attributed_completely(variant: str, panel: Panel, trained: Units) -> None:
    attribution = attribute_unit(unit_inputs(trained(variant), panel), SAMPLES, NODES, seed=0)
    gap = attribution.gap.iloc[0]
    assert gap["samples"] == SAMPLES
    assert gap["gap_p99"] < 1e-4
    assert gap["unresolved"] == 0
    assert gap["gap_median"] <= gap["gap_p99"] <= gap["gap_max"]
    for name in OWN:
        table = getattr(attribution, name)
        assert tuple(table.columns) == COLUMNS[name]
        assert (table["variant"] == variant).all()
        numbers = table.select_dtypes("number").drop(columns=list(SOMETIMES), errors="ignore")
        assert np.isfinite(numbers.to_numpy()).all()


@pytest.mark.slow
def test_price_relative_is_attributed_completely_where_features_are_prices(
    panel: Panel, trained: Units
) -> None:
    prices = replace(panel, values=np.exp(0.05 * panel.values / panel.values.std((0, 1))))
    unit = replace(trained("none").unit, variant="price_relative")
    attribution = attribute_unit(unit_inputs(train_unit(unit, prices), prices), SAMPLES, NODES, 0)
    assert attribution.gap["unresolved"].item() == 0
    on_returns = attribute_unit(unit_inputs(trained("price_relative"), panel), SAMPLES, NODES, 0)
    assert on_returns.gap["unresolved"].item() > 0  # divided by values around 0


@pytest.mark.parametrize("variant", ["none", "zscore", "cs_rank", "instance_norm", "layer_norm"])
def test_planted_features_come_first_at_their_lags(
    variant: str, panel: Panel, trained: Units
) -> None:
    attribution = attribute_unit(unit_inputs(trained(variant), panel), SAMPLES, NODES, seed=0)
    for method in DEFAULT:
        importance = attribution.importance.query("method == @method")
        first = importance.nlargest(2, "importance")["feature"].tolist()
        wanted = ["planted"] if variant == "none" else ["lagged", "planted"]
        assert set(wanted) <= set(first), (method, importance)
    cells = attribution.lagged.query("method == 'integrated_gradients'")
    newest = cells.query("feature == 'planted'").set_index("lag")["absolute"]
    assert newest.idxmax() == 0
    if variant != "none":
        assert cells.query("feature == 'lagged'").set_index("lag")["absolute"].idxmax() == 1


def test_tables_are_consistent_with_each_other(panel: Panel, trained: Units) -> None:
    attribution = attribute_unit(unit_inputs(trained("zscore"), panel), SAMPLES, NODES, seed=0)
    keys = ["method", "feature"]
    total = attribution.lagged.groupby(keys)["absolute"].sum()
    gross = attribution.importance.set_index(keys)["gross"]
    pd.testing.assert_series_equal(total, gross.sort_index(), check_names=False)
    assert set(attribution.lagged["lag"]) == set(range(5))
    assert len(attribution.lagged) == 3 * 5 * 4
    partials = attribution.importance.query("method != 'integrated_gradients'")
    assert partials["sign_consistency"].between(0, 1).all()
    whole = attribution.importance.query("method == 'integrated_gradients'")
    assert whole["sign_consistency"].isna().all()
    series = attribution.series
    assert set(series["date"]) <= set(trained("zscore").unit.fold.test_dates)
    signed = attribution.lagged.query("method == 'mean_partial'").groupby("feature")["signed"].sum()
    mean = series.groupby("feature")["mean_partial"].mean()
    pd.testing.assert_series_equal(signed, mean, check_names=False)


@pytest.fixture(scope="module")
def asked_all(panel: Panel, trained: Units) -> Attribution:
    groups = (("noise", "small"), ("planted",))
    return attribute_unit(
        unit_inputs(trained("zscore"), panel), SAMPLES, NODES, 0, tuple(ATTRIBUTIONS), groups
    )


def test_every_method_puts_the_planted_features_first(asked_all: Attribution) -> None:
    for method, one in ATTRIBUTIONS.items():
        rows = asked_all.importance.query("method == @method").set_index("feature")
        if one.columns == "features":
            assert set(rows["importance"].nlargest(2).index) == {"planted", "lagged"}, method
        elif one.columns == "groups":
            assert rows["importance"].idxmax() == "planted", method
            assert set(rows.index) == {"noise + small", "planted"}
        else:
            assert list(rows.index) == ["all features"]
            lags = asked_all.lagged.query("method == @method").set_index("lag")["absolute"]
            assert set(lags.nlargest(2).index) == {0, 1}


def test_tables_hold_what_each_method_computes(asked_all: Attribution) -> None:
    importance = asked_all.importance
    assert list(dict.fromkeys(importance["method"])) == list(ATTRIBUTIONS)
    assert (importance["net"] <= importance["gross"] * (1 + 1e-12)).all()
    for method, rows in importance.groupby("method"):
        ranked_by = rows[ATTRIBUTIONS[str(method)].lags]
        pd.testing.assert_series_equal(rows["importance"], ranked_by, check_names=False)
    drawn = set(importance.loc[importance["net_error"].notna(), "method"])
    assert drawn == {"expected_gradients", "shapley", "permutation"}
    by_lag = set(asked_all.lagged["method"])
    at_once = {"occlusion", "occlusion_by_group", "shapley", "permutation"}
    assert by_lag == set(ATTRIBUTIONS) - at_once
    keys = ["method", "feature"]
    total = asked_all.lagged.groupby(keys)["absolute"].sum()
    expected = importance[importance["method"].isin(by_lag)].set_index(keys)["gross"]
    pd.testing.assert_series_equal(total, expected.sort_index(), check_names=False)
    assert len(asked_all.gap) == 1


def test_other_methods_do_not_change_a_methods_tables(
    asked_all: Attribution, panel: Panel, trained: Units
) -> None:
    alone = attribute_unit(unit_inputs(trained("zscore"), panel), SAMPLES, NODES, seed=0)
    for name in ("lagged", "importance"):
        table = getattr(asked_all, name)
        same = table[table["method"].isin(DEFAULT)]
        same = same.set_index("method").loc[list(DEFAULT)].reset_index()[table.columns]
        pd.testing.assert_frame_equal(getattr(alone, name), same)
    for name in ("series", "gap"):
        pd.testing.assert_frame_equal(getattr(alone, name), getattr(asked_all, name))


def test_permutation_is_in_rank_ic_units(asked_all: Attribution) -> None:
    """The two planted features make up the forecast, so each loses a large part of it."""
    loss = asked_all.importance.query("method == 'permutation'").set_index("feature")["net"]
    assert 0.1 < loss["lagged"] < 1
    assert 0.1 < loss["planted"] < 1
    assert loss[["noise", "small"]].abs().max() < 0.1


def test_without_partials_there_is_no_series(panel: Panel, trained: Units) -> None:
    only = attribute_unit(
        unit_inputs(trained("zscore"), panel), 10, 4, 0, ("integrated_gradients",)
    )
    assert tuple(only.series.columns) == COLUMNS["series"]
    assert only.series.empty
    assert set(only.importance["method"]) == {"integrated_gradients"}
    joined = Attribution.joined([only, only])
    assert len(joined.gap) == 2
    assert joined.series.empty


@pytest.mark.slow
@pytest.mark.parametrize("variant", EVERY_VARIANT)
def test_every_variant_is_attributed_by_every_method(
    variant: str, panel: Panel, trained: Units
) -> None:
    attribution = attribute_unit(
        unit_inputs(trained(variant), panel), SAMPLES, NODES, 0, tuple(ATTRIBUTIONS)
    )
    assert set(attribution.importance["method"]) == set(ATTRIBUTIONS)
    assert np.isfinite(attribution.importance[["importance", "net"]]).all(axis=None)
    assert (attribution.importance.groupby("method")["importance"].max() > 0).all()


def test_mean_partials_have_the_planted_signs(panel: Panel, trained: Units) -> None:
    series = attribute_unit(unit_inputs(trained("zscore"), panel), SAMPLES, NODES, seed=0).series
    mean = series.groupby("feature")["mean_partial"].mean()
    assert mean["planted"] > 0.001 > -0.001 > mean["lagged"]


def test_the_same_seed_gives_the_same_tables(panel: Panel, trained: Units) -> None:
    first, again, other = (
        attribute_unit(unit_inputs(trained("zscore"), panel), SAMPLES, NODES, seed)
        for seed in (0, 0, 1)
    )
    for name in OWN:
        pd.testing.assert_frame_equal(getattr(first, name), getattr(again, name))
    assert not first.lagged["signed"].equals(other.lagged["signed"])


def test_partials_do_not_depend_on_the_features_units(panel: Panel, trained: Units) -> None:
    """The same network on a feature in cents instead of dollars: per sd nothing changes."""
    dollars = trained("zscore")
    cents = replace(panel, values=panel.values * np.array([100, 1, 1, 1], dtype=np.float32))
    rescaled = replace(dollars, statistics=fit_statistics(dollars.unit, cents))
    expected = attribute_unit(unit_inputs(dollars, panel), SAMPLES, NODES, seed=0).importance[
        "importance"
    ]
    actual = attribute_unit(unit_inputs(rescaled, cents), SAMPLES, NODES, seed=0).importance[
        "importance"
    ]
    np.testing.assert_allclose(actual, expected, rtol=1e-4)


def test_partials_agree_with_moving_the_raw_feature(panel: Panel, trained: Units) -> None:
    """With fixed statistics, a small step of a raw feature everywhere gives the mean change."""
    unit = trained("zscore")
    attribution = attribute_unit(unit_inputs(unit, panel), SAMPLES, NODES, seed=0)
    series = attribution.series.query("feature == 'planted'").set_index("date")["mean_partial"]
    spread = float(feature_spread(unit_inputs(unit, panel))[1])
    step = np.zeros(4, dtype=np.float32)
    step[1] = 0.02 * spread
    moved = [
        score(unit, replace(panel, values=panel.values + sign * step), unit.unit.fold.test)
        for sign in (1, -1)
    ]
    change = (moved[0]["forecast"] - moved[1]["forecast"]).groupby(moved[0]["date"]).mean() / 0.04
    np.testing.assert_allclose(series, change.loc[series.index], rtol=2e-2, atol=1e-5)


def test_the_spread_is_that_of_training_rows_or_of_ranks(panel: Panel, trained: Units) -> None:
    raw = panel.values[:90].astype(np.float64).std(axis=(0, 1))
    for variant in ("none", "zscore"):
        spread = feature_spread(unit_inputs(trained(variant), panel))
        np.testing.assert_allclose(spread, raw, rtol=1e-6)
    ranks = feature_spread(unit_inputs(trained("cs_rank"), panel))
    expected = normalized(trained("cs_rank").unit, panel, {}).values[:90].double()
    np.testing.assert_allclose(ranks, expected.std((0, 1), correction=0), rtol=1e-6)


def test_a_date_coupled_forecast_equals_the_score_with_fixed_companions(
    panel: Panel, trained: Units
) -> None:
    unit = trained("batch_norm_date")
    prepared = unit_inputs(unit, panel)
    chosen = prepared.test[torch.tensor([3, 50, 51, 200])]
    forward, windows = prepared.forward(chosen), prepared.windows(chosen)
    rows = torch.arange(len(chosen))
    scored = unit.forecasts.set_index(["date", "symbol"])["forecast"]
    days = len(panel.dates)
    names = [(panel.dates[c % days], panel.symbols[c // days]) for c in chosen.tolist()]
    with torch.no_grad():
        observed = forward(windows, rows)
        # one window moved: by the network itself, on the whole date
        moved = forward(windows[:1] + 1, rows[:1])
        date = int(chosen[0]) % days
        everyone = torch.arange(len(panel.symbols)) * days + date
        whole = prepared.windows(everyone)
        whole[int(chosen[0]) // days] += 1
        network = network_of(unit, 4).double()
        direct = network(whole, torch.full((len(everyone),), date)) * unit.target_scale
    np.testing.assert_allclose(observed, [scored[name] for name in names], rtol=1e-4, atol=1e-7)
    torch.testing.assert_close(moved[0], direct[int(chosen[0]) // days], rtol=1e-10, atol=1e-14)


def test_without_fixed_companions_the_coupled_network_fails_completeness(
    panel: Panel, trained: Units
) -> None:
    unit = trained("batch_norm_date")
    prepared = unit_inputs(unit, panel)
    chosen = prepared.test[:24]
    baseline = prepared.windows(prepared.train[:24])
    network = network_of(unit, 4).double()
    dates = chosen % len(panel.dates)
    inputs, rows = prepared.windows(chosen), torch.arange(24)
    held = prepared.forward(chosen)
    _, clean = integrated_gradients(held, inputs, baseline, NODES, rows=rows)
    _, fault = integrated_gradients(
        lambda points, rows: network(points, dates[rows]) * unit.target_scale,
        inputs,
        baseline,
        NODES,
        rows=rows,
    )
    with torch.no_grad():
        change = held(inputs, rows) - held(baseline, rows)
    assert clean.abs().max() < 1e-4 * change.abs().mean()
    assert fault.abs().max() > 0.1 * change.abs().mean()


@pytest.mark.parametrize(("rows", "shifted"), [(slice(0, 90), True), (slice(92, 111), False)])
def test_baselines_come_from_the_training_block_only(
    rows: slice, shifted: bool, panel: Panel, trained: Units
) -> None:
    """Move raw rows outside the test windows with fixed statistics: only baselines can change."""
    unit = trained("zscore")
    values = panel.values.copy()
    values[rows] += 5
    moved = replace(panel, values=values)
    expected, actual = (
        attribute_unit(unit_inputs(unit, one), SAMPLES, NODES, seed=0).lagged.set_index("method")[
            "absolute"
        ]
        for one in (panel, moved)
    )
    partials = ["mean_partial", "mean_abs_partial"]
    np.testing.assert_allclose(actual[partials], expected[partials], rtol=1e-4)
    paths = np.allclose(actual["integrated_gradients"], expected["integrated_gradients"], rtol=1e-2)
    assert paths is not shifted


def test_hard_samples_get_more_nodes() -> None:
    inputs = torch.linspace(-2, 2, 50, dtype=torch.float64).view(50, 1, 1)
    hard = torch.arange(50) % 5 == 0

    def forward(points: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        steep = torch.tanh(6 * points[:, 0, 0])
        return torch.where(hard[rows], steep, points[:, 0, 0])

    paths = resolved_gradients(forward, inputs, inputs.flip(0) + 1, 5, rows=torch.arange(50))
    assert paths.nodes > 5
    assert (paths.error <= 1e-4).all()
    change = torch.tanh(6 * inputs) - torch.tanh(6 * (inputs.flip(0) + 1))
    torch.testing.assert_close(paths.attributions[hard], change[hard], rtol=1e-4, atol=1e-4)
    easy = inputs[:, 0, 0] - (inputs.flip(0) + 1)[:, 0, 0]
    torch.testing.assert_close(paths.attributions[:, 0, 0][~hard], easy[~hard])
    assert resolved_gradients(lambda p: p[:, 0, 0], inputs, inputs * 0, 5).nodes == 5


def test_a_kink_stays_unresolved_and_a_constant_forecast_does_not() -> None:
    inputs = torch.linspace(0.5, 2, 50, dtype=torch.float64).view(50, 1, 1)
    kinked = resolved_gradients(lambda p: (p[:, 0, 0] - 0.3).relu(), inputs, inputs * -1, 4)
    assert kinked.nodes == 64
    assert (kinked.error > 1e-4).double().mean() > 0.9
    constant = resolved_gradients(lambda p: 0 * p[:, 0, 0] + 0.1, inputs, inputs * -1, 4)
    assert (constant.error == 0).all()


def test_windows_equal_slices_of_the_panel(panel: Panel, trained: Units) -> None:
    prepared = unit_inputs(trained("zscore"), panel)
    sample = prepared.test[9:10]
    d, s = int(sample) % len(panel.dates), int(sample) // len(panel.dates)
    torch.testing.assert_close(
        cut(prepared.scaled.values, sample, 5)[0], prepared.scaled.values[d - 4 : d + 1, s]
    )


def test_tables_of_several_units_and_of_none(panel: Panel, trained: Units) -> None:
    parts = [
        attribute_unit(unit_inputs(trained(v), panel), 10, 4, seed=0) for v in ("none", "zscore")
    ]
    joined = Attribution.joined(parts)
    assert joined.gap["variant"].tolist() == ["none", "zscore"]
    assert len(joined.series) == sum(len(part.series) for part in parts)
    empty = Attribution.joined([])
    tables = {name: getattr(empty if name in OWN else empty.newest, name) for name in COLUMNS}
    assert {name: tuple(table.columns) for name, table in tables.items()} == dict(COLUMNS)


def test_invalid_requests_are_named(panel: Panel, trained: Units) -> None:
    unit = trained("zscore")
    with pytest.raises(ValueError, match="samples must be at least 1"):
        attribute_unit(unit_inputs(unit, panel), 0, NODES, seed=0)
    with pytest.raises(ValueError, match="nodes must be at least 1"):
        attribute_unit(unit_inputs(unit, panel), SAMPLES, 0, seed=0)
    with pytest.raises(ValueError, match="no attribution method 'shap'"):
        attribute_unit(
            unit_inputs(unit, panel), SAMPLES, NODES, 0, ("integrated_gradients", "shap")
        )
    with pytest.raises(ValueError, match=r"does not have: momentum; it has noise, planted"):
        attribute_unit(unit_inputs(unit, panel), SAMPLES, NODES, 0, groups=(("noise", "momentum"),))
    with pytest.raises(ValueError, match="trained on panel panel, this one is other"):
        attribute_unit(
            unit_inputs(unit, replace(panel, fingerprint="other")), SAMPLES, NODES, seed=0
        )
    nobody = replace(panel, member=np.zeros_like(panel.member))
    with pytest.raises(ValueError, match="no complete window of 5 rows in the test rows"):
        attribute_unit(unit_inputs(unit, nobody), SAMPLES, NODES, seed=0)
