"""Returns that begin too early, beside honest ones that read the past as a scale."""

import numpy as np
import pandas as pd
import pytest

from foldproof.tasks.data.features.grid import grid_of
from foldproof.tasks.data.features.target import KINDS, Labels, forward_return
from foldproof.tasks.diagnose import Verdict
from foldproof.tasks.diagnose.data.execution import execution


@pytest.fixture(scope="module")
def bars() -> pd.DataFrame:
    """Open, high, low, close, volume, return, cap and a rate of 6 stocks on 90 days."""
    draw = np.random.default_rng(4)
    dates = pd.bdate_range("2021-01-04", periods=90)
    rows = pd.MultiIndex.from_product([dates, list("ABCDEF")], names=["date", "symbol"])
    out = rows.to_frame(index=False)
    out["ret"] = draw.normal(0, 0.02, len(out))
    out["close"] = 30 * np.exp(out.groupby("symbol")["ret"].cumsum())
    out["open"] = out["close"] * np.exp(draw.normal(0, 0.01, len(out)))
    out["high"] = out[["open", "close"]].max(axis=1) * 1.01
    out["low"] = out[["open", "close"]].min(axis=1) * 0.99
    out["volume"] = draw.integers(1000, 9000, len(out))
    out["cap"] = out["close"] * draw.uniform(1, 9, len(out))
    out["rate"] = 1e-4 * draw.uniform(1, 2, len(out))
    out["sector"] = (out["symbol"] > "C").astype(int)
    return out


def lead(f, name, days):
    return f.groupby("symbol")[name].shift(-days)


def honest(f, days=5):
    return lead(f, "close", 1 + days) / lead(f, "close", 1) - 1


def early(f, days=5):
    return lead(f, "close", days) / f["close"] - 1


def trailing(f, name, days, how):
    return f.groupby("symbol")[name].transform(lambda s: getattr(s.rolling(days), how)())


def volatility(f):
    logs = np.log(f["close"]).groupby(f["symbol"]).diff()
    return logs.groupby(f["symbol"]).transform(lambda s: s.rolling(10).std())


def relative(f, values):
    return values - values.groupby(f["date"]).transform("mean")


def weighted(f, values):
    """Less the return of the market, weighted by the caps of the date."""
    total = (values * f["cap"]).groupby(f["date"]).transform("sum")
    return values - total / f["cap"].groupby(f["date"]).transform("sum")


def barrier(f, values):
    return np.sign(values).where(values.abs() > volatility(f), 0.0)


def own(kind):
    def target(f):
        grid = grid_of(f)
        close = grid.dense(f["close"])
        labels = Labels(forward_return(close, 3), close, 3)
        return pd.Series(grid.long(KINDS[kind].compute(labels)), index=f.index)

    return target


CLEAN = {f"own_{kind}": own(kind) for kind in KINDS if kind != "volatility_scaled"} | {
    "next_close": honest,
    "next_open": lambda f: lead(f, "close", 3) / lead(f, "open", 1) - 1,
    "next_intraday": lambda f: lead(f, "close", 1) / lead(f, "open", 1) - 1,
    "log": lambda f: np.log1p(honest(f)),
    "gross": lambda f: honest(f) + 1,
    "up": lambda f: (honest(f) > 0).astype(int),
    "next_return": lambda f: lead(f, "ret", 1),
    "sector_neutral": lambda f: (
        honest(f) - honest(f).groupby([f["date"], f["sector"]]).transform("mean")
    ),
}
SCALED = {
    "own_volatility_scaled": own("volatility_scaled"),
    "by_volatility": lambda f: honest(f) / volatility(f),
    "by_volatility_relative": lambda f: relative(f, honest(f) / volatility(f)),
    "intraday_by_volatility": lambda f: CLEAN["next_intraday"](f) / volatility(f),
    "return_by_volatility": lambda f: lead(f, "ret", 1) / trailing(f, "ret", 10, "std"),
    "change_by_range": lambda f: (
        (lead(f, "close", 3) - lead(f, "close", 1)) / (f["high"] - f["low"])
    ),
    "market_weighted": lambda f: weighted(f, honest(f)),
    "barrier": lambda f: barrier(f, honest(f)),
    "log_volatility_ratio": lambda f: np.log(
        lead(f, "ret", 1).abs() / trailing(f, "ret", 10, "std")
    ),
}
LEAKS = {
    "same_close": early,
    "same_close_1": lambda f: early(f, 1),
    "same_open": lambda f: f["close"] / f["open"] - 1,
    "from_open": lambda f: lead(f, "close", 2) / f["open"] - 1,
    "from_yesterday": lambda f: lead(f, "close", 2) / lead(f, "close", -1) - 1,
    "log": lambda f: np.log(lead(f, "close", 5) / f["close"]),
    "gross": lambda f: early(f) + 1,
    "up": lambda f: (early(f) > 0).astype(int),
    "relative": lambda f: relative(f, early(f)),
    "rank": lambda f: early(f).groupby(f["date"]).rank(pct=True),
    "by_volatility": lambda f: early(f) / volatility(f),
    "market_weighted": lambda f: weighted(f, early(f)),
    "barrier": lambda f: barrier(f, early(f)),
    "change": lambda f: lead(f, "close", 2) - f["close"],
    "own_return": lambda f: f["ret"],
    "sum_of_returns": lambda f: f["ret"] + lead(f, "ret", 1),
    "relative_sum": lambda f: relative(f, f["ret"] + lead(f, "ret", 1)),
    "past_momentum": lambda f: f["close"] / lead(f, "close", -5) - 1,
    "centred": lambda f: lead(f, "close", 3) / lead(f, "close", -3) - 1,
}
UNKNOWN = {
    "less_the_rate": lambda f: honest(f) - f["rate"],
    "less_the_mean": lambda f: honest(f) - trailing(f, "ret", 10, "mean"),
}


