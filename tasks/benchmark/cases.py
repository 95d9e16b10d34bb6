"""The cases of the benchmark: the catalogue of 28 leaks and 14 honest pipelines, and others."""

from dataclasses import replace
from functools import partial
from typing import Any

from foldproof.models.normalizers import VARIANTS, Variant
from foldproof.tasks.benchmark.case import Case, pipeline_case
from foldproof.tasks.benchmark.honest import look_alikes as honest
from foldproof.tasks.benchmark.honest import networks as fitted
from foldproof.tasks.benchmark.honest.forecaster import HONEST, next_close
from foldproof.tasks.benchmark.honest.market import Market
from foldproof.tasks.benchmark.honest.networks import Scoring, lstm, network_parts
from foldproof.tasks.benchmark.leaks import features as made
from foldproof.tasks.benchmark.leaks import networks, rows, training
from foldproof.tasks.benchmark.more_cases import EVERYDAY_LEAKS, LOOK_ALIKES
from foldproof.tasks.benchmark.notebook_cases import NOTEBOOK_HONEST, NOTEBOOK_LEAKS
from foldproof.tasks.diagnose.findings.catalogue import by_key

WEEK = Market(horizon=5)
"""Labels over five days."""
OF_WEEK = replace(HONEST, target=partial(next_close, horizon=5))
PLAIN, BATCH_NORM = lstm(VARIANTS["none"]), lstm(VARIANTS["batch_norm_hidden"])
REPORTED = {"known_at": {"book": "book_known"}}
FEATURES, NETWORK, TRAINING = ("features",), ("network", "scoring"), ("training", "selection")


def _of_network(key: str, title: str, *stages: str, variant: Variant, **scoring: Any) -> Case:
    """A network with ``variant``, trained on shuffled batches."""
    return pipeline_case(key, title, *stages, base=network_parts(lstm(variant), Scoring(**scoring)))


def _of_symbol(key: str, title: str, size: int) -> Case:
    """Batch norm in training mode on batches of one stock, as in training."""
    scoring = Scoring("symbol", size, training=True)
    return pipeline_case(
        key, title, *NETWORK, base=network_parts(BATCH_NORM, scoring, "symbol", size)
    )


def _of_hidden(key: str, title: str, module: type) -> Case:
    """A network with ``module`` on its last hidden state, scored on blocks of five dates."""
    variant = Variant("planted", "planted", "planted", hidden=module)
    return _of_network(key, title, *NETWORK, variant=variant, batches="date_block", size=120)


def _of_sequences(key: str, title: str, *stages: str, kind: str, both_ways: bool = False) -> Case:
    """A network on whole sequences with a forecast at every step."""
    train = partial(
        fitted.fit_sequences, partial(networks.OverTime, kind=kind, both_ways=both_ways)
    )
    return pipeline_case(key, title, *stages, train=train, score=fitted.score_sequences)


LEAKS = by_key(
    pipeline_case("01", "feature shifted the wrong way", *FEATURES, added=made.tomorrow),
    pipeline_case("02", "centred rolling mean", *FEATURES, added=made.centred_mean),
    pipeline_case("03", "gaps filled backwards", *FEATURES, added=made.back_filled),
    pipeline_case("04", "z-score over the whole sample", *FEATURES, features=made.full_sample),
    pipeline_case("05", "scaler fitted on train, validation and test", "input normalizer",
                  fit_scaler=training.scaler_of_all),
    pipeline_case("06", "features selected by their IC over the whole sample", "selection",
                  select=training.best_by_ic),
    pipeline_case("07", "stocks encoded by their mean target", *FEATURES, features=made.encoded),
    pipeline_case("08", "labels of five days, no purge", "folds", base=OF_WEEK, market=WEEK,
                  samples=training.unpurged),
    pipeline_case("09", "embargo missing", "folds", base=OF_WEEK, market=WEEK,
                  options={"embargo": 10}),
    pipeline_case("10", "shuffled K-fold over overlapping labels", "folds", base=OF_WEEK,
                  market=WEEK, samples=training.shuffled),
    _of_symbol("11", "batch norm scored in training mode, one stock in time order", 32),
    _of_network("12", "batch norm scored in training mode, blocks of five dates", *NETWORK,
                variant=VARIANTS["batch_norm_hidden"], batches="date_block", size=120,
                training=True),
    _of_network("13", "running statistics refreshed on the test block", *NETWORK,
                variant=VARIANTS["batch_norm_hidden"], prepare=networks.update_statistics),
    _of_network("14", "prediction-time batch norm over the whole test block", *NETWORK,
                variant=VARIANTS["batch_norm_hidden"], batches="all", training=True),
    _of_hidden("15", "detached batch mean", networks.BatchMean),
    _of_hidden("16", "rank within a batch of several dates", networks.BatchRank),
    _of_sequences("17", "instance norm over time, read at every step", *NETWORK, kind="instance"),
    _of_sequences("18", "bidirectional LSTM, read at every step", *NETWORK, kind="none",
                  both_ways=True),
    pipeline_case("19", "window normalized with the horizon in it", "window",
                  windows=training.with_horizon),
    pipeline_case("20", "epoch chosen on the test block", *TRAINING, base=network_parts(PLAIN),
                  train=partial(fitted.fit_windows, PLAIN, "shuffled", 128, epochs=12,
                                stop_on=training.on_test)),
    pipeline_case("21", "hyper-parameters tuned on the test block", *TRAINING,
                  train=training.tuned_on_test),
    pipeline_case("22", "week's close spread over its days", *FEATURES, added=made.weekly),
    pipeline_case("23", "universe of survivors", "universe", universe=rows.survivors),
    pipeline_case("24", "test rows with extreme labels dropped", "scoring", "universe",
                  rescoring=training.without_extremes),
    pipeline_case("25", "restated fundamentals from the end of the period on", "raw data",
                  "features", added=made.restated, options=REPORTED),
    pipeline_case("26", "signal of the close filled at the same day's open", "target",
                  target=rows.same_open),
    pipeline_case("27", "dual listings on both sides of a split by stock", "folds", "raw data",
                  universe=rows.with_dual_listings, samples=training.first_listings,
                  rescoring=training.second_listings),
    pipeline_case("28", "attribution baseline from all rows", "attribution",
                  explain=training.from_all_rows),
)  # fmt: skip
"""The 28 planted leaks of the catalogue, by number."""

