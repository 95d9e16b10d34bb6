"""Attribution of a forecast to daily returns: closed forms, completeness, limits."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from foldproof.tasks.attribute.origins.by_return import (
    StopsAtFeaturesError,
    price_attributions,
    stops_at_features,
)
from foldproof.tasks.attribute.origins.price_result import PARTS
from foldproof.tasks.attribute.origins.raw_rows import RawNeighbourhood
from foldproof.tasks.attribute.origins.returns import Quotes
from foldproof.tasks.data import DataSpec
from tests.tasks.attribute.origins.conftest import NAMES, panel_features

WINDOW, AFTER, BACK = 4, 3, 20


@pytest.fixture(scope="session")
def neighbourhood(market):
    """The raw neighbourhood of FULL on a date, under any forecast of a few features."""
    values = torch.from_numpy(panel_features(market, 5))
    symbols = np.sort(market["symbol"].unique())
    column = int(np.flatnonzero(symbols == "FULL")[0])

    def of(names, forecast, date=305):
        first = date - WINDOW + 1
        rows = values[first : date + 1 + AFTER][..., [NAMES.index(name) for name in names]]
        own = torch.tensor([column])
        return RawNeighbourhood(
            rows, first, WINDOW - 1, WINDOW, own, torch.ones(rows.shape[1], dtype=torch.bool),
            lambda region: forecast(region, column)[None],
        )  # fmt: skip

    return of


def attributed(neighbourhood, market, names, **more):
    asked = {"reference": neighbourhood.first - BACK, "place": 0, "spread": 1.0} | more
    return price_attributions(neighbourhood, Quotes.of(market, 5), names, **asked)


def by_symbol(found) -> pd.Series:
    """Attribution of each symbol, summed over its cells."""
    return pd.Series(found.attributions.sum((0, 2)).numpy(), index=found.symbols)


def own_window(region, column):
    return region[:WINDOW, column]


def test_closed_form_of_a_linear_forecast(neighbourhood, market):
    """3 x the newest 5-day return + 7 x the one of a day before: 3, 10, 10, 10, 10, 7 by lag."""

    def forecast(region, column):
        rows = own_window(region, column)[:, 0]
        return 3 * rows[-1] + 7 * rows[-2]

    one = neighbourhood(("return_5",), forecast)
    found = attributed(one, market, ("return_5",), nodes=1)
    days = found.by_day().set_index("lag")
    close = market[market["symbol"] == "FULL"].set_index("date")["price"]
    returns = np.log(close).diff().to_numpy()
    slopes = np.array([3, 10, 10, 10, 10, 7])
    for lag, slope in enumerate(slopes):
        new, then = returns[305 - lag], returns[305 - BACK - lag]
        assert days.loc[lag, "own returns"] == pytest.approx(slope * new, abs=1e-12)
        assert days.loc[lag + BACK, "own returns"] == pytest.approx(-slope * then, abs=1e-12)
        assert days.loc[lag, "moved"] == pytest.approx(new, abs=1e-14)
    assert not days.drop(index=[*range(6), *range(BACK, BACK + 6)])[list(PARTS)].any(axis=None)
    assert (days[list(PARTS[1:])] == 0).all(axis=None)
    assert by_symbol(found).drop("FULL").abs().sum() == 0
    assert days["date"][0] == pd.Timestamp(found.dates[BACK + found.date])
    before = one.first - BACK
    earlier = torch.from_numpy(panel_features(market, 5))[before : before + WINDOW][..., [1]]
    then = forecast(earlier, found.symbol)
    now = one.forecast(one.values)[0]
    assert found.change == pytest.approx(float(now - then), abs=1e-12), "of two observed forecasts"


def test_a_return_that_both_windows_hold_counts_by_the_change_of_its_slope(neighbourhood, market):
    def forecast(region, column):
        return 2 * own_window(region, column)[-1, 0]

    one = neighbourhood(("return_21",), forecast)
    days = attributed(one, market, ("return_21",), nodes=1).by_day().set_index("lag")["own returns"]
    (kept,) = np.flatnonzero(days.index == BACK)
    assert abs(days.iloc[kept]) < 1e-12, "in the newest 21 returns of both dates"
    assert (days[:BACK].drop(BACK, errors="ignore").abs() > 1e-9).all()


def test_the_market_is_the_other_stocks_by_their_share(neighbourhood, market):
    """r - m over 5 days: 5/6 and -1/6 of each of six members."""
    one = neighbourhood(("relative_5",), lambda region, s: own_window(region, s)[-1, 0], date=275)
    found = attributed(one, market, ("relative_5",), nodes=1)
    moved = found.steps.returns - found.reference.returns
    newest = slice(found.date - 4, found.date + 1)
    own = found.attributions[newest, found.symbol, 0]
    torch.testing.assert_close(own, moved[newest, found.symbol] * 5 / 6)
    others = found.attributions[newest, :, 0].sum(1) - own
    expected = -(moved[newest].sum(1) - moved[newest, found.symbol]) / 6
    torch.testing.assert_close(others, expected)


def smooth(market):
    """A smooth network of every cell of the own window, each in its feature's own size."""
    generator = torch.Generator().manual_seed(5)
    weight = torch.randn(WINDOW, len(NAMES), 8, generator=generator, dtype=torch.float64)
    values = panel_features(market, 5)
    level, size = (torch.from_numpy(f(values, (0, 1))) for f in (np.nanmean, np.nanstd))

    def forecast(region, column):
        scaled = (own_window(region, column) - level) / size
        return torch.tanh(torch.einsum("tf,tfh->h", scaled, weight) / 10).sum()

    return forecast


