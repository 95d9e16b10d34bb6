from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from foldproof.models.network import Ensemble
from foldproof.tasks.data import (
    ColumnsSpec,
    DataError,
    DataSpec,
    SyntheticSpec,
    TargetSpec,
    build,
    load_raw,
)
from foldproof.tasks.operate.monitoring.importance import importance_of_rows
from foldproof.tasks.split import plan_hash
from foldproof.tasks.train import Unit, network_of, train_unit
from foldproof.tasks.train.serving.model import example_rows, read_served, write_served
from foldproof.tasks.train.serving.record import background_of, served_of
from tests.tasks.train.conftest import SPLIT
from tests.variants import EVERY_VARIANT

PRICES = DataSpec(
    source="noise",
    features="price",
    min_history=50,
    synthetic=SyntheticSpec(days=700, symbols=8, seed=2),
)


@pytest.mark.parametrize("variant", EVERY_VARIANT)
def test_a_served_unit_scores_as_it_did_in_the_comparison(
    variant: str, unit: Unit, tmp_path: Path
) -> None:
    """From raw rows up to a date: the forecast of that date in the test block."""
    panel = build(PRICES, TargetSpec())
    fold = SPLIT.folds(panel.dates, panel.label_end)[0]
    one = replace(
        unit, variant=variant, fold=fold, panel=panel.fingerprint, plan=plan_hash((fold,)),
        training=replace(unit.training, epochs=1),
    )  # fmt: skip
    trained = train_unit(one, panel)
    served = read_served(*write_served(trained, panel.features, PRICES, tmp_path).values())
    raw = load_raw(PRICES)
    for date in fold.test_dates[[0, 40]]:
        known = trained.forecasts[trained.forecasts["date"] == date].set_index("symbol")
        rows = raw[raw["date"] <= date]
        scores = served.score(rows).set_index("symbol")["score"]
        spread = known["forecast"].std()
        np.testing.assert_allclose(scores, known["forecast"], atol=1e-5 * spread, rtol=1e-5)


def test_a_served_ensemble_scores_the_mean_of_its_networks(unit: Unit, tmp_path: Path) -> None:
    """Written, read and scored from raw rows; attributed as the mean of its networks too."""
    panel = build(PRICES, TargetSpec())
    fold = SPLIT.folds(panel.dates, panel.label_end)[0]
    one = replace(
        unit, variant="batch_norm_date", fold=fold, training=replace(unit.training, epochs=1)
    )
    first, *others = (train_unit(replace(one, seed=seed), panel) for seed in (0, 1, 5))
    together = replace(first, others=tuple(others))
    served = read_served(*write_served(together, panel.features, PRICES, tmp_path).values())
    date, raw = fold.test_dates[40], load_raw(PRICES)
    known = pd.concat([each.forecasts for each in (first, *others)])
    mean = known[known["date"] == date].groupby("symbol")["forecast"].mean()
    scores = served.score(raw[raw["date"] <= date]).set_index("symbol")["score"]
    np.testing.assert_allclose(scores[mean.index], mean, atol=1e-5 * mean.std(), rtol=1e-5)
    dense = served.inputs(raw)
    block = dense.between(fold.train_dates[0].item(), fold.train_dates[-1].item())
    rows = dense.between(fold.test_dates[0].item(), fold.test_dates[-1].item())
    assert sum(importance_of_rows(served, dense, rows, block, 30).values()) == pytest.approx(1)
    twice = replace(served_of(first, panel.features, PRICES), network=Ensemble([
        network_of(first, len(panel.features)), network_of(first, len(panel.features))
    ]))  # fmt: skip
    alone = served_of(first, panel.features, PRICES)
    assert importance_of_rows(twice, dense, rows, block, 30) == pytest.approx(
        importance_of_rows(alone, dense, rows, block, 30)
    )


