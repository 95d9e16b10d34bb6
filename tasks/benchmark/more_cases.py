"""Cases beyond the catalogue: everyday leaks, and honest pipelines that resemble them."""

from functools import partial

from foldproof.tasks.benchmark.case import pipeline_case as case
from foldproof.tasks.benchmark.honest import look_alikes as honest
from foldproof.tasks.benchmark.leaks import features as made
from foldproof.tasks.benchmark.leaks import rows, training
from foldproof.tasks.diagnose.findings.catalogue import by_key

F, T = ("features",), ("target",)
EVERYDAY_LEAKS = by_key(
    case("clipped", "features clipped at quantiles of all rows", *F, features=made.clipped),
    case("neighbours", "gaps filled by nearest rows of all days", *F, added=made.neighbours),
    case("regressed", "gaps filled by a regression on all rows", *F, added=made.regressed),
    case("clusters", "stocks grouped by their behaviour on all days", *F, added=made.clusters),
    case("sector of today", "sector mean over its last members", *F, added=made.sector_of_today),
    case("nearest event", "merge_asof, nearest", *F,
         added=partial(made.joined, direction="nearest")),
    case("next event", "merge_asof, forward", *F, added=partial(made.joined, direction="forward")),
    case("month end", "month's last value reindexed backwards", *F, added=made.month_end),
    case("smoother", "Kalman smoother", *F, added=made.kalman_smoothed),
    case("path", "most likely path of regimes", *F, added=made.most_likely_path),
    case("trend", "Hodrick-Prescott trend", *F, added=made.trend),
    case("share of total", "sum so far over the final sum", *F, added=made.share_of_total),
    case("fitted decay", "volatility model fitted on all days", *F, added=made.fitted_decay),
    case("split volume", "volume adjusted by the last price", *F, added=made.adjusted_volume),
    case("last value", "gaps filled by transform('last')", *F, added=made.last_known),
    case("high", "price over its highest of all days", *F,
         added=partial(made.over_history, column="close", statistic="max")),
    case("sorted", "place in a table sorted by the label", *F, added=made.place_in_table),
    case("row count", "how many rows the stock has", *F, added=made.row_count),
    case("ungrouped", "rolling from one stock into the next", *F, added=made.ungrouped),
    case("outliers", "rows removed by a z-score of all", "universe",
         universe=rows.without_outliers),
    case("index of today", "most expensive stocks of the last day", "universe",
         universe=rows.index_of_today),
    case("labelled only", "rows without a label dropped", "universe", universe=rows.with_label),
    case("target units", "target over the sd of all targets", *T, target=rows.in_units),
    case("target clipped", "target clipped at quantiles of all", *T, target=rows.clipped),
    case("long labels", "labels known later than stated", *T, target=rows.longer_than_stated),
    case("smooth labels", "labels averaged with later ones", *T, target=rows.smoothed),
    case("label gaps", "next row of a changing universe for next day", "target", "folds",
         universe=rows.often_traded),
    case("other stock", "shift without groupby in the label", *T, target=rows.of_other_stock),
    case("stock means", "embedding trained on all labels", "training",
         train=training.stock_means_of_all, score=training.with_stock_means),
    case("ensemble", "ensemble weights chosen on the test block", "training",
         train=training.weights_on_test),
    case("production", "fitted once more on everything", "training", train=training.refit_on_all),
    case("pruned", "weight removed that hurts the test block", "training",
         train=training.pruned_on_test),
    case("sign", "sign chosen on the test block", "scoring", rescoring=training.sign_on_test),
    case("threshold", "threshold chosen on the test block", "scoring",
         rescoring=training.threshold_on_test),
    case("calibrated", "scores calibrated on test labels", "scoring",
         rescoring=training.calibrated_on_test),
    case("own scale", "test inputs scaled by themselves", "scoring", score=training.own_scale),
    case("percentiles", "scores ranked over the test block", "scoring",
         rescoring=training.percentiles),
    case("hasty learner", "errors learned before they are known", "scoring",
         rescoring=partial(training.learning, wait=False)),
    case("hasty refit", "refits on labels of the same day", "scoring",
         score=partial(training.refitting, wait=False)),
)  # fmt: skip
"""Common mistakes of practice, each at its stage."""

LOOK_ALIKES = by_key(
    case("expanding", "z-score of all days so far", features=partial(
        honest.standardized, over="expanding", min_periods=10)),
    case("winsorized", "clipped at quantiles of the date", features=honest.winsorized),
    case("last event", "merge_asof, backward", added=partial(made.joined, direction="backward")),
    case("month before", "last value of the month before", added=made.month_before),
    case("filter", "Kalman filter", added=made.kalman_filtered),
    case("regime so far", "regime probability so far", added=made.regime_so_far),
    case("age", "days since listing", added=honest.age),
    case("known labels", "momentum of known labels", added=partial(
        honest.mean_of_known_labels, over="rolling", window=5, min_periods=1)),
    case("encoded so far", "stocks encoded by known labels", added=partial(
        honest.mean_of_known_labels, over="expanding")),
    case("sector mean", "mean of the date's sector", added=honest.sector_mean),
    case("weekday", "the calendar", added=honest.weekday),
    case("missing so far", "share of missing values so far", added=honest.missing_so_far),
    case("high so far", "price over its highest so far", added=honest.high_so_far),
    case("single", "running means in float32", features=honest.in_single),
    case("often traded", "universe by trailing volume", features=honest.often_traded),
    case("validation scaler", "scaler of train and validation",
         fit_scaler=honest.scaler_with_validation),
    case("stopped", "boosting stopped on validation", train=honest.stopped_on_validation,
         score=honest.predicted),
    case("random validation", "penalty by random training dates",
         train=honest.stopped_on_some_dates),
    case("cross-validated", "penalty by cross-validation in train", train=honest.cross_validated,
         score=honest.predicted),
    case("subsampled", "mean of models on seeded halves", train=honest.subsampled),
    case("weighted", "samples weighted by age", train=honest.weighted_by_age,
         score=honest.predicted),
    case("carried", "scores smoothed with the past", rescoring=honest.carried),
    case("units so far", "scores in sd of scores so far", rescoring=honest.in_units_so_far),
    case("sector neutral", "scores neutral within the date", rescoring=honest.sector_neutral),
    case("learner", "errors learned once known", rescoring=partial(training.learning, wait=True)),
    case("refit", "refits on labels known by then", score=partial(training.refitting, wait=True)),
    case("own mean", "stock's mean of the training dates", score=honest.by_own_mean),
    case("unseeded", "noise that differs by run", rescoring=honest.unseeded),
)  # fmt: skip
"""Honest pipelines that look leaky."""
