import math

import numpy as np
import pandas as pd
import pytest

from foldproof.tasks.data import (
    DataSpec,
    Panel,
    SyntheticSpec,
    TargetSpec,
    build,
    load_raw,
    price_features,
)
from foldproof.tasks.data.synthetic.echo import UNITS, recent


def spec(signal: float, seed: int = 1, days: int = 1500, symbols: int = 60) -> DataSpec:
    size = SyntheticSpec(days=days, symbols=symbols, signal=signal, seed=seed)
    return DataSpec(
        source="echo", features="foldproof.tasks.data.synthetic.echo:recent", synthetic=size
    )


def panel_of(signal: float, kind: str = "return") -> Panel:
    return build(spec(signal), TargetSpec(1, kind))


def daily_rank_ic(panel: Panel) -> pd.Series:
    """Of the newest return as the forecast, where all features are there."""
    forecast = pd.DataFrame(panel.values[64:-1, :, 0].astype(float))
    return forecast.corrwith(pd.DataFrame(panel.target[64:-1]), axis=1, method="spearman")


@pytest.mark.parametrize("signal", [0.0, 0.063, 0.3])
def test_the_last_return_has_the_stated_rank_ic(signal: float) -> None:
    daily = daily_rank_ic(panel_of(signal))
    truth = 6 / math.pi * math.asin(signal / 2)
    error = daily.std() / len(daily) ** 0.5
    assert error < 0.005
    # betas differ: the common part of the return takes up to a twentieth of the correlation
    assert 0.95 * truth - 4 * error < daily.mean() < truth + 4 * error


@pytest.mark.parametrize("signal", [0.0, 0.3])
def test_the_label_is_the_newest_input_of_the_next_window(signal: float) -> None:
    panel = panel_of(signal)
    newest = np.expm1(panel.values[65:, :, 0].astype(float) / 100)
    np.testing.assert_allclose(panel.target[64:-1], newest, atol=2e-8)
    assert np.isnan(panel.target[-1]).all()
    assert (panel.label_end[:-1] == panel.dates[1:]).all()
    assert np.isnat(panel.label_end[-1])


def test_without_signal_the_truth_is_empty() -> None:
    assert panel_of(0.0).about["truth"] == {}
    assert panel_of(0.3).about["truth"] == {"return_1": {0: 0.3}}


def test_the_features_are_the_catalogues_in_other_units() -> None:
    raw = load_raw(spec(0.1, days=300, symbols=5))
    whole = price_features(raw, fill_limit=0)
    expected = pd.DataFrame({name: unit * whole[name] for name, unit in UNITS.items()})
    pd.testing.assert_frame_equal(recent(raw), expected)


def test_no_feature_reads_a_later_row() -> None:
    raw = load_raw(spec(0.1, days=300, symbols=5))
    past = raw[raw["date"] <= raw["date"].unique()[200]]
    pd.testing.assert_frame_equal(recent(past), recent(raw).loc[past.index], check_exact=True)


def test_seeds_draw_other_panels_and_the_same_seed_the_same() -> None:
    one, other = (build(spec(0.1, seed, 300, 5), TargetSpec(1)).fingerprint for seed in (1, 2))
    assert one != other
    assert build(spec(0.1, 1, 300, 5), TargetSpec(1)).fingerprint == one