@pytest.mark.parametrize("name", CLEAN)
def test_a_return_from_the_next_price_reads_no_earlier_row(bars, name):
    finding = execution(CLEAN[name], bars, dates=3)
    assert (finding.verdict, finding.value, finding.witness) == (Verdict.CLEAN, 0.0, None)
    assert "no target reads" in finding.detail
    assert finding.tested.startswith("18 targets of 3 dates; changed ret, close, open")
    assert "sector" not in finding.tested


@pytest.mark.parametrize("name", SCALED)
def test_an_honest_return_scaled_by_the_past_is_clean(bars, name):
    finding = execution(SCALED[name], bars, dates=4)
    assert (finding.verdict, finding.value) == (Verdict.CLEAN, 0.0)
    assert "targets are scaled by values known" in finding.detail


@pytest.mark.parametrize("name", LEAKS)
def test_a_return_that_begins_too_early_is_reported(bars, name):
    finding = execution(LEAKS[name], bars, dates=4)
    assert (finding.verdict, finding.stage) == (Verdict.LEAK, "target")
    assert finding.value > (6 if name in ("barrier", "up", "rank") else 20)
    assert finding.witness.date
    assert finding.witness.symbol
    assert finding.witness.before != finding.witness.after


@pytest.mark.parametrize("name", UNKNOWN)
def test_a_deduction_is_unknown_until_the_price_is_named(bars, name):
    finding = execution(UNKNOWN[name], bars)
    assert (finding.verdict, finding.counts) == (Verdict.UNKNOWN, True)
    assert "name the price columns" in finding.evidence
    assert execution(UNKNOWN[name], bars, ["close", "open"]).verdict is Verdict.CLEAN


def test_the_number_of_early_targets_by_hand():
    """One stock, whole prices: 4 of 6 dates have a label and a day before; all begin too early."""
    data = pd.DataFrame(
        {"date": pd.bdate_range("2024-01-01", periods=6), "symbol": "A", "close": range(10, 16)}
    )
    finding = execution(lambda f: f["close"].shift(-1) / f["close"] - 1, data, dates=99)
    assert (finding.verdict, finding.value) == (Verdict.LEAK, 4.0)
    shuffled = data.sample(frac=1, random_state=0)

    def sorted_first(f):
        close = f.sort_values("date")["close"]
        return close.shift(-1) / close - 1

    assert execution(sorted_first, shuffled, dates=99).value == 4
    later = execution(lambda f: f["close"].shift(-2) / f["close"].shift(-1), data, dates=99)
    assert (later.verdict, later.tested.split()[0]) == (Verdict.CLEAN, "3")


def test_a_return_that_begins_at_a_stale_price_is_reported(bars):
    """The next close is missing and carried over from the target's own date."""
    gappy = bars.copy()
    gone = (gappy["symbol"] == "B") & gappy["date"].isin(gappy["date"].unique()[20:70:2])
    gappy.loc[gone, "close"] = np.nan

    def carried(f):
        close = f.groupby("symbol")["close"].ffill()
        return close.groupby(f["symbol"]).shift(-3) / close.groupby(f["symbol"]).shift(-1) - 1

    finding = execution(carried, gappy, ["close"], dates=30)
    assert (finding.verdict, finding.witness.symbol) == (Verdict.LEAK, "B")
    assert execution(honest, gappy, ["close"], dates=30).verdict is Verdict.CLEAN


def test_a_failing_or_missing_target_is_unknown(bars):
    def refuses(f):
        if not f["close"].equals(bars["close"]):
            raise RuntimeError("other data")
        return honest(f)

    failed = execution(refuses, bars)
    assert (failed.verdict, failed.evidence) == (Verdict.UNKNOWN, "RuntimeError: other data")
    none = execution(lambda f: f["close"] * np.nan, bars)
    assert (none.verdict, none.detail) == (Verdict.UNKNOWN, "no date has a target")


def test_unusable_inputs_are_rejected(bars):
    with pytest.raises(ValueError, match=r"numeric columns, of ret, close.* they are price"):
        execution(honest, bars, ["price"])
    with pytest.raises(ValueError, match="at least 2 dates; it has 0"):
        execution(honest, bars[:0])
    with pytest.raises(ValueError, match="which data has none"):
        execution(lambda f: f["date"].astype(int), bars[["date", "symbol"]])
    with pytest.raises(ValueError, match="at least 1 date is needed"):
        execution(honest, bars, dates=0)
