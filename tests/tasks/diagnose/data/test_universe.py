"""Universes chosen by what comes later, beside those chosen by what was known."""

import numpy as np
import pandas as pd
import pytest

from foldproof.tasks.diagnose import Verdict
from foldproof.tasks.diagnose.data.universe import kept, universe


@pytest.fixture(scope="module")
def gappy(frame) -> pd.DataFrame:
    """With forward returns, and a long pause of B late in the sample."""
    dates = frame["date"].unique()
    paused = (frame["symbol"] == "B") & frame["date"].isin(dates[60:75])
    data = frame[~paused].reset_index(drop=True)
    ahead = data.groupby("symbol")["close"].shift(-2) / data.groupby("symbol")["close"].shift(-1)
    return data.assign(target=ahead - 1, label_end=data.groupby("symbol")["date"].shift(-2))


def survivors(f):
    last = f.groupby("symbol")["date"].max()
    return last.index[last == f["date"].max()].tolist()


def full_histories(f):
    counts = f.groupby("symbol")["date"].transform("size")
    return f[counts >= 0.9 * f["date"].nunique()]


def forward_extremes(f):
    ahead = f.groupby("symbol")["close"].shift(-2) / f.groupby("symbol")["close"].shift(-1) - 1
    return f[~(ahead.abs() > 0.04)]


def label_quantiles(f):
    low, high = f["target"].quantile([0.05, 0.95])
    return ~((f["target"] < low) | (f["target"] > high))


def liquid_over_the_sample(f):
    mean = f.groupby("symbol")["close"].mean()
    return mean.nlargest(2).index


LEAKS = {
    "survivors": survivors,
    "full_histories": full_histories,
    "forward_extremes": forward_extremes,
    "label_quantiles": label_quantiles,
    "liquid_over_the_sample": liquid_over_the_sample,
}
CLEAN = {
    "all": lambda f: f,
    "largest_today": lambda f: f.groupby("date")["close"].rank(ascending=False) <= 2,
    "old_enough": lambda f: f[f.groupby("symbol").cumcount() >= 10],
    "known_feature": lambda f: f[f["x"].notna()],
    "named": lambda f: ["A", "B", "nobody"],
    "past_moves": lambda f: f.groupby("symbol")["close"].pct_change(fill_method=None).abs() < 0.04,
}


@pytest.mark.parametrize("name", LEAKS)
def test_a_universe_chosen_by_later_rows_is_caught(gappy, name):
    finding = universe(LEAKS[name], gappy, known_at={"target": "label_end"})
    assert (finding.verdict, finding.stage) == (Verdict.LEAK, "universe")
    assert finding.value >= 1
    assert finding.ahead >= 1
    witness = finding.witness
    assert witness.date <= witness.cut
    assert {witness.before, witness.after} == {0.0, 1.0}


@pytest.mark.parametrize("name", CLEAN)
def test_a_universe_chosen_by_the_past_is_clean(gappy, name):
    finding = universe(CLEAN[name], gappy, known_at={"target": "label_end"})
    assert (finding.verdict, finding.value) == (Verdict.CLEAN, 0.0)
    assert "20 cuts" in finding.tested


def test_survivors_by_hand():
    """B ends on day 3 of 5: it is dropped, but kept by whoever stops at day 1, 2 or 3."""
    dates = pd.date_range("2024-01-01", periods=5)
    rows = [(date, "A") for date in dates] + [(date, "B") for date in dates[:3]]
    data = pd.DataFrame(rows, columns=["date", "symbol"]).assign(close=1.0)
    finding = universe(survivors, data, cuts=9, perturbations=("truncate",))
    assert (finding.verdict, finding.value, finding.ahead) == (Verdict.LEAK, 3.0, 3)
    assert (finding.witness.symbol, finding.witness.before) == ("B", 0.0)


def test_agrees_with_trying_every_cut(gappy):
    whole = full_histories(gappy).index
    fate = set()
    for cut in gappy["date"].unique()[:-1]:
        past = gappy[gappy["date"] <= cut]
        fate |= set(
            past.index[past.index.isin(whole) != past.index.isin(full_histories(past).index)]
        )
    ways = {"cuts": 99, "perturbations": ("truncate",)}
    assert universe(full_histories, gappy, **ways).value == len(fate) > 0


def test_what_cannot_be_repeated_or_run_is_unknown(gappy):
    draw = np.random.default_rng(0)
    random = universe(lambda f: f.sample(frac=0.5, random_state=draw), gappy)
    assert (random.verdict, random.evidence) == (
        Verdict.UNKNOWN,
        "two runs on the same data keep different rows",
    )

    def refuses(f):
        if len(f) < len(gappy):
            raise RuntimeError("too short")
        return f

    failed = universe(refuses, gappy)
    assert failed.verdict is Verdict.UNKNOWN
    assert "too short" in failed.evidence


def test_odd_answers_are_refused(gappy):
    with pytest.raises(ValueError, match="2 of 2 are strange"):
        kept(lambda f: f[:2].set_axis([-1, -2]), gappy)
    with pytest.raises(ValueError, match="values of float64 for"):
        kept(lambda f: f["close"], gappy)
    with pytest.raises(ValueError, match="it returned str"):
        kept(lambda f: "A", gappy)
    with pytest.raises(ValueError, match="at least 2 dates"):
        universe(survivors, gappy[:1])
