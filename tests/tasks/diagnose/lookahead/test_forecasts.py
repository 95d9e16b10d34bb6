"""Leaks located by stage, and honest forecasters that look leaky."""

import threading

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.ensemble import (
    GradientBoostingRegressor,
    HistGradientBoostingRegressor,
    RandomForestRegressor,
)
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor

from foldproof.tasks.benchmark.cases import CASES
from foldproof.tasks.diagnose.lookahead.forecasts import observe
from foldproof.tasks.diagnose.trace.run import BoundForecaster, ReferenceRun
from foldproof.tasks.split import Fold
from tests.tasks.diagnose.small import (
    DATES,
    FOLD,
    Slope,
    features,
    forecaster,
    keyed,
    leaks,
    quick,
    rows,
)

DATA = rows()
ALL = DATES.to_numpy()


def learned(make):
    return lambda x, y: make().fit(x, y)


class Network:
    """Two layers with batch norm, whose first bias has no gradient but rounding."""

    def __init__(self, x, y):
        torch.manual_seed(0)
        self.module = torch.nn.Sequential(
            torch.nn.Linear(2, 4), torch.nn.BatchNorm1d(4), torch.nn.Tanh(), torch.nn.Linear(4, 1)
        )
        optimizer = torch.optim.Adam(self.module.parameters(), 0.01)
        inputs, target = (torch.tensor(one, dtype=torch.float32) for one in (x, y))
        for _ in range(15):
            optimizer.zero_grad()
            ((self.module(inputs)[:, 0] - target) ** 2).mean().backward()
            optimizer.step()

    def predict(self, x):
        with torch.no_grad():
            return self.module.eval()(torch.tensor(x, dtype=torch.float32)).numpy()[:, 0]


class Function:
    """A model whose content cannot be looked into: only what it does tells."""

    def __init__(self, x, y):
        slope = Slope(x, y).slope
        self.predict = lambda inputs: inputs[:, 0] * slope


class Locked(Slope):
    def __init__(self, x, y):
        super().__init__(x, y)
        self.lock = threading.Lock()


MODELS = {
    "ridge": learned(Ridge),
    "pipeline": learned(lambda: make_pipeline(StandardScaler(), Ridge())),
    "trees": learned(lambda: HistGradientBoostingRegressor(max_iter=5, random_state=0)),
    "boosting": learned(lambda: GradientBoostingRegressor(n_estimators=5, random_state=0)),
    "forest": learned(lambda: RandomForestRegressor(n_estimators=4, random_state=0)),
    "tree": learned(lambda: DecisionTreeRegressor(max_depth=3, random_state=0)),
    "search with timings": learned(lambda: GridSearchCV(Ridge(), {"alpha": [1.0, 9.0]}, cv=3)),
    "torch": Network,
    "function": Function,
    "lock": Locked,
}


@pytest.mark.parametrize("fit", list(MODELS.values()), ids=list(MODELS))
def test_any_model_is_clean_and_leaks_at_training_if_trained_on_all_rows(fit):
    assert quick(forecaster(fit)).verdict == "CLEAN"
    found = leaks(quick(forecaster(fit, everything=True)))
    assert (found[0].test, found[0].stage) == ("train_invariance", "training")


def marking(stage, make):
    return forecaster(mark=lambda trace, data, made: trace(stage, make(data, made), "marked"))


HONEST = {
    "symbol first": ("features", lambda data, made: keyed(data, made).swaplevel()),
    "wide": ("features", lambda data, made: data.pivot(index="date", columns="symbol", values="x")),
    "some rows": ("features", lambda data, made: made[made["lagged"] != 0]),
    "first rows": ("features", lambda data, made: made[data["date"] <= DATES[60]]),
    "a time zone": ("features", lambda data, made: made.assign(
        date=data["date"].dt.tz_localize("UTC"), symbol=data["symbol"])),
    "categories": ("features", lambda data, made: made.assign(c=data["symbol"].astype("category"))),
    "whole numbers": ("features", lambda data, made: made.assign(c=(data["x"] > 0).astype(int))),
    "lists": ("features", lambda data, made: made.assign(c=[[1, 2]] * len(made))),
    "a target with its end": ("target", lambda data, made: keyed(data, pd.DataFrame({
        "t": data.groupby("symbol")["x"].shift(-1),
        "label_end": data.groupby("symbol")["date"].shift(-1).dt.tz_localize("UTC")}))),
    "a target without": ("target", lambda data, made: data.groupby("symbol")["x"].shift(-1)),
    "a set": ("selection", lambda data, made: {"x", "lagged", 3}),
    "objects": ("selection", lambda data, made: {"a": None, "b": [object()], "c": {object()}}),
    "a function": ("selection", lambda data, made: np.mean),
    "single precision": ("selection", lambda data, made: torch.ones(2, dtype=torch.bfloat16)),
    "random": ("attribution", lambda data, made: np.random.normal(size=3)),
}  # fmt: skip


