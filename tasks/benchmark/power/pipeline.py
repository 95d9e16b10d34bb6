"""Dials of serve and train invariance: look-ahead in a pipeline."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd

from foldproof.tasks.benchmark.honest.forecaster import by_symbol, daily_return, keyed, on_dates
from foldproof.tasks.benchmark.honest.market import DAILY, Market
from foldproof.tasks.benchmark.power.dial import Dial, any_of
from foldproof.tasks.diagnose.findings.catalogue import by_key
from foldproof.tasks.diagnose.findings.finding import Finding, Verdict
from foldproof.tasks.diagnose.forecaster import audit_forecaster
from foldproof.tasks.diagnose.spec import QUICK, TRACED_CUTS, UNTRACED_CUTS
from foldproof.tasks.diagnose.trace.run import Forecast
from foldproof.tasks.diagnose.trace.trace import Trace
from foldproof.tasks.split import Fold

SMALL = Market(symbols=8, days=150)
"""Small enough for a thousand audits in minutes."""
SHARES = (1.0, 0.5, 0.3, 0.2, 0.15, 0.1, 0.05, 0.02, 0.01, 0.0)
"""Shares of dates, from all to none."""
SIZES = (1.0, 1e-3, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10, 1e-11, 1e-12, 1e-13, 1e-14, 0.0)
"""From one standard deviation to the last bit of a float64, and 0."""
INVARIANCES = ("train_invariance", "serve_invariance")
"""The first cut tests train invariance, the other cuts serve invariance."""


def plain(rows: pd.DataFrame) -> pd.DataFrame:
    """The signal and the day's return."""
    returns = daily_return(rows).fillna(0.0) / DAILY
    return pd.DataFrame({"signal": rows["signal"], "return": returns})


def training_mean(x: pd.DataFrame, fold: Fold) -> pd.Series:
    """Mean of the training rows."""
    return x.loc[on_dates(x.index, fold.train_dates)].mean()


@dataclass(frozen=True)
class Small:
    """A forecaster with two features and three traced stages; each part can be replaced."""

    features: Callable[[pd.DataFrame], pd.DataFrame] = plain
    centre: Callable[[pd.DataFrame, Fold], pd.Series] = training_mean
    rescore: Callable[[pd.Series, pd.DataFrame], pd.Series] | None = None

    def __call__(self, data: pd.DataFrame, fold: Fold, trace: Trace) -> pd.Series:
        """Scores on the test dates."""
        rows = keyed(data)
        x = trace("features", self.features(rows))
        x = x - trace("input normalizer", self.centre(x, fold), "centre")
        weights = trace.train(lambda: np.linspace(1.0, 0.5, x.shape[1]))
        scores = pd.Series(x.to_numpy() @ weights, index=x.index)
        scores = scores[on_dates(scores.index, fold.test_dates)]
        return self.rescore(scores, rows) if self.rescore else scores

    def untraced(self, data: pd.DataFrame, fold: Fold) -> pd.Series:
        """The same forecaster without traced stages."""
        return self(data, fold, Trace())


def audited(
    forecast: Forecast, seed: int, cuts: int = TRACED_CUTS, tests: tuple[str, ...] = INVARIANCES
) -> Finding:
    """The first LEAK of ``tests``, else the first finding."""
    data = SMALL.rows(seed)
    report = audit_forecaster(forecast, data, SMALL.fold, replace(QUICK, cuts=cuts, seed=seed))
    own = [finding for finding in report.findings if finding.test in tests]
    return next((finding for finding in own if finding.verdict is Verdict.LEAK), own[0])


def on_training(centre: Callable[[pd.DataFrame, Fold], pd.Series], seed: int) -> Finding:
    """Train invariance, at one cut, of a forecaster with another input normalizer."""
    return audited(Small(centre=centre), seed, 1, INVARIANCES[:1])


def touched(index: pd.Index, share: float, seed: int) -> np.ndarray:
    """(n,) bool: rows on a random share of the market's dates."""
    chosen = np.random.default_rng([seed, 1]).random(SMALL.days) < share
    dates = index.get_level_values(0).to_numpy().astype("datetime64[D]")
    return chosen[np.searchsorted(SMALL.calendar, dates)]