def test_a_model_of_a_file_scores_rows_in_the_columns_of_that_file(
    unit: Unit, tmp_path: Path
) -> None:
    """With the built-in features and with a user's own, whose function gets these columns too."""
    raw = load_raw(PRICES)
    named = {"date": "Date", "symbol": "Ticker", "price": "Adj Close"}
    table = raw[[*named]].rename(columns=named)
    table.to_csv(tmp_path / "prices.csv", index=False)
    for features in ("price", "tests.tasks.train.serving.test_model:one_day"):
        spec = DataSpec(
            source="file", path=str(tmp_path / "prices.csv"), min_history=50, features=features,
            columns=ColumnsSpec(**named),
        )  # fmt: skip
        panel = build(spec, TargetSpec())
        fold = SPLIT.folds(panel.dates, panel.label_end)[0]
        one = replace(
            unit, fold=fold, panel=panel.fingerprint, plan=plan_hash((fold,)),
            training=replace(unit.training, epochs=1),
        )  # fmt: skip
        trained = train_unit(one, panel)
        served = read_served(*write_served(trained, panel.features, spec, tmp_path).values())
        date = fold.test_dates[40]
        known = trained.forecasts[trained.forecasts["date"] == date].set_index("symbol")
        scores = served.score(table[table["Date"] <= date]).set_index("symbol")["score"]
        spread = known["forecast"].std()
        np.testing.assert_allclose(scores, known["forecast"], atol=1e-5 * spread, rtol=1e-5)


def one_day(rows: pd.DataFrame) -> pd.DataFrame:
    """A feature in the user's own words."""
    close = rows.groupby("Ticker")["Adj Close"]
    return pd.DataFrame({"change": close.pct_change(), "five": close.pct_change(5)})


def test_a_symbol_without_history_gets_no_score(unit: Unit, tmp_path: Path, panel) -> None:
    spec = DataSpec(
        source="linear", features="ready", min_history=50,
        synthetic=SyntheticSpec(days=420, symbols=16, n_features=5, signal=0.3, seed=3),
    )  # fmt: skip
    trained = train_unit(unit, panel)
    served = read_served(*write_served(trained, panel.features, spec, tmp_path).values())
    rows = example_rows(load_raw(spec), spec, panel.features, rows=30, symbols=20)
    late = rows["symbol"].iloc[0]
    dates = sorted(rows["date"].unique())
    rows = rows[(rows["symbol"] != late) | (rows["date"] >= dates[-2])]
    scores = served.score(rows).set_index("symbol")["score"]
    assert pd.isna(scores[late])
    assert scores.drop(late).notna().all()


def test_the_files_hold_no_pickle(unit: Unit, panel, tmp_path: Path) -> None:
    trained = train_unit(unit, panel)
    files = write_served(trained, panel.features, DataSpec(), tmp_path)
    assert sorted(file.suffix for file in files.values()) == [".json", ".safetensors"]


def test_a_normalization_by_all_rows_so_far_needs_them_for_a_score(
    unit: Unit, tmp_path: Path
) -> None:
    panel, raw = build(PRICES, TargetSpec()), load_raw(PRICES)
    fold = SPLIT.folds(panel.dates, panel.label_end)[0]
    one = replace(
        unit, variant="expanding_zscore", fold=fold, panel=panel.fingerprint,
        plan=plan_hash((fold,)), training=replace(unit.training, epochs=1),
    )  # fmt: skip
    trained = train_unit(one, panel)
    served = served_of(trained, panel.features, PRICES)
    background = background_of(served, served.inputs(raw), trained)
    served = replace(served, background=background)
    first = raw["date"].min()
    assert background.since == first.date()
    earlier = raw[raw["date"] == first].assign(date=first - pd.Timedelta(days=1), price=1e6)
    whole, longer = (served.score(rows) for rows in (raw, pd.concat([earlier, raw])))
    pd.testing.assert_frame_equal(whole, longer)
    with pytest.raises(DataError, match=f"normalizes by all rows since {first.date()}"):
        served.score(raw[raw["date"] > first])
    written = write_served(trained, panel.features, PRICES, tmp_path, background)
    assert read_served(*written.values()).background == background