@pytest.mark.parametrize(("stage", "make"), list(HONEST.values()), ids=list(HONEST))
def test_honest_outputs_are_no_leak(stage, make):
    assert not leaks(quick(marking(stage, make), target=lambda data: pd.Series(dtype=float)))


PLANTED = {
    "a later row": ("features", lambda data, made: made.shift(-6), "features"),
    "a mean of all": ("input normalizer", lambda data, made: made.mean(), "input normalizer"),
    "a choice": ("selection", lambda data, made: float(data["y"].mean()), "selection"),
    "rows": ("universe", lambda data, made: data[data["x"] > data["x"].mean()], "universe"),
    "later rows kept": ("features", lambda data, made: made[data["x"] > data["x"].mean()],
                        "features"),
    "an artefact": ("attribution", lambda data, made: data["x"].std(), "attribution"),
}  # fmt: skip


@pytest.mark.parametrize(("stage", "make", "named"), list(PLANTED.values()), ids=list(PLANTED))
def test_a_leaking_stage_is_named_even_if_no_forecast_moves(stage, make, named):
    found = leaks(quick(marking(stage, make)))
    assert {f.stage for f in found} == {named}
    assert all("the forecasts compared do not move" in f.detail for f in found)


def test_the_look_ahead_by_hand():
    """A feature of the day 3 rows later looks 3 trading days ahead, at every cut."""
    later = marking("features", lambda data, made: made.groupby(data["symbol"]).shift(-3))
    for finding in leaks(quick(later)):
        assert finding.ahead == 3
        first = np.searchsorted(ALL, np.datetime64(finding.witness.cut), "right")
        date = np.searchsorted(ALL, np.datetime64(finding.witness.date))
        assert first - 3 <= date < first


def test_the_move_of_scores_by_hand():
    """Scores that add the mean x of all later rows, removed: they move by it, over their sd."""

    def peeks(data, fold, trace):
        scores = keyed(data, data["x"])
        last = data["date"] > fold.test_dates[0]
        scores = scores + (data.loc[last, "x"].mean() if last.any() else 0.0)
        return scores[scores.index.get_level_values(0).isin(fold.test_dates)]

    reference = ReferenceRun.of(BoundForecaster(peeks, FOLD), DATA)
    found = observe(reference, [(ALL[52], "truncate")], retrain=True)
    later = DATA.loc[DATA["date"] > DATES[52], "x"].mean()
    inside = DATA[DATA["date"].isin(FOLD.test_dates)].groupby("date")["x"].std(ddof=0).mean()
    assert found.worst.value == pytest.approx(abs(later) / inside)
    assert (found.compared, found.cuts) == (6, {str(ALL[52])[:10]})


def test_rounding_elsewhere_does_not_hide_a_vanished_forecast():
    def picks(data, fold, trace):
        scores = forecaster()(data, fold, trace) * (1 + 1e-13 * data["x"].sum())
        return scores.drop(index=data.groupby("symbol")["x"].mean().idxmax(), level=1)

    found = leaks(quick(picks, cuts=20))
    assert found
    assert all(np.isinf(f.value) for f in found)


def test_the_stage_is_scoring_if_the_trained_model_moves_too():
    def centred(data, fold, trace):
        scores = forecaster()(data, fold, trace)
        return scores - scores.mean()

    found = leaks(quick(centred))
    assert [(f.test, f.stage) for f in found] == [
        ("train_invariance", "scoring"),
        ("serve_invariance", "scoring"),
    ]


def walk(data, fold, trace):
    """Trained again every week on earlier rows: honest, with several trainings."""
    made, scores = features(data), []
    dates = fold.test_dates
    for first, stop in zip(range(0, len(dates), 5), range(5, len(dates) + 5, 5), strict=True):
        past, block = data["date"] < dates[first], data["date"].isin(dates[first:stop])
        if not block.any():
            break
        trace("features", made[past | block])
        model = trace.train(
            lambda past=past: Slope(made[past].to_numpy(), data.loc[past, "y"].fillna(0).to_numpy())
        )
        index = pd.MultiIndex.from_frame(data.loc[block, ["date", "symbol"]])
        scores.append(pd.Series(model.predict(made[block].to_numpy()), index=index))
    return pd.concat(scores)


