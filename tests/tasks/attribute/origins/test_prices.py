"""Attribution of a comparison's forecasts to daily returns."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
import torch

from foldproof.models.spec import NetworkSpec, TrainingSpec
from foldproof.tasks.attribute.methods.adaptive import TOLERANCE
from foldproof.tasks.attribute.origins.origins import origins_of_unit
from foldproof.tasks.attribute.origins.price_result import PARTS
from foldproof.tasks.attribute.origins.prices import prices_of_unit
from foldproof.tasks.attribute.unit.inputs import unit_inputs
from foldproof.tasks.attribute.unit.tables import COLUMNS
from foldproof.tasks.data import ColumnsSpec, DataSpec, TargetSpec, from_frame
from foldproof.tasks.split import Fold
from foldproof.tasks.train import Unit, train_unit

ROLES = ColumnsSpec(price="price")
DATA = DataSpec(source="file", path="rows.csv", features="price", columns=ROLES)
DAYS, SYMBOLS = 420, 5


@pytest.fixture(scope="module")
def rows():
    returns = 0.02 * np.random.default_rng(4).standard_normal((DAYS, SYMBOLS))
    return pd.DataFrame(
        {
            "date": np.repeat(pd.bdate_range("2018-01-01", periods=DAYS), SYMBOLS),
            "symbol": np.tile([f"S{s}" for s in range(SYMBOLS)], DAYS),
            "price": 50 * np.exp(returns.cumsum(0)).ravel(),
        }
    )


@pytest.fixture(scope="module")
def unit_of(rows):
    torch.set_num_threads(1)
    panel = from_frame(rows, ROLES, TargetSpec(1, "return"), now=date(2026, 1, 1))
    fold = Fold(0, range(256, 340), range(342, 370), range(372, 410), panel.dates)
    network, training = NetworkSpec(window=4, hidden=4), TrainingSpec(epochs=2, batch_size=64)

    def of(variant):
        unit = Unit(variant, fold, 0, network, training, panel.fingerprint, "p")
        return train_unit(unit, panel), panel

    return of


@pytest.mark.parametrize("variant", ["zscore", pytest.param("cs_zscore", marks=pytest.mark.slow)])
def test_changes_equal_those_of_origins_and_days_add_up(unit_of, rows, variant):
    trained, panel = unit_of(variant)
    by_return, lines = prices_of_unit(unit_inputs(trained, panel), DATA, rows, 2, 10)
    _, features = origins_of_unit(unit_inputs(trained, panel), 2, 10)
    spread = float(trained.forecasts["forecast"].std(ddof=0))
    assert list(lines) == list(COLUMNS["to_prices"])
    assert list(by_return) == list(COLUMNS["by_return"])
    assert lines["resolved"].all()
    assert (lines["stops"] == "").all()
    same = ["date", "symbol"]
    pd.testing.assert_frame_equal(lines[same], features[same])
    np.testing.assert_allclose(lines["change"], features["change"], atol=1e-4 * spread)
    sums = by_return.groupby(["date", "symbol"])["attribution"].sum()
    change = lines.set_index(["date", "symbol"])["change"].sort_index()
    np.testing.assert_allclose(sums, change, atol=TOLERANCE * spread)
    assert set(by_return["part"]) <= set(PARTS)
    assert {"own returns", "other returns"} <= set(by_return["part"])
    assert (by_return["lag"] >= 0).all()
    assert (by_return["absolute"] >= by_return["attribution"].abs() - 1e-15).all()


@pytest.mark.parametrize(
    ("variant", "why"),
    [("cs_rank", "ranks, which have no derivative"), ("full_sample_zscore", "the panel's end")],
)
def test_stopping_at_the_features_gives_the_reason(unit_of, rows, variant, why):
    by_return, lines = prices_of_unit(unit_inputs(*unit_of(variant)), DATA, rows, 1, 10)
    assert by_return.empty
    assert lines["stops"].str.contains(why).all()
    assert not lines["resolved"].any()


def test_restated_rows_are_rejected(unit_of, rows):
    restated = rows.assign(price=rows["price"] * np.exp(0.01 * np.sin(np.arange(len(rows)))))
    _, lines = prices_of_unit(unit_inputs(*unit_of("zscore")), DATA, restated, 1, 10)
    assert lines["stops"].str.contains("the supplied prices give another value").all()