@pytest.mark.parametrize("date", [285, 300, 320])
def test_attributions_through_all_features_add_up_to_1e8(neighbourhood, market, date):
    found = attributed(neighbourhood(NAMES, smooth(market), date), market, NAMES, nodes=320)
    assert abs(found.change) > 0.1
    assert abs(found.gap) < 1e-8
    assert found.attributions.sum() == pytest.approx(found.change, abs=1e-8)
    days = found.by_day()
    assert days[list(PARTS)].to_numpy().sum() == pytest.approx(found.change, abs=1e-8)
    assert by_symbol(found).sum() == pytest.approx(found.change, abs=1e-8)
    assert (days["lag"] >= 0).all(), "nothing rests on rows after the date"
    sizes = days[list(PARTS)].abs().sum()
    assert (sizes > 1e-3).all(), "own returns, the market's, the price level, volume"


def test_the_price_level_matters_to_illiquidity_alone(neighbourhood, market):
    names = tuple(name for name in NAMES if name != "illiquidity_21")
    few = torch.tensor([NAMES.index(name) for name in names])
    whole, level = smooth(market), torch.from_numpy(np.nanmean(panel_features(market, 5), (0, 1)))

    def forecast(region, column):
        all_of = level.expand(*region.shape[:2], -1).index_copy(2, few, region)
        return whole(all_of, column)

    days = attributed(neighbourhood(names, forecast), market, names).by_day()
    assert days["price levels"].abs().max() < 1e-12
    assert days["volumes"].abs().sum() > 1e-3


def test_ten_nodes_split_at_kinks_beat_many_without(neighbourhood, market, monkeypatch):
    one = neighbourhood(NAMES, smooth(market))
    cut = attributed(one, market, NAMES)
    monkeypatch.setattr("foldproof.tasks.attribute.origins.by_return.kinks", lambda *_: [[]])
    blunt = attributed(one, market, NAMES)
    assert cut.nodes < blunt.nodes
    assert cut.resolved


def test_cells_without_a_counterpart_do_not_move(neighbourhood, market):
    """A stock listed between the two dates does not move."""
    late = market[(market["symbol"] != "LEFT") | (market.groupby("symbol").cumcount() > 295)]
    one = neighbourhood(("relative_5",), lambda region, s: own_window(region, s)[-1, 0], date=303)
    rows = torch.from_numpy(panel_features(late, 5))[one.first : one.first + len(one.values)]
    one = replace(one, values=rows[..., [NAMES.index("relative_5")]])
    found = attributed(one, late, ("relative_5",), nodes=1)
    assert by_symbol(found)["LEFT"] == 0
    assert abs(found.gap) < 1e-12


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda one: replace(one, values=one.values + 0.1),
            "the supplied prices give another value of ret",
        ),
        (lambda one: replace(one, forecast=lambda r: r[-1, :1, 0].argsort().double()), "ranks"),
    ],
)
def test_the_reason_for_stopping_at_features_is_given(neighbourhood, market, change, message):
    one = neighbourhood(("return_5",), lambda region, s: own_window(region, s)[-1, 0])
    with pytest.raises(StopsAtFeaturesError, match=message):
        attributed(change(one), market, ("return_5",))


def test_a_constant_reference_price_has_no_reversal(neighbourhood, market):
    frame, day = market.copy(), market.groupby("symbol").cumcount()
    still = (frame["symbol"] == "FULL") & day.between(250, 284)
    frame.loc[still, "price"] = 50.0
    one = neighbourhood(("reversal_5",), lambda region, s: own_window(region, s)[-1, 0], date=320)
    first, last = one.first, one.first + len(one.values)
    rows = torch.from_numpy(panel_features(frame, 5))[first:last, :, [NAMES.index("reversal_5")]]
    with pytest.raises(
        StopsAtFeaturesError, match="the reference rows have no value of reversal_5"
    ):
        attributed(replace(one, values=rows), frame, ("reversal_5",), reference=280)


@pytest.mark.parametrize(
    ("features", "why"),
    [
        ("ready", "the features are ready-made"),
        ("house.alpha:made", "house.alpha:made makes the features"),
    ],
)
def test_custom_features_have_no_attribution_to_prices(features, why):
    data = DataSpec(source="file", path="rows.csv", features=features)
    assert why in stops_at_features(data)