def test_retraining_within_the_test_block_is_unknown_with_its_reason():
    report = quick(walk)
    assert not leaks(report)
    assert "traced more than once" in report.findings[0].evidence


def test_the_second_of_two_trainings_is_tested():
    def second(data, fold, trace):
        scores = forecaster()(data, fold, trace)
        return scores + forecaster(everything=True)(data, fold, trace)

    found = leaks(quick(second))
    assert (found[0].test, found[0].stage) == ("train_invariance", "training")


def test_a_random_stage_is_unknown_and_random_forecasts_hide_no_leaking_feature():
    draw = np.random.default_rng(0)
    noisy = marking("features", lambda data, made: made + draw.normal(size=made.shape))
    report = quick(noisy)
    assert report.verdict == "UNKNOWN"
    assert "marked (features) differs between two runs" in report.findings[0].evidence
    later = marking("features", lambda data, made: made.groupby(data["symbol"]).shift(-1))

    def unsteady(data, fold, trace):
        scores = later(data, fold, trace)
        return scores + 0.01 * draw.normal(size=len(scores))

    assert {f.stage for f in leaks(quick(unsteady))} == {"features"}


def test_a_forecaster_that_fails_on_its_second_run_is_unknown():
    calls = []

    def once(data, fold, trace):
        calls.append(1)
        if len(calls) > 1 and data.equals(DATA):
            raise RuntimeError("the cache is stale")
        return forecaster(everything=True)(data, fold, trace)

    report = quick(once)
    assert report.verdict == "UNKNOWN"
    assert "fails when run twice on the same data: RuntimeError: the cache" in (
        report.findings[0].evidence
    )


SHAPES = {
    "one symbol": DATA[DATA["symbol"] == "A"].reset_index(drop=True),
    "number symbols": DATA.assign(symbol=DATA["symbol"].map(ord)),
    "mixed symbols": DATA.assign(symbol=DATA["symbol"].replace({"A": 7}).astype(object)),
    "categorical symbols": DATA.assign(symbol=DATA["symbol"].astype("category")),
    "a symbol after the first cuts": DATA[
        (DATA["symbol"] != "F") | (DATA["date"] > DATES[62])
    ].reset_index(drop=True),
    "by symbol": DATA.sort_values(["symbol", "date"], ignore_index=True),
    "named rows": DATA.set_axis([f"row {k}" for k in range(len(DATA))]),
}


@pytest.mark.parametrize("data", list(SHAPES.values()), ids=list(SHAPES))
def test_any_index_and_symbol_type_works(data):
    assert quick(forecaster(), data).verdict == "CLEAN"
    assert quick(forecaster(everything=True), data).verdict == "LEAK"


def test_a_single_test_date_works():
    short = Fold(0, FOLD.train, FOLD.validation, range(52, 53), FOLD.calendar)
    assert quick(forecaster(), fold=short).verdict == "CLEAN"
    assert quick(forecaster(everything=True), fold=short).verdict == "LEAK"


def test_a_time_zone_of_the_data_is_refused():
    with pytest.raises(ValueError, match="have the time zone UTC"):
        quick(forecaster(), DATA.assign(date=DATA["date"].dt.tz_localize("UTC")))


def test_the_same_audit_twice_gives_the_same_report():
    first, second = (quick(forecaster(everything=True)).to_json() for _ in range(2))
    assert first == second


@pytest.mark.slow
@pytest.mark.parametrize(("key", "stage"), [("02", "features"), ("05", "input normalizer"),
                                            ("06", "selection")])  # fmt: skip
def test_leaks_of_the_benchmark_are_found_at_their_stage(key, stage):
    case = CASES[key]
    report = case.audit(0, quick=True)
    assert leaks(report)[0].stage == stage


def test_traced_choices_are_audited():
    honest = marking("selection", lambda data, made: ["x"])
    peeking = marking("selection", lambda data, made: float(data["y"].mean()))
    for forecast, verdict in ((honest, "CLEAN"), (peeking, "LEAK")):
        (found,) = [f for f in quick(forecast).findings if f.test == "selection_audit"]
        assert (found.verdict, found.stage) == (verdict, "selection")
        assert (found.detail == "marked: no choice moves") is (verdict == "CLEAN")
    assert not [f for f in quick(forecaster()).findings if f.test == "selection_audit"]
