"""Attribution of forecasts through every normalizer to the supplied cells."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from foldproof.models.normalizers import VARIANTS, with_features
from foldproof.models.normalizers.history import RollingZScore
from foldproof.tasks.attribute import integrated_gradients
from foldproof.tasks.attribute.methods.adaptive import TOLERANCE
from foldproof.tasks.attribute.origins.origins import (
    origin_shares,
    origins_of_unit,
    shapley_of_origins,
)
from foldproof.tasks.attribute.origins.raw_rows import (
    ORIGINS,
    FixedStatistics,
    RawNeighbourhood,
    follows_later_rows,
    neighbourhood_of,
    rows_at,
    supplied_attributions,
)
from foldproof.tasks.attribute.unit.inputs import unit_inputs
from foldproof.tasks.train import train_unit
from tests.variants import EVERY_VARIANT

DATE = 140
SHORT = RollingZScore(window=20, minimum=5)
"""The panel of the tests is shorter than the rolling window of the catalogue."""


@pytest.fixture
def unit(trained, panel, monkeypatch):
    """Any variant's unit; rolling statistics over fewer rows."""
    rolling = replace(VARIANTS["rolling_zscore"], input=SHORT)
    shorter = {**VARIANTS, "rolling_zscore": rolling}
    for module in (
        "foldproof.tasks.train.inputs",
        "foldproof.tasks.train.train",
        "foldproof.tasks.attribute.origins.raw_rows",
    ):
        monkeypatch.setattr(f"{module}.resolve", shorter.__getitem__)

    def of(variant):
        if variant != "rolling_zscore":
            return trained(variant)
        return train_unit(replace(trained("none").unit, variant=variant), panel)

    return of


def scored(unit, panel):
    """Forecasts of DATE by symbol, and the spread of all."""
    table = unit.forecasts
    here = table[table["date"].to_numpy().astype("datetime64[D]") == panel.dates[DATE]]
    return here.sort_values("symbol")["forecast"].to_numpy(), float(table["forecast"].std(ddof=0))


def cells(panel):
    return torch.from_numpy(panel.values).double()


def of_date(unit, panel):
    test = unit_inputs(unit, panel).test
    symbols = test[test % len(panel.dates) == DATE] // len(panel.dates)
    return neighbourhood_of(
        FixedStatistics.of(unit), cells(panel), torch.from_numpy(panel.member), DATE, symbols
    )


@pytest.mark.parametrize("variant", EVERY_VARIANT)
def test_the_function_equals_the_score_and_its_origins_match_the_variants_claims(
    unit, panel, variant
):
    one, claims = unit(variant), VARIANTS[variant]
    neighbourhood = of_date(one, panel)
    forecasts, spread = scored(one, panel)
    made = neighbourhood.forecast(neighbourhood.values).detach().numpy()
    np.testing.assert_allclose(made, forecasts, atol=1e-4 * spread)
    if not neighbourhood.differentiable:
        assert "rank" in variant or variant == "rolling_robust_zscore"
        with pytest.raises(ValueError, match="autograd graph"):
            supplied_attributions(neighbourhood, neighbourhood.values + 1, 0, spread)
        return
    reference = rows_at(cells(panel), neighbourhood.first - 60, len(neighbourhood.values))
    for place in (0, 3):
        found = supplied_attributions(neighbourhood, reference, place, spread)
        resolved = not claims.kinks and not claims.positive
        assert abs(found.gap) <= TOLERANCE or not resolved, "of the forecasts' spread"
        assert found.cells.sum() == pytest.approx(
            found.change + found.gap * spread, abs=1e-9 * spread
        )
        size = dict(zip(ORIGINS, found.absolute.sum(1), strict=True))
        assert (size["rows not yet known"] > 0) == claims.control
        assert claims.causal or claims.control
        if not claims.control:
            assert (size["other symbols"] > 0) == (claims.coupling == "date")
            history = variant.startswith(
                ("rolling", "expanding", "score", "ewm", "volatility", "cs_rolling")
            )
            assert (size["own earlier rows"] > 0) == history