MORE_LEAKS = by_key(
    pipeline_case("scaled by range", "min-max over the whole sample", *FEATURES,
                  features=made.full_min_max),
    pipeline_case("quantiles", "quantiles of the whole sample", *FEATURES,
                  features=made.full_ranks),
    pipeline_case("components", "principal components of all rows", *FEATURES,
                  features=made.full_components),
    pipeline_case("interpolated", "gaps interpolated", *FEATURES, added=made.interpolated),
    pipeline_case("month mean", "month's mean on each of its days", *FEATURES, added=made.monthly),
    pipeline_case("backwards", "exponential mean from the end", *FEATURES, added=made.backwards),
    pipeline_case("low pass", "Fourier filter over all days", *FEATURES, added=made.low_pass),
    pipeline_case("adjusted", "prices adjusted from the last day", *FEATURES, added=made.adjusted),
    pipeline_case("normal volume", "volume over its mean of all days", *FEATURES,
                  added=partial(made.over_history, column="volume", statistic="mean")),
    pipeline_case("next volume", "tomorrow's volume", *FEATURES, added=made.next_volume),
    pipeline_case("regime", "volatility above its median of all days", *FEATURES,
                  added=made.market_regime),
    pipeline_case("delisting", "days until the stock's last", *FEATURES,
                  added=made.time_to_delisting),
    pipeline_case("liquid", "most traded stocks of all days", "universe", universe=rows.liquid),
    pipeline_case("calm", "rows before extreme moves removed", "universe", universe=rows.calm),
    pipeline_case("same close", "signal of the close filled at that close", "target",
                  target=rows.same_close),
    pipeline_case("centred scores", "scores less their mean over the test block", "scoring",
                  rescoring=training.centred_in_test),
    pipeline_case("smoothed scores", "scores averaged with tomorrow's", "scoring",
                  rescoring=training.smoothed),
    _of_symbol("small batches", "batch norm in training mode, one stock, batches of 8", 8),
    _of_network("input batch norm",
                "batch norm of inputs scored in training mode on blocks of dates", *NETWORK,
                variant=VARIANTS["batch_norm"], batches="date_block", size=120, training=True),
    *EVERYDAY_LEAKS.values(),
    *NOTEBOOK_LEAKS.values(),
)  # fmt: skip
"""Leaks beyond the catalogue, added until no more were missed."""

HONEST_CASES = by_key(
    pipeline_case("c01", "rolling z-score", features=partial(
        honest.standardized, over="rolling", window=20, min_periods=5)),
    pipeline_case("c02", "exponential z-score of earlier days", features=partial(
        honest.standardized, over="ewm", lag=1, halflife=10)),
    pipeline_case("c03", "cross-sectional z-score", features=honest.cross_section),
    pipeline_case("c04", "cross-sectional rank", features=honest.cross_rank),
    pipeline_case("c05", "batch norm over one date", base=network_parts(
        lstm(VARIANTS["batch_norm_date"]), batches="date")),
    _of_network("c06", "batch norm in eval mode, shuffled training",
                variant=VARIANTS["batch_norm_hidden"]),
    _of_network("c07", "layer norm", variant=VARIANTS["layer_norm"]),
    _of_sequences("c08", "cumulative norm, read at every step", kind="cumulative"),
    _of_network("c09", "RevIN, last step", variant=VARIANTS["revin"]),
    pipeline_case("c10", "strong honest signal", market=Market(skill=0.15)),
    pipeline_case("c11", "signal that changes sign", market=Market(turn=True)),
    pipeline_case("c12", "purged walk-forward, five days", base=OF_WEEK, market=WEEK),
    _of_network("c13", "float32, batches whose size changes", variant=VARIANTS["none"],
                batches="all"),
    pipeline_case("c14", "gaps filled forwards, reports once known", added=made.as_reported,
                  options=REPORTED),
)  # fmt: skip
"""The 14 honest pipelines of the catalogue."""

MORE_HONEST = by_key(*LOOK_ALIKES.values(), *NOTEBOOK_HONEST.values())
"""Honest pipelines that look leaky."""

CASES = by_key(*LEAKS.values(), *MORE_LEAKS.values(), *HONEST_CASES.values(), *MORE_HONEST.values())
"""Every case."""
