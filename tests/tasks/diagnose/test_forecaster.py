"""Planted leaks in whole forecasters, and honest ones, of several libraries."""

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression, Ridge

from foldproof.tasks.diagnose import AuditOptions, Verdict, audit_forecaster
from foldproof.tasks.diagnose.forecaster import label_ends
from foldproof.tasks.split import Fold

HORIZON = 2


@pytest.fixture(scope="module")
def data(frame):
    """Complete rows with a label that is known two dates later."""
    rows = frame[frame["symbol"].isin(["A", "B", "C"])].reset_index(drop=True)
    rows["x"] = rows["x"].fillna(0.0)
    by_symbol = rows.groupby("symbol")
    ahead = by_symbol["close"].shift(-HORIZON)
    rows["label"] = ahead / rows["close"] - 1
    rows["known"] = by_symbol["date"].shift(-HORIZON)
    return rows


@pytest.fixture(scope="module")
def fold(data):
    dates = np.unique(data["date"].to_numpy().astype("datetime64[D]"))
    return Fold(0, range(5, 45), range(48, 60), range(63, 90), dates)


def audit(forecast, data, fold, **options):
    return audit_forecaster(forecast, data, fold, AuditOptions(**options))


def features(data):
    by_symbol = data.groupby("symbol")["close"]
    return pd.DataFrame({"r": by_symbol.pct_change(3, fill_method=None), "x": data["x"]})


def later(data):
    by_symbol = data.groupby("symbol")["close"]
    return pd.DataFrame({"r": by_symbol.shift(-1) / data["close"], "x": data["x"]})


def scaled(data):
    made = features(data)
    return (made - made.mean()) / made.std()


def own_label(data):
    return features(data).assign(label=data["label"])


def train_dates(data, fold):
    return data["date"].isin(fold.train_dates)


def before_test(data, fold):
    return data["date"] < fold.test_dates[0]


def everything(data, fold):
    return data["date"] > data["date"].min()


def forecaster(make=features, rows=train_dates, model=LinearRegression, label=None):
    """A forecaster with features, training rows, model and labels to choose."""

    def forecast(data, fold):
        made, target = make(data), data["label"] if label is None else label(data)
        whole = made.notna().all(axis=1)
        fit = rows(data, fold) & whole & target.notna()
        test = data["date"].isin(fold.test_dates) & whole
        fitted = model().fit(made[fit], target[fit])
        index = pd.MultiIndex.from_frame(data.loc[test, ["date", "symbol"]])
        return pd.Series(fitted.predict(made[test]), index=index)

    return forecast


def trees():
    return HistGradientBoostingRegressor(max_iter=5, min_samples_leaf=5, random_state=0)


def label_from_prices(data):
    return data.groupby("symbol")["close"].shift(-HORIZON) / data["close"] - 1


def from_test_mean(data, fold):
    scores = forecaster()(data, fold)
    return scores - scores.mean()


def within_date(data, fold):
    scores = forecaster()(data, fold)
    return scores - scores.groupby(level=0).transform("mean")


KNOWN = {"known_at": {"label": "known"}}
LEAKS = {
    "features look ahead": (forecaster(later), {}),
    "scaler fitted on everything": (forecaster(scaled, model=Ridge), {}),
    "trained on the test block": (forecaster(rows=everything), {}),
    "no purge, labels from prices": (forecaster(rows=before_test, label=label_from_prices), {}),
    "no purge, ready labels": (forecaster(rows=before_test), KNOWN),
    "label as a feature": (forecaster(own_label), KNOWN),
    "mean of the test block": (from_test_mean, {}),
    "trees on everything": (forecaster(rows=everything, model=trees), {}),
}
CLEAN = {
    "linear": (forecaster(), {}),
    "ridge": (forecaster(model=Ridge), {}),
    "linear, labels known later": (forecaster(), KNOWN),
    "trees": (forecaster(model=trees), {}),
    "purged labels from prices": (forecaster(label=label_from_prices), {}),
    "centred within the date": (within_date, {}),
}


@pytest.mark.parametrize(("forecast", "options"), list(LEAKS.values()), ids=list(LEAKS))
def test_a_planted_leak_is_caught(data, fold, forecast, options):
    report = audit(forecast, data, fold, **options)
    assert report.verdict is Verdict.LEAK
    leaks = [f for f in report.findings if f.verdict is Verdict.LEAK]
    assert {f.test for f in leaks} <= {"train_invariance", "serve_invariance", "point_in_time"}
    assert all(f.witness.date <= f.witness.cut for f in leaks)


@pytest.mark.parametrize(("forecast", "options"), list(CLEAN.values()), ids=list(CLEAN))
def test_an_honest_forecaster_passes(data, fold, forecast, options):
    report = audit(forecast, data, fold, **options)
    assert report.verdict is Verdict.CLEAN
    values = {f.test: f.value for f in report.findings if f.counts}
    assert values == dict.fromkeys(values, 0.0)
    assert {"train_invariance", "serve_invariance", "fold_order"} <= set(values)


def test_the_first_cut_is_the_first_test_date(data, fold):
    report = audit(forecaster(rows=everything), data, fold, cuts=1)
    (training, *_) = report.findings
    assert training.test == "train_invariance"
    assert training.witness.cut == training.witness.date == str(fold.test_dates[0])
    tests = ["train_invariance", "purge", "fold_order", "survivorship"]
    assert [f.test for f in report.findings] == tests


