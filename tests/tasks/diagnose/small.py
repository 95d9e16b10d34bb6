"""A small panel, and forecasters built from a model, a training block and traced stages."""

from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd

from foldproof.tasks.diagnose import FULL, QUICK, audit_forecaster
from foldproof.tasks.split import Fold

DATES = pd.bdate_range("2020-01-01", periods=80).as_unit("us")
FOLD = Fold(0, range(40), range(42, 50), range(52, 74), DATES.to_numpy().astype("datetime64[D]"))


def rows():
    """6 symbols x 80 dates: x is noise, y follows it a little."""
    draw = np.random.default_rng(0)
    made = pd.DataFrame([(date, name) for date in DATES for name in "ABCDEF"])
    made.columns = pd.Index(["date", "symbol"])
    made["date"] = made["date"].dt.as_unit("us")
    made["x"] = draw.normal(size=len(made))
    made["y"] = 0.3 * made["x"] + draw.normal(size=len(made))
    return made


def features(data):
    lagged = data.groupby("symbol", observed=True)["x"].shift(1)
    return pd.DataFrame({"x": data["x"], "lagged": lagged}).fillna(0.0)


def keyed(data, values):
    return values.set_axis(pd.MultiIndex.from_frame(data[["date", "symbol"]]))


def run(fit, everything, mark, data, fold, trace):
    """Raw rows to scores; ``mark(trace, data, features)`` traces another output."""
    made = trace("features", features(data))
    when = data["date"]
    learned = (when > when.min()) if everything else when.isin(fold.train_dates)
    learned &= data["y"].notna() & made.notna().all(axis=1)
    model = trace.train(lambda: fit(made[learned].to_numpy(), data.loc[learned, "y"].to_numpy()))
    if mark is not None:
        mark(trace, data, made)
    test = when.isin(fold.test_dates)
    scores = model.predict(np.nan_to_num(made[test].to_numpy()))
    index = pd.MultiIndex.from_frame(data.loc[test, ["date", "symbol"]])
    return pd.Series(np.asarray(scores), index=index)


class Slope:
    """The mean of y over the mean square of the first feature."""

    def __init__(self, x, y):
        self.slope = float((x[:, 0] * y).mean() / (x[:, 0] ** 2).mean())

    def predict(self, x):
        return x[:, 0] * self.slope


def forecaster(fit=Slope, everything=False, mark=None):
    return partial(run, fit, everything, mark)


def quick(forecast, data=None, fold=FOLD, quick=True, **options):
    """The audit at four cuts, by default without statistical tests."""
    given = rows() if data is None else data
    asked = replace(QUICK if quick else FULL, **{"cuts": 4} | options)
    return audit_forecaster(forecast, given, fold, asked)


def leaks(report):
    return [f for f in report.findings if f.verdict == "LEAK" and f.counts]
