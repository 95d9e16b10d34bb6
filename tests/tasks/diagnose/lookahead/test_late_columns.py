"""An undeclared label that is read too early is never called clean."""

import numpy as np
import pandas as pd
import pytest

from foldproof.tasks.diagnose import AuditOptions, Verdict, audit_forecaster
from foldproof.tasks.diagnose.lookahead.late_columns import lags_of
from foldproof.tasks.diagnose.trace.run import BoundForecaster, ReferenceRun
from foldproof.tasks.split import Fold

HORIZON = 3
DATES = pd.bdate_range("2021-01-04", periods=100)


@pytest.fixture(scope="module")
def data():
    """A feature and the sum of its next three values, of four symbols on 100 dates."""
    drawn = np.random.default_rng(4).normal(size=(100, 4))
    table = pd.DataFrame(drawn, index=DATES, columns=list("ABCD"))
    label = table[::-1].rolling(HORIZON).sum()[::-1].shift(-1)
    index = ["date", "symbol"]
    parts = {"x": table, "label": label}
    return pd.concat(
        {k: v.stack(future_stack=True).rename_axis(index) for k, v in parts.items()}, axis=1
    ).reset_index()


@pytest.fixture(scope="module")
def fold():
    return Fold(0, range(0, 50), range(54, 60), range(64, 94), DATES.to_numpy("datetime64[D]"))


def scores(data, fold, values):
    test = data["date"].isin(fold.test_dates)
    keys = pd.MultiIndex.from_frame(data.loc[test, ["date", "symbol"]])
    return pd.Series(values[test].to_numpy(), index=keys)


def trained_until(last):
    """The feature times its slope on the label over rows up to place ``last`` of the calendar."""

    def forecast(data, fold):
        rows = data[data["date"] <= fold.calendar[last]].dropna()
        slope = (rows["x"] * rows["label"]).sum() / (rows["x"] ** 2).sum()
        return scores(data, fold, data["x"] * slope)

    return forecast


def label_as_feature(data, fold):
    return scores(data, fold, data["label"].fillna(0.0) + data["x"])


def label_once_known(data, fold):
    late = data.groupby("symbol")["label"].shift(HORIZON)
    return scores(data, fold, late.fillna(0.0) + data["x"])


EARLY = {"feature": label_as_feature, "training without a gap": trained_until(63)}
HONEST = {"training with a gap": trained_until(60), "label once known": label_once_known}


@pytest.mark.parametrize("kind", EARLY)
def test_an_undeclared_label_read_too_early_is_unknown(data, fold, kind):
    report = audit_forecaster(EARLY[kind], data, fold)
    assert report.verdict is Verdict.UNKNOWN
    (found,) = [f for f in report.findings if f.verdict is Verdict.UNKNOWN and f.counts]
    assert "missing on the newest 3 dates" in found.detail
    assert "known_at.label=" in found.detail


@pytest.mark.parametrize("kind", EARLY)
def test_a_declared_label_read_too_early_is_a_leak(data, fold, kind):
    known = data.assign(known=data.groupby("symbol")["date"].shift(-HORIZON))
    report = audit_forecaster(EARLY[kind], known, fold, AuditOptions(known_at={"label": "known"}))
    assert report.verdict is Verdict.LEAK


@pytest.mark.parametrize("kind", HONEST)
def test_an_undeclared_label_read_in_time_is_clean(data, fold, kind):
    assert audit_forecaster(HONEST[kind], data, fold).verdict is Verdict.CLEAN


def lags(frame, fold):
    return lags_of(ReferenceRun.of(BoundForecaster(label_once_known, fold), frame))


def test_lags_by_hand(data, fold):
    assert lags(data, fold) == {"label": HORIZON}
    one = data.assign(label=data["label"].where(data["symbol"] != "A"))
    one.loc[one.index[-1], "label"] = 1.0  # a single symbol has it: no label of all
    assert lags(one, fold) == {}
    late = data.assign(x=data["x"].where(data["label"].notna()))  # a feed that ends for everything
    assert lags(late, fold) == {}
    assert lags(data.assign(never=np.nan), fold) == {"label": HORIZON}
