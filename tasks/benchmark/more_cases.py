"""Cases beyond the catalogue: everyday leaks, and honest work that resembles them."""

from dataclasses import replace
from functools import partial

from foldproof.tasks.benchmark.case import Case, by_key
from foldproof.tasks.benchmark.honest import look_alikes as honest
from foldproof.tasks.benchmark.honest.forecaster import HONEST, Parts
from foldproof.tasks.benchmark.leaks import everyday_features as made
from foldproof.tasks.benchmark.leaks import everyday_rows as rows
from foldproof.tasks.benchmark.leaks import everyday_training as trained
from foldproof.tasks.benchmark.leaks.features import adding, making


def case(key: str, title: str, *stages: str, **parts: object) -> Case:
    """The honest forecaster with some of its ``parts`` exchanged."""
    changed: Parts = replace(HONEST, **parts)  # type: ignore[arg-type]  # of any name
    return Case(key, title, changed.forecaster, stages, source="practice")


F, T = ("features",), ("target",)
EVERYDAY_LEAKS = by_key(
    Case("clipped", "features clipped at quantiles of all rows", making(made.clipped), F),
    Case("neighbours", "holes filled by nearest rows of all days", adding(made.neighbours), F),
    Case("regressed", "holes filled by a regression on all rows", adding(made.regressed), F),
    Case("clusters", "stocks grouped by their behaviour on all days", adding(made.clusters), F),
    Case("sector of today", "sector mean over its last members", adding(made.sector_of_today), F),
    Case("nearest event", "merge_asof, nearest", adding(made.nearest_event), F),
    Case("next event", "merge_asof, forward", adding(made.next_event), F),
    Case("month end", "month's last value reindexed backwards", adding(made.month_end), F),
    Case("smoother", "Kalman smoother", adding(made.kalman_smoothed), F),
    Case("path", "most likely path of regimes", adding(made.most_likely_path), F),
    Case("trend", "Hodrick-Prescott trend", adding(made.trend), F),
    Case("share of total", "sum so far over the final sum", adding(made.share_of_total), F),
    Case("fitted decay", "volatility model fitted on all days", adding(made.fitted_decay), F),
    Case("split volume", "volume adjusted by the last price", adding(made.adjusted_volume), F),
    Case("last value", "holes filled by transform('last')", adding(made.last_known), F),
    Case("high", "price over its highest of all days", adding(made.below_the_high), F),
    Case("sorted", "place in a table sorted by the label", adding(made.place_in_table), F),
    Case("row count", "how many rows the stock has", adding(made.row_count), F),
    Case("ungrouped", "rolling from one stock into the next", adding(made.ungrouped), F),
    case("outliers", "rows removed by a z-score of all", "universe",
         universe=rows.without_outliers),
    case("index of today", "dearest stocks of the last day", "universe",
         universe=rows.index_of_today),
    case("labelled only", "rows without a label dropped", "universe", universe=rows.with_label),
    case("target units", "target over the sd of all targets", *T, target=rows.target_in_units),
    case("target clipped", "target clipped at quantiles of all", *T, target=rows.target_clipped),
    case("long labels", "labels known later than they say", *T, target=rows.longer_than_said),
    case("smooth labels", "labels averaged with later ones", *T, target=rows.smoothed_target),
    case("label gaps", "next row of a changing universe for next day", "target", "folds",
         universe=rows.often_traded),
    case("other stock", "shift without groupby in the label", *T, target=rows.of_other_stock),
    case("stock means", "embedding trained on all labels", "training",
         train=trained.stock_means_of_all, score=trained.with_stock_means),
    case("ensemble", "ensemble weights chosen on the test block", "training",
         train=trained.weights_on_test),
    case("production", "fitted once more on everything", "training", train=trained.refit_on_all),
    case("pruned", "weight removed that hurts the test block", "training",
         train=trained.pruned_on_test),
    case("sign", "sign chosen on the test block", "scoring", score=trained.sign_on_test),
    case("threshold", "threshold chosen on the test block", "scoring",
         score=trained.threshold_on_test),
    case("calibrated", "scores calibrated on test labels", "scoring",
         score=trained.calibrated_on_test),
    case("own scale", "test inputs scaled by themselves", "scoring", score=trained.own_scale),
    case("percentiles", "scores ranked over the test block", "scoring",
         score=trained.later_peers),
    case("hasty learner", "errors learned before they are known", "scoring",
         score=partial(trained.learning, wait=False)),
    case("hasty refit", "refits on labels of the same day", "scoring",
         score=partial(trained.refitting, wait=False)),
)  # fmt: skip
"""What is done wrong in practice, each at its stage."""

MORE_CONTROLS = by_key(
    Case("expanding", "z-score of all days so far", making(honest.expanding)),
    Case("winsorized", "clipped at quantiles of the date", making(honest.winsorized)),
    Case("last event", "merge_asof, backward", adding(made.last_event)),
    Case("month before", "last value of the month before", adding(made.month_before)),
    Case("filter", "Kalman filter", adding(made.kalman_filtered)),
    Case("regime so far", "regime probability so far", adding(made.regime_so_far)),
    Case("age", "days since listing", adding(honest.age)),
    Case("known labels", "momentum of known labels", adding(honest.known_labels)),
    Case("encoded so far", "stocks encoded by known labels", adding(honest.encoded_so_far)),
    Case("sector mean", "mean of the date's sector", adding(honest.sector_mean)),
    Case("weekday", "the calendar", adding(honest.weekday)),
    Case("missing so far", "share of missing values so far", adding(honest.missing_so_far)),
    Case("high so far", "price over its highest so far", adding(honest.high_so_far)),
    Case("single", "running means in float32", making(honest.in_single)),
    Case("often traded", "universe by trailing volume", making(honest.often_traded)),
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
    case("carried", "scores smoothed with the past", score=honest.carried),
    case("units so far", "scores in sd of scores so far", score=honest.in_units_so_far),
    case("sector neutral", "scores neutral within the date", score=honest.sector_neutral),
    case("learner", "errors learned once known", score=partial(trained.learning, wait=True)),
    case("refit", "refits on labels known by then", score=partial(trained.refitting, wait=True)),
    case("own mean", "stock's mean of the training dates", score=honest.by_own_mean),
    case("unseeded", "noise that differs by run", score=honest.unseeded),
)  # fmt: skip
"""Honest work that resembles a leak."""
