"""A network trained on the return of one known day is attributed to that day; a control is not."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
import torch

from foldproof.models.spec import NetworkSpec, TrainingSpec
from foldproof.tasks.attribute.explain import explain_forecast
from foldproof.tasks.attribute.origins.price_result import PARTS
from foldproof.tasks.data import ColumnsSpec, DataSpec, TargetSpec, from_frame
from foldproof.tasks.split import Fold
from foldproof.tasks.train import Unit, train_unit
from foldproof.tasks.train.serving.model import read_served, write_served

DAYS, SYMBOLS, AGE, BACK = 620, 12, 3, 10
ROLES = ColumnsSpec(price="price", target="target", label_end="label_end")


def rows(planted: bool) -> pd.DataFrame:
    """Random walks; the target is the return of three days ago, or noise."""
    rng = np.random.default_rng(11)
    returns = 0.02 * rng.standard_normal((DAYS, SYMBOLS))
    noise = 0.02 * rng.standard_normal((DAYS, SYMBOLS))
    target = np.roll(returns, AGE, axis=0) + 0.3 * noise if planted else noise
    dates = pd.bdate_range("2018-01-01", periods=DAYS + 1)
    return pd.DataFrame(
        {
            "date": np.repeat(dates[:-1], SYMBOLS),
            "symbol": np.tile([f"S{s:02d}" for s in range(SYMBOLS)], DAYS),
            "price": 50 * np.exp(returns.cumsum(0)).ravel(),
            "target": target.ravel(),
            "label_end": np.repeat(dates[1:], SYMBOLS),
        }
    )


def explained(planted: bool, folder):
    torch.set_num_threads(1)
    frame = rows(planted)
    panel = from_frame(frame, ROLES, TargetSpec(1, "return"), now=date(2026, 1, 1))
    fold = Fold(0, range(260, 500), range(501, 540), range(541, DAYS), panel.dates)
    training = TrainingSpec(epochs=12, batch_size=128, learning_rate=1e-2, patience=12)
    network = NetworkSpec(window=6, hidden=8)
    trained = train_unit(Unit("zscore", fold, 0, network, training, panel.fingerprint, "p"), panel)
    data = DataSpec(source="file", path="rows.csv", features="price", columns=ROLES)
    served = read_served(*write_served(trained, panel.features, data, folder).values())
    raw = frame[["date", "symbol", "price"]]
    known = served.inputs(raw)
    return [
        explain_forecast(served, known, f"S{s:02d}", panel.dates[600 - 3 * s], BACK, raw=raw)
        for s in range(SYMBOLS)
    ]


def by_place(found) -> pd.Series:
    """Share of each lag in all attributions of own returns, over the explained forecasts."""
    sizes = []
    for one in found:
        prices = one.prices
        own = prices.attributions[:, prices.symbol, 0].abs()
        sizes.append(own[: prices.date + 1].flip(0))
    total = torch.stack(sizes).sum(0)
    return pd.Series((total / total.sum()).numpy())


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    return explained(True, tmp_path_factory.mktemp("planted"))


def named(found) -> float:
    """Share of forecasts attributed most to the planted day, at its present or former place."""
    days = [one.prices.by_day().set_index("lag")["own returns"].abs() for one in found]
    return float(np.mean([one.idxmax() in (AGE, AGE + BACK) for one in days]))


@pytest.mark.slow
def test_the_planted_day_ranks_first_and_not_in_a_control(planted, tmp_path):
    share, control = by_place(planted), explained(False, tmp_path)
    assert share.idxmax() == AGE
    assert share[AGE] > 4 * share.drop(AGE).max(), "0.22 against 0.04"
    assert named(planted) > 0.7, "0.83"
    assert by_place(control)[AGE] < share[AGE] / 4, "0.02"
    assert named(control) < 0.2


def test_prices_and_features_explain_the_same_change_and_add_up(planted):
    for one in planted:
        assert one.prices.resolved
        assert one.trusted
        assert one.prices.change == pytest.approx(one.forecast - one.before, abs=1e-4 * one.spread)
        days = one.prices.by_day()
        total = days[list(PARTS)].to_numpy().sum()
        assert total == pytest.approx(one.totals().sum(), abs=3e-4 * one.spread)
        assert str(days.loc[days["lag"] == 0, "date"].item().date()) == one.date
        assert str(days.loc[days["lag"] == BACK, "date"].item().date()) == one.against
