from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from foldproof.tasks.data.features.features import FEATURES, market_return, price_features

GROWTH, DAYS = 0.01, 300
NEEDS_NOISE = {"reversal_5", "beta_63"}


def geometric() -> pd.DataFrame:
    """Two symbols, one growing by GROWTH a day and one falling by it, in logs; volume doubles."""
    day = np.arange(DAYS)
    price = np.stack([np.exp(GROWTH * day), np.exp(-GROWTH * day)], axis=1)
    return pd.DataFrame({
        "date": np.repeat(pd.bdate_range("2015-01-05", periods=DAYS), 2),
        "symbol": ["UP", "DOWN"] * DAYS, "price": price.ravel(), "volume": 1000.0,
    })  # fmt: skip


CLOSED = {
    "return_1": GROWTH,
    "return_5": 5 * GROWTH,
    "return_21": 21 * GROWTH,
    "return_63": 63 * GROWTH,
    "momentum_252_21": 231 * GROWTH,
    "volatility_21": 0.0,
    "volatility_63": 0.0,
    "max_return_21": GROWTH,
    "drawdown_252": 0.0,
    "rise_252": np.expm1(251 * GROWTH),
    "relative_5": 5 * GROWTH,
    "relative_21": 21 * GROWTH,
    "volume_change_21": 0.0,
    "illiquidity_21": np.log(GROWTH / 1000)
    + np.log(np.mean(np.exp(-GROWTH * (DAYS - 1 - np.arange(21))))),
}


def test_closed_form_on_a_geometric_series() -> None:
    frame = geometric()
    last = price_features(frame)[(frame["symbol"] == "UP").to_numpy()].iloc[-1]
    for name, expected in CLOSED.items():
        assert last[name] == pytest.approx(expected, rel=1e-10, abs=1e-12), name
    assert set(CLOSED) | NEEDS_NOISE == set(FEATURES)