@pytest.mark.parametrize(
    ("variant", "alone"),
    [("none", True), ("zscore", True), ("rolling_zscore", True), ("ewm_zscore", True),
     ("cs_zscore", False), ("full_sample_zscore", False)],
)  # fmt: skip
def test_other_symbols_are_normalized_only_where_the_forecast_reads_them(
    unit, panel, variant, alone
):
    one = unit(variant)
    every, symbol = of_date(one, panel), 2
    model, member = FixedStatistics.of(one), torch.from_numpy(panel.member)
    own = neighbourhood_of(model, cells(panel), member, DATE, torch.tensor([symbol]))
    assert own.read.nonzero().flatten().tolist() == ([symbol] if alone else [*range(len(own.read))])
    places = [(own, 0), (every, int((every.symbols == symbol).nonzero()))]
    found = []
    for neighbourhood, place in places:
        rows = neighbourhood.values.clone().requires_grad_()
        forecast = neighbourhood.forecast(rows)[place]
        found.append((forecast.detach(), *torch.autograd.grad(forecast, rows)))
    torch.testing.assert_close(found[0], found[1], rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("variant", ["zscore", "instance_norm", "batch_norm_hidden"])
def test_constant_statistics_do_not_change_integrated_gradients(unit, panel, variant):
    """Independent check: an affine map of a cell does not change its attribution."""
    one = unit(variant)
    neighbourhood, prepared = of_date(one, panel), unit_inputs(one, panel)
    reference = rows_at(cells(panel), neighbourhood.first - 60, len(neighbourhood.values))
    found = supplied_attributions(neighbourhood, reference, 2, 1.0, nodes=40)
    days = len(panel.dates)
    sample = torch.tensor([2 * days + DATE])
    forward = prepared.forward(sample)
    expected, _ = integrated_gradients(
        lambda points: forward(points, torch.zeros(len(points), dtype=torch.int64)),
        prepared.windows(sample), prepared.windows(sample - 60), 40,
    )  # fmt: skip
    own = found.cells[neighbourhood.date - neighbourhood.window + 1 : neighbourhood.date + 1, 2]
    torch.testing.assert_close(own, expected[0], rtol=1e-5, atol=1e-9)


def test_captum_finds_the_same_through_cross_sectional_and_rolling_statistics(unit, panel):
    captum = pytest.importorskip("captum.attr")
    for variant in ("cs_zscore", "rolling_zscore"):
        neighbourhood = of_date(unit(variant), panel)
        reference = rows_at(cells(panel), neighbourhood.first - 60, len(neighbourhood.values))
        found = supplied_attributions(neighbourhood, reference, 1, 1.0, nodes=20)
        known = reference.isfinite()
        start = torch.where(known, reference, neighbourhood.values)

        def forward(points, neighbourhood=neighbourhood):
            return torch.stack([neighbourhood.forecast(point)[1] for point in points])

        explained = captum.IntegratedGradients(forward).attribute(
            neighbourhood.values.unsqueeze(0), start.unsqueeze(0), n_steps=found.nodes,
            method="gausslegendre", internal_batch_size=1,
        )  # fmt: skip
        scale = float(found.cells.abs().max())
        torch.testing.assert_close(
            found.cells / scale, explained[0].detach() / scale, rtol=0, atol=1e-6
        )


def test_fits_on_later_rows_are_detected_by_changing_these_rows(panel):
    values = torch.from_numpy(panel.values).double()
    member = torch.from_numpy(panel.member)
    names = ("beta_63", *panel.features[1:])  # one normalizer needs a style
    found = {
        name: follows_later_rows(with_features(variant, names).input, values, member, range(90))
        for name, variant in VARIANTS.items()
    }
    assert [name for name, follows in found.items() if follows] == ["full_sample_zscore"]


def by_hand():
    """Forecast of symbol 0: 2 x its newest cell + 3 x its oldest + 5 x symbol 1 + 7 x tomorrow."""
    values = torch.arange(12, dtype=torch.float64).view(6, 2, 1) + 1

    def forecast(rows):
        total = 2 * rows[4, 0, 0] + 3 * rows[0, 0, 0] + 5 * rows[4, 1, 0] + 7 * rows[5, 0, 0]
        return total.unsqueeze(0)

    everyone = torch.ones(values.shape[1], dtype=torch.bool)
    return RawNeighbourhood(values, 0, 4, 2, torch.tensor([0]), everyone, forecast)


def shapley(neighbourhood, reference):
    """(4,) exact Shapley values by origin."""
    return shapley_of_origins(neighbourhood, reference, 0, torch.Generator(), pairs=1).sum(1)


def test_closed_form_of_a_linear_forecast_by_origin():
    neighbourhood = by_hand()
    reference = torch.zeros_like(neighbourhood.values)
    found = supplied_attributions(neighbourhood, reference, 0, 1.0, nodes=1)
    expected = torch.tensor([2.0 * 9, 3.0 * 1, 5.0 * 10, 7.0 * 11]).double()
    torch.testing.assert_close(found.signed.sum(1), expected)
    torch.testing.assert_close(shapley(neighbourhood, reference), expected)
    assert found.change == float(expected.sum())


def test_shapley_values_share_an_interaction_equally():
    neighbourhood = by_hand()
    together = replace(
        neighbourhood,
        forecast=lambda rows: (rows[4, 0, 0] * rows[4, 1, 0] * rows[0, 0, 0]).unsqueeze(0),
    )
    found = shapley(together, torch.zeros_like(neighbourhood.values))
    torch.testing.assert_close(found, torch.tensor([30.0, 30.0, 30.0, 0.0]).double())


def test_missing_cells_do_not_move():
    neighbourhood = by_hand()
    reference = torch.zeros_like(neighbourhood.values)
    reference[4, 0] = torch.nan
    found = supplied_attributions(neighbourhood, reference, 0, 1.0, nodes=1)
    assert found.signed.sum(1).tolist() == [0, 3, 50, 77]
    assert shapley(neighbourhood, reference).tolist() == pytest.approx([0, 3, 50, 77])


def test_rows_outside_the_panel_are_missing(panel):
    rows = rows_at(cells(panel), -2, 5)
    assert rows[:2].isnan().all()
    torch.testing.assert_close(rows[2:], cells(panel)[:3])
    assert rows_at(cells(panel), len(panel.dates) - 1, 3)[1:].isnan().all()


@pytest.mark.parametrize("date", [3, 160])
def test_a_window_must_lie_within_the_rows(unit, panel, date):
    model, member = FixedStatistics.of(unit("zscore")), torch.from_numpy(panel.member)
    with pytest.raises(ValueError, match=f"5 rows must end within 160 rows, at row {date}"):
        neighbourhood_of(model, cells(panel), member, date, torch.tensor([0]))


@pytest.mark.parametrize(
    "variant",
    ["cs_zscore", "cs_rank", "none", pytest.param("robust_instance_norm", marks=pytest.mark.slow)],
)
def test_a_units_forecasts_by_origin(unit, panel, variant):
    one = unit(variant)
    prepared = unit_inputs(one, panel)
    found, supplied = origins_of_unit(prepared, forecasts=3, nodes=10)
    assert len(supplied) == 3
    assert supplied["resolved"].all()
    assert set(found["feature"]) == set(panel.features)
    totals = found.groupby(["date", "symbol"])["attribution"].sum()
    change = supplied.set_index(["date", "symbol"])["change"].sort_index()
    spread = float(one.forecasts["forecast"].std(ddof=0))
    np.testing.assert_allclose(totals, change, atol=TOLERANCE * spread)
    shares = origin_shares(found)
    assert shares.sum() == pytest.approx(1.0)
    assert (shares["other symbols"] > 0.05) == variant.startswith("cs")
    assert shares["rows not yet known"] == 0
    again, _ = origins_of_unit(prepared, forecasts=3, nodes=10)
    pd.testing.assert_frame_equal(found, again)


def test_style_columns_of_other_stocks_carry_the_forecast_of_a_neutral_variant(trained, panel):
    inputs = unit_inputs(trained("neutral_zscore ~ lagged"), panel)
    origins, supplied = origins_of_unit(inputs, 1, 10)
    assert supplied["resolved"].all()
    assert origin_shares(origins)["other symbols"] > 0.05