def some_tomorrows(share: float, seed: int, rows: pd.DataFrame) -> pd.DataFrame:
    """The features, with tomorrow's signal on a share of the dates."""
    x = plain(rows)
    ahead = by_symbol(rows["signal"]).shift(-1).fillna(0.0)
    return x.assign(signal=x["signal"].mask(touched(x.index, share, seed), ahead))


def to_come(rows: pd.DataFrame) -> pd.Series:
    """The next day's return in standard deviations; 0 if there is none."""
    close = by_symbol(rows["close"])
    return (close.shift(-1) / rows["close"] - 1).fillna(0.0) / DAILY


def feature_and_future(size: float, rows: pd.DataFrame) -> pd.DataFrame:
    """The features, with ``size`` sd of the next return added to the signal."""
    x = plain(rows)
    return x.assign(signal=x["signal"] + size * to_come(rows))


def score_and_future(size: float, scores: pd.Series, rows: pd.DataFrame) -> pd.Series:
    """Scores with ``size`` of their sd of the next return added."""
    return scores + size * scores.std() * to_come(rows).reindex(scores.index)


def in_float32(size: float, scores: pd.Series, rows: pd.DataFrame) -> pd.Series:
    """The same in float32."""
    return score_and_future(size, scores, rows).astype(np.float32)


def centred_on_more(count: float, x: pd.DataFrame, fold: Fold) -> pd.Series:
    """Mean of the training rows and ``count`` rows dated after the first test date."""
    dates = x.index.get_level_values(0)
    later = x[dates > fold.test_dates[0]][: int(count)]
    return pd.concat([x[dates.isin(fold.train_dates)], later]).mean()


def centred_beside(size: float, x: pd.DataFrame, fold: Fold) -> pd.Series:
    """Mean of the training rows plus ``size`` times the mean of the test block."""
    return training_mean(x, fold) + size * x.loc[on_dates(x.index, fold.test_dates)].mean()


CUTS = f"{TRACED_CUTS} cuts"
TOMORROW = "share of dates on which a feature looks a day ahead"
IN_FORECAST = "future in the forecast [forecast sd]"
PIPELINE_DIALS = by_key(
    Dial("T1 share", "serve_invariance", TOMORROW, SHARES,
         lambda p, seed: audited(Small(partial(some_tomorrows, p, seed)), seed),
         any_of(TRACED_CUTS), at=f"stages traced, {CUTS}"),
    Dial("T1 share untraced", "serve_invariance", TOMORROW, SHARES,
         lambda p, seed: audited(
             Small(partial(some_tomorrows, p, seed)).untraced, seed, UNTRACED_CUTS
         ),
         any_of(UNTRACED_CUTS), at=f"nothing traced, {UNTRACED_CUTS} cuts"),
    Dial("T1 feature size", "serve_invariance", "future in a traced feature [sd of the feature]",
         SIZES, lambda s, seed: audited(Small(partial(feature_and_future, s)), seed), at=CUTS),
    Dial("T1 size", "serve_invariance", IN_FORECAST, SIZES,
         lambda s, seed: audited(Small(rescore=partial(score_and_future, s)), seed),
         at=f"float64, {CUTS}"),
    Dial("T1 size float32", "serve_invariance", IN_FORECAST, SIZES,
         lambda s, seed: audited(Small(rescore=partial(in_float32, s)), seed),
         at=f"float32, {CUTS}"),
    Dial("T2 rows", "train_invariance", "test rows in a scaler's mean [rows]",
         (300.0, 100.0, 30.0, 10.0, 3.0, 2.0, 1.0, 0.0),
         lambda k, seed: on_training(partial(centred_on_more, k), seed),
         at="430 training rows"),
    Dial("T2 size", "train_invariance", "mean of the test block in a scaler's mean [share of it]",
         SIZES,
         lambda s, seed: on_training(partial(centred_beside, s), seed)),
)  # fmt: skip
"""Serve and train invariance."""