def wide(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    return frame.pivot(index="date", columns="symbol", values=column)


def by_pandas(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Every feature once more, with pandas' own rolling functions."""
    close = wide(frame, "price").ffill(limit=5)
    member = wide(frame, "member").fillna(False).astype(bool)
    logs = np.log(close)
    r = logs.diff()
    m = r.where(member).mean(axis=1)
    market = pd.DataFrame(dict.fromkeys(r, m))
    volume = wide(frame, "volume")

    def whole(days: int) -> pd.DataFrame:
        """Whether no close is missing since ``days`` ago."""
        return close.notna().rolling(days + 1).sum() == days + 1

    return {
        **{f"return_{k}": logs.diff(k).where(whole(k)) for k in (1, 5, 21, 63)},
        "momentum_252_21": (logs.shift(21) - logs.shift(252)).where(whole(252)),
        "reversal_5": -logs.diff(5) / (r.rolling(21).std() * np.sqrt(5)),
        **{f"volatility_{k}": r.rolling(k).std() for k in (21, 63)},
        "max_return_21": r.rolling(21).max(),
        "drawdown_252": close / close.rolling(252).max() - 1,
        "rise_252": close / close.rolling(252).min() - 1,
        **{f"relative_{k}": (r - market).rolling(k).sum() for k in (5, 21)},
        "beta_63": r.rolling(63).cov(market) / market.rolling(63).var(),
        "volume_change_21": np.log(volume / volume.rolling(21).mean()),
        "illiquidity_21": np.log((r.abs() / (close * volume)).rolling(21).mean()),
    }


@pytest.mark.parametrize("name", FEATURES)
def test_equals_an_independent_computation(name: str, market: pd.DataFrame) -> None:
    ours = market[["date", "symbol"]].assign(value=price_features(market)[name])
    expected = by_pandas(market)[name].where(wide(market, "price").notna())
    got = wide(ours, "value")
    assert got.notna().to_numpy().sum() > 100
    np.testing.assert_allclose(got, expected, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize(("missing", "restarts"), [(5, False), (6, True), (80, True)])
def test_history_starts_anew_after_a_gap_longer_than_the_limit(
    missing: int, restarts: bool
) -> None:
    """The symbol may be another company then, at another price."""
    days = pd.bdate_range("2015-01-05", periods=700)
    gone = slice(300, 300 + missing)
    frames = []
    for symbol, scale in (("REUSED", 50.0), ("OTHER", 1.0)):
        price = 10 * 1.001 ** np.arange(700)
        price[gone.stop :] *= scale
        one = pd.DataFrame({"date": days, "symbol": symbol, "price": price})
        frames.append(one.drop(index=range(300, gone.stop)) if symbol == "REUSED" else one)
    frame = pd.concat(frames, ignore_index=True)
    found = price_features(frame)[frame["symbol"] == "REUSED"].set_axis(
        frame.loc[frame["symbol"] == "REUSED", "date"]
    )
    after = found.loc[days[gone.stop] :]
    for name in FEATURES:
        if name not in found or name in NEEDS_NOISE:
            continue
        start = after[name].first_valid_index()
        jump = after[name].abs().max() > 2
        assert (start == days[gone.stop + FEATURES[name].lookback - 1]) == restarts, name
        assert not (restarts and jump), name
    assert (after["momentum_252_21"].abs().max() > 2) != restarts


def cut_off(frame: pd.DataFrame, later: pd.Series) -> pd.DataFrame:
    return frame[~later]


def blanked(frame: pd.DataFrame, later: pd.Series) -> pd.DataFrame:
    return frame.assign(price=frame["price"].mask(later), volume=frame["volume"].mask(later))


def flipped(frame: pd.DataFrame, later: pd.Series) -> pd.DataFrame:
    return frame.assign(price=frame["price"].mask(later, -frame["price"]))


def scaled(frame: pd.DataFrame, later: pd.Series) -> pd.DataFrame:
    return frame.assign(price=frame["price"].mask(later, 1000 * frame["price"]))


@pytest.mark.parametrize("change", [cut_off, blanked, flipped, scaled])
def test_no_bit_of_the_past_moves_with_the_future(
    change: Callable[[pd.DataFrame, pd.Series], pd.DataFrame], market: pd.DataFrame
) -> None:
    """Every entry at once: the table of the cut rows, bit for bit, NaN included."""
    days = np.sort(market["date"].unique())
    full = price_features(market)
    assert list(full.columns) == list(FEATURES)
    for cut in (30, 41, 255, 285, 300, 312, 328):
        later = market["date"] > days[cut]
        again = price_features(change(market, later)).loc[~later]
        pd.testing.assert_frame_equal(again, full.loc[~later], check_exact=True)


def test_symbols_listed_later_do_not_change_the_market_return() -> None:
    """Not by a bit, wherever their empty columns stand."""
    rng = np.random.default_rng(0)
    returns = rng.standard_normal((20, 100))
    at = np.sort(rng.integers(0, 100, 37))
    wider = np.insert(returns, at, np.nan, axis=1)
    expected = market_return(returns, np.ones(returns.shape, bool))
    np.testing.assert_array_equal(market_return(wider, np.ones(wider.shape, bool)), expected)
    np.testing.assert_allclose(expected[:, 0], returns.mean(axis=1), rtol=1e-12)


def test_the_check_of_causality_detects_look_ahead(market: pd.DataFrame) -> None:
    """Planted fault: one feature reads the next row; the same comparison must fail on it."""
    later = market["date"] > np.sort(market["date"].unique())[300]

    def peeks(frame: pd.DataFrame) -> pd.Series:
        return frame.groupby("symbol")["price"].shift(-1)

    assert not peeks(cut_off(market, later)).equals(peeks(market).loc[~later])


@pytest.mark.parametrize("name", FEATURES)
def test_the_look_back_is_as_stated(name: str, market: pd.DataFrame) -> None:
    """First value after ``lookback`` rows; rows before the look-back do not move it."""
    full = market[market["symbol"].isin(["FULL", "LEFT"])]
    rows = FEATURES[name].lookback
    value = full[["date", "symbol"]].assign(value=price_features(full)[name])
    first = wide(value, "value").notna().to_numpy().argmax(axis=0)
    assert set(first) == {rows - 1}
    days = np.sort(full["date"].unique())
    recent = full[full["date"] >= days[-rows]]
    last = price_features(recent)[name].to_numpy()[-2:]
    np.testing.assert_array_equal(last, value["value"].to_numpy()[-2:])


def test_without_volume_its_features_are_left_out(market: pd.DataFrame) -> None:
    names = list(price_features(market.drop(columns="volume")))
    assert names == [name for name, feature in FEATURES.items() if not feature.needs_volume]


def test_rows_may_come_in_any_order(market: pd.DataFrame) -> None:
    shuffled = market.sample(frac=1, random_state=0)
    pd.testing.assert_frame_equal(
        price_features(shuffled).loc[market.index], price_features(market), check_exact=True
    )


def test_days_without_trade_are_missing_not_infinite() -> None:
    frame = geometric()
    frame.loc[frame.index[-1], "volume"] = 0.0
    last = price_features(frame).iloc[-1]
    assert np.isnan(last["volume_change_21"])
    assert np.isnan(last["illiquidity_21"])
    assert not np.isinf(price_features(frame)).to_numpy().any()