def test_the_size_by_hand(data, fold):
    """A forecast that adds next day's market moves by that, over the sd within dates."""

    def peeks(frame, fold):
        wide = frame.pivot(index="date", columns="symbol", values="x")
        ahead = wide.mean(axis=1).shift(-1)
        scores = wide.add(ahead, axis=0).loc[pd.DatetimeIndex(fold.test_dates)].stack()
        return scores

    report = audit(peeks, data, fold, cuts=1, perturbations=("flip",))
    wide = data.pivot(index="date", columns="symbol", values="x")
    after_first = wide.iloc[fold.test.start + 1]
    sd = wide.iloc[fold.test.start : fold.test.stop].std(axis=1, ddof=0).mean()
    assert report.findings[0].value == pytest.approx(2 * abs(after_first.mean()) / sd, rel=1e-9)


def test_the_purge_is_tested_by_when_labels_are_known(data, fold):
    tight = Fold(0, range(5, 46), range(48, 62), range(63, 90), fold.calendar)
    for given, expected in ((fold, Verdict.CLEAN), (tight, Verdict.LEAK)):
        report = audit(forecaster(), data, given, cuts=1, **KNOWN)
        (purge,) = [f for f in report.findings if f.test == "purge"]
        assert purge.verdict is expected
        assert purge.counts
        assert purge.value == (1.0 if expected is Verdict.LEAK else 0.0)


def test_the_last_label_of_a_date_decides_and_a_missing_end_wins(data, fold):
    ends = label_ends(data, fold.calendar, {"label": "known"})
    assert ends[:-HORIZON].tolist() == fold.calendar[HORIZON:].tolist()
    assert ends[-HORIZON:].tolist() == fold.calendar[-HORIZON:].tolist()  # no labels there
    two = data.copy()
    rows = two.index[two["date"] == two["date"].iloc[30]]
    two.loc[rows[1], "known"] += pd.Timedelta(days=50)
    longer = label_ends(two, fold.calendar, {"label": "known"})
    assert (longer - ends).astype(int).tolist() == [50 * (row == 10) for row in range(len(ends))]
    two.loc[rows[0], "known"] = pd.NaT
    never = label_ends(two, fold.calendar, {"label": "known"})
    assert np.flatnonzero(np.isnat(never)).tolist() == [10]


def test_purging_is_unknown_without_label_ends_and_informs_only(data, fold):
    report = audit(forecaster(), data, fold, cuts=1)
    (purge,) = [f for f in report.findings if f.test == "purge"]
    assert (purge.verdict, purge.counts) == (Verdict.UNKNOWN, False)
    assert report.verdict is Verdict.CLEAN


def test_a_shuffled_fold_is_caught(data, fold):
    back = Fold(0, range(40, 80), range(82, 90), range(5, 30), fold.calendar)
    report = audit(forecaster(), data, back, cuts=2)
    (order,) = [f for f in report.findings if f.test == "fold_order"]
    assert order.verdict is Verdict.LEAK
    assert report.verdict is Verdict.LEAK


def test_a_model_that_does_not_repeat_is_unknown(data, fold):
    draw = np.random.default_rng(0)

    def unsteady(frame, fold):
        scores = forecaster()(frame, fold)
        return scores + 0.01 * draw.normal(size=len(scores))

    report = audit(unsteady, data, fold, cuts=2)
    assert report.verdict is Verdict.UNKNOWN
    assert "seed the model" in report.findings[0].evidence


def test_a_model_that_fails_on_changed_data_is_unknown(data, fold):
    def fussy(frame, fold):
        if not frame.equals(data):
            raise KeyError("cached by content")
        return forecaster()(frame, fold)

    report = audit(fussy, data, fold, cuts=2)
    assert report.verdict is Verdict.UNKNOWN
    assert "cached by content" in report.findings[0].evidence


def test_a_model_that_fails_on_missing_values_or_rows_is_still_tested(data, fold):
    def fussy(frame, fold):
        if frame["close"].isna().any() or len(frame) < len(data):
            raise ValueError("incomplete")
        return forecaster()(frame, fold)

    report = audit(fussy, data, fold)
    assert report.verdict is Verdict.CLEAN
    assert "failed with rows removed: ValueError: incomplete" in report.findings[0].tested


def test_single_precision_forecasts_have_a_larger_tolerance(data, fold):
    def single(frame, fold):
        scores = forecaster()(frame, fold)
        return (scores * (1 + 1e-9 * frame["x"].sum())).astype("float32")

    report = audit(single, data, fold, cuts=2)
    assert report.verdict is Verdict.CLEAN
    assert 1e-5 <= report.findings[0].threshold < 2e-5  # and what forecasts resolve


def test_the_data_are_not_modified(data, fold):
    def writes(frame, fold):
        scores = forecaster()(frame, fold)
        frame["x"] = 0.0
        return scores

    before = data.copy(deep=True)
    audit(writes, data, fold, cuts=2)
    pd.testing.assert_frame_equal(data, before)


@pytest.mark.parametrize(
    ("forecast", "message"),
    [
        (lambda data, fold: data, "must return a Series indexed .date, symbol.; it returned DataF"),
        (lambda data, fold: data["x"], "must return a Series"),
        (lambda data, fold: forecaster()(data, fold).iloc[[0, 0]], "there are duplicates"),
        (lambda data, fold: forecaster()(data, fold).iloc[:0], "0 scores, none on the fold's test"),
    ],
)
def test_unusable_scores_are_refused(data, fold, forecast, message):
    with pytest.raises(ValueError, match=message):
        audit(forecast, data, fold)


def test_data_that_end_with_the_first_test_date_are_refused(data, fold):
    short = data[data["date"] <= fold.test_dates[0]]
    with pytest.raises(ValueError, match="no later row"):
        audit(forecaster(), short, fold)
