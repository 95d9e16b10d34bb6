import numpy as np
import pandas as pd
import pytest

from foldproof.tasks.diagnose.statistical.noise_market import noise_market
from tests.tasks.diagnose.long_panels import long_panel

BAR = ("open", "high", "low", "close")


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    """Bars, a volume, gaps and a delisting; rows in any order."""
    frame = long_panel(0, dates=80, symbols=6)
    draw = np.random.default_rng(1)
    a, b = np.sort(draw.normal(0, 0.01, (2, len(frame))), axis=0)
    frame["high"] = frame["close"] * np.exp(np.maximum(b, 0) + 0.001)
    frame["low"] = frame["close"] * np.exp(np.minimum(a, 0) - 0.001)
    frame["open"] = frame["low"] * (frame["high"] / frame["low"]) ** draw.uniform(0.2, 0.8, len(a))
    frame["volume"] = draw.integers(1, 1000, len(frame))
    frame.loc[draw.random(len(frame)) < 0.05, list(BAR)] = np.nan
    gone = (frame["symbol"] == "S03") & (frame["date"] > frame["date"][300])
    return frame[~gone].sample(frac=1, random_state=0)


def steps(frame: pd.DataFrame, column: str = "close") -> pd.DataFrame:
    """(D, S) log return from the last known price."""
    wide = np.log(frame.pivot(index="date", columns="symbol", values=column))
    return wide - wide.ffill().shift()


def noise_of(data: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    return noise_market(data, BAR, np.random.default_rng(seed))


def test_market_and_own_returns_keep_their_size_and_get_random_signs(data):
    """Recomputed on the wide table: r = m + e becomes a m + b e."""
    before, after = steps(data), steps(noise_of(data))
    market = before.mean(axis=1)
    own = before.sub(market, axis=0)
    fits = [
        (a * market.to_numpy()[:, None] + b * own - after).abs() for a in (-1, 1) for b in (-1, 1)
    ]
    by_date = [np.minimum(fits[0], fits[1]), np.minimum(fits[2], fits[3])]
    worst = np.minimum(by_date[0].max(axis=1), by_date[1].max(axis=1))  # one a for a date
    assert worst.max() < 1e-12
    turned = sum((by_date[0].max(axis=1) < 1e-12) & (by_date[1].max(axis=1) > 1e-6))
    assert 25 <= turned <= 55
    assert (own.abs() > 1e-9).sum().sum() > 300


def test_rows_gaps_and_other_columns_stay(data):
    noise = noise_of(data)
    assert noise.index.equals(data.index)
    assert noise.columns.equals(data.columns)
    for name in ("date", "symbol", "volume", "f0"):
        pd.testing.assert_series_equal(noise[name], data[name])
    for name in BAR:
        assert (noise[name].isna() == data[name].isna()).all()
    assert not np.allclose(noise["close"].dropna(), data["close"].dropna())


def test_bars_keep_their_order_and_height(data):
    noise = noise_of(data).dropna()
    assert (noise["high"] >= noise[["open", "close", "low"]].max(axis=1) - 1e-9).all()
    assert (noise["low"] <= noise[["open", "close", "high"]].min(axis=1) + 1e-9).all()
    height = np.log(data["high"] / data["low"]).dropna()
    np.testing.assert_allclose(np.log(noise["high"] / noise["low"]), height, atol=1e-12)


def test_the_same_seed_gives_the_same_prices(data):
    one = noise_market(data, ("close",), np.random.default_rng(3))
    again = noise_market(data, ("close",), np.random.default_rng(3))
    other = noise_market(data, ("close",), np.random.default_rng(4))
    pd.testing.assert_frame_equal(one, again)
    assert not np.allclose(one["close"].dropna(), other["close"].dropna())


def test_later_returns_have_mean_zero_despite_a_trend():
    """60 noise data sets of a rising panel: each mean return is within sampling error of zero."""
    frame = long_panel(2, dates=40, symbols=5)
    frame["close"] = np.exp(np.arange(len(frame)) // 5 * 0.01 + np.arange(len(frame)) % 5)
    frame["close"] *= np.exp(0.002 * np.random.default_rng(0).standard_normal(len(frame)))
    draws = [
        steps(noise_market(frame, ("close",), np.random.default_rng(k))).to_numpy()[1:]
        for k in range(60)
    ]
    mean, error = np.mean(draws, axis=0), np.std(draws, axis=0) / np.sqrt(60)
    z = mean / error
    assert np.abs(z).max() < 5
    assert 0.7 < z.std() < 1.3
    assert (steps(frame).to_numpy()[1:] > 0).all()


@pytest.mark.parametrize("value", [0.0, -1.0])
def test_prices_must_be_positive(data, value):
    with pytest.raises(ValueError, match=r"close is .* leave it out"):
        noise_of(data.assign(close=value))
    with pytest.raises(ValueError, match="needs a price column"):
        noise_market(data, (), np.random.default_rng(0))
