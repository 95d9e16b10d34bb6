"""The cases by which the audit is measured: 28 leaks and 14 controls of the catalogue, and more."""

from dataclasses import replace
from functools import partial

from foldproof.models.normalizers import VARIANTS, Variant
from foldproof.tasks.benchmark.case import Case, by_key
from foldproof.tasks.benchmark.honest import transforms as controls
from foldproof.tasks.benchmark.honest.forecaster import HONEST, next_close
from foldproof.tasks.benchmark.honest.market import Market
from foldproof.tasks.benchmark.honest.networks import (
    Scoring,
    fit_sequences,
    fit_windows,
    lstm,
    network_parts,
    score_sequences,
)
from foldproof.tasks.benchmark.leaks import features as made
from foldproof.tasks.benchmark.leaks import pipeline as planted
from foldproof.tasks.benchmark.leaks.features import adding, making
from foldproof.tasks.benchmark.more_cases import EVERYDAY_LEAKS, MORE_CONTROLS

WEEK = Market(horizon=5)
"""Labels over five days."""
OF_WEEK = replace(HONEST, target=partial(next_close, horizon=5))
BATCH_NORM = lstm(VARIANTS["batch_norm_hidden"])
REPORTED = {"known_at": {"book": "book_known"}}


def hidden(module: type) -> Variant:
    """A variant with ``module`` on the last hidden state."""
    return Variant("planted", "planted", "planted", hidden=module)


def sequences(kind: str, both_ways: bool = False) -> Case:
    """A forecaster that reads whole sequences and forecasts at every step."""
    parts = replace(
        HONEST,
        train=partial(fit_sequences, lambda f: planted.OverTime(f, kind, both_ways)),
        score=score_sequences,
    )
    return Case("", "", parts.forecaster)


LEAKS = by_key(
    Case("01", "feature shifted the wrong way", adding(made.tomorrow), ("features",)),
    Case("02", "centred rolling mean", adding(made.centred_mean), ("features",)),
    Case("03", "holes filled backwards", adding(made.back_filled), ("features",)),
    Case("04", "z-score over the whole sample", making(made.full_sample), ("features",)),
    Case(
        "05",
        "scaler fitted on train, validation and test",
        replace(HONEST, fit_scaler=planted.scaler_of_all).forecaster,
        ("input normalizer",),
    ),
    Case(
        "06",
        "features selected by their IC over the whole sample",
        replace(HONEST, select=planted.best_by_ic).forecaster,
        ("selection",),
    ),
    Case("07", "stocks encoded by their mean target", making(made.encoded), ("features",)),
    Case(
        "08",
        "labels of five days, no purge",
        replace(OF_WEEK, samples=planted.unpurged).forecaster,
        ("folds",),
        WEEK,
    ),
    Case(
        "09",
        "embargo missing",
        OF_WEEK.forecaster,
        ("folds",),
        WEEK,
        options={"embargo": 10},
    ),
    Case(
        "10",
        "shuffled K-fold over overlapping labels",
        replace(OF_WEEK, samples=planted.shuffled).forecaster,
        ("folds",),
        WEEK,
    ),
    Case(
        "11",
        "batch norm scored in training mode, one stock in time order",
        network_parts(BATCH_NORM, Scoring("symbol", 32, training=True), "symbol", 32).forecaster,
        ("network", "scoring"),
    ),
    Case(
        "12",
        "batch norm scored in training mode, blocks of five dates",
        network_parts(BATCH_NORM, Scoring("date_block", 120, training=True)).forecaster,
        ("network", "scoring"),
    ),
    Case(
        "13",
        "running statistics refreshed on the test block",
        network_parts(BATCH_NORM, Scoring(prepare=planted.update_statistics)).forecaster,
        ("network", "scoring"),
    ),
    Case(
        "14",
        "prediction-time batch norm over the whole test block",
        network_parts(BATCH_NORM, Scoring("all", training=True)).forecaster,
        ("network", "scoring"),
    ),
    Case(
        "15",
        "detached batch mean",
        network_parts(lstm(hidden(planted.BatchMean)), Scoring("date_block", 120)).forecaster,
        ("network", "scoring"),
    ),
    Case(
        "16",
        "rank within a batch of several dates",
        network_parts(lstm(hidden(planted.BatchRank)), Scoring("date_block", 120)).forecaster,
        ("network", "scoring"),
    ),
    replace(
        sequences("instance"),
        key="17",
        title="instance norm over time, read at every step",
        stages=("network", "scoring"),
    ),
    replace(
        sequences("none", both_ways=True),
        key="18",
        title="bidirectional LSTM, read at every step",
        stages=("network", "scoring"),
    ),
    Case(
        "19",
        "window normalized with the horizon in it",
        replace(HONEST, windows=planted.with_horizon).forecaster,
        ("window",),
    ),
    Case(
        "20",
        "epoch chosen on the test block",
        replace(
            network_parts(lstm(VARIANTS["none"])),
            train=partial(
                fit_windows,
                lstm(VARIANTS["none"]),
                "shuffled",
                128,
                stop_on=planted.on_test,
                epochs=12,
            ),
        ).forecaster,
        ("training", "selection"),
    ),
    Case(
        "21",
        "hyper-parameters tuned on the test block",
        replace(HONEST, train=planted.tuned_on_test).forecaster,
        ("training", "selection"),
    ),
    Case("22", "week's close spread over its days", adding(made.weekly), ("features",)),
    Case(
        "23",
        "universe of survivors",
        replace(HONEST, universe=made.survivors).forecaster,
        ("universe",),
    ),
    Case(
        "24",
        "test rows with extreme labels dropped",
        replace(HONEST, score=planted.without_extremes).forecaster,
        ("scoring", "universe"),
    ),
    Case(
        "25",
        "restated fundamentals from the end of the period on",
        adding(made.restated),
        ("raw data", "features"),
        options=REPORTED,
    ),
    Case(
        "26",
        "signal of the close filled at the same day's open",
        replace(HONEST, target=made.same_open).forecaster,
        ("target",),
    ),
    Case(
        "27",
        "dual listings on both sides of a split by stock",
        replace(
            HONEST,
            universe=made.with_twins,
            samples=planted.first_listings,
            score=planted.second_listings,
        ).forecaster,
        ("folds", "raw data"),
    ),
    Case(
        "28",
        "attribution baseline from all rows",
        replace(HONEST, explain=planted.from_all_rows).forecaster,
        ("attribution",),
    ),
)
"""The 28 planted leaks of the catalogue, each by its number."""

MORE_LEAKS = by_key(
    Case(
        "scaled by range", "min-max over the whole sample", making(made.full_min_max), ("features",)
    ),
    Case("quantiles", "quantiles of the whole sample", making(made.full_ranks), ("features",)),
    Case(
        "components",
        "principal components of all rows",
        making(made.full_components),
        ("features",),
    ),
    Case("interpolated", "holes filled on a line", adding(made.interpolated), ("features",)),
    Case("month mean", "month's mean on each of its days", adding(made.monthly), ("features",)),
    Case("backwards", "exponential mean from the end", adding(made.backwards), ("features",)),
    Case("low pass", "Fourier filter over all days", adding(made.low_pass), ("features",)),
    Case("adjusted", "prices adjusted from the last day", adding(made.adjusted), ("features",)),
    Case(
        "normal volume",
        "volume over its mean of all days",
        adding(made.normal_volume),
        ("features",),
    ),
    Case("next volume", "tomorrow's volume", adding(made.next_volume), ("features",)),
    Case(
        "regime",
        "volatility above its median of all days",
        adding(made.market_regime),
        ("features",),
    ),
    Case("delisting", "days until the stock's last", adding(made.time_to_delisting), ("features",)),
    Case(
        "liquid",
        "most traded stocks of all days",
        replace(HONEST, universe=made.liquid).forecaster,
        ("universe",),
    ),
    Case(
        "calm",
        "rows before extreme moves removed",
        replace(HONEST, universe=made.calm).forecaster,
        ("universe",),
    ),
    Case(
        "same close",
        "signal of the close filled at that close",
        replace(HONEST, target=made.same_close).forecaster,
        ("target",),
    ),
    Case(
        "centred scores",
        "scores less their mean over the test block",
        replace(HONEST, score=planted.centred_in_test).forecaster,
        ("scoring",),
    ),
    Case(
        "smoothed scores",
        "scores averaged with tomorrow's",
        replace(HONEST, score=planted.smoothed).forecaster,
        ("scoring",),
    ),
    Case(
        "small batches",
        "batch norm in training mode, one stock, batches of 8",
        network_parts(BATCH_NORM, Scoring("symbol", 8, training=True), "symbol", 8).forecaster,
        ("network", "scoring"),
    ),
    Case(
        "input batch norm",
        "batch norm of inputs scored in training mode on blocks of dates",
        network_parts(
            lstm(VARIANTS["batch_norm"]), Scoring("date_block", 120, training=True)
        ).forecaster,
        ("network", "scoring"),
    ),
    *EVERYDAY_LEAKS.values(),
)
"""Leaks beyond the catalogue, added until no more were missed."""

CONTROLS = by_key(
    Case("c01", "rolling z-score", making(controls.rolling)),
    Case("c02", "exponential z-score of earlier days", making(controls.exponential)),
    Case("c03", "cross-sectional z-score", making(controls.cross_section)),
    Case("c04", "cross-sectional rank", making(controls.cross_rank)),
    Case(
        "c05",
        "batch norm over one date",
        network_parts(lstm(VARIANTS["batch_norm_date"]), batches="date").forecaster,
    ),
    Case("c06", "batch norm in eval mode, shuffled training", network_parts(BATCH_NORM).forecaster),
    Case("c07", "layer norm", network_parts(lstm(VARIANTS["layer_norm"])).forecaster),
    replace(sequences("cumulative"), key="c08", title="cumulative norm, read at every step"),
    Case("c09", "RevIN, last step", network_parts(lstm(VARIANTS["revin"])).forecaster),
    Case("c10", "strong honest signal", HONEST.forecaster, market=Market(skill=0.15)),
    Case("c11", "signal that turns", HONEST.forecaster, market=Market(turn=True)),
    Case("c12", "purged walk-forward, five days", OF_WEEK.forecaster, market=WEEK),
    Case(
        "c13",
        "float32, batches whose size changes",
        network_parts(lstm(VARIANTS["none"]), Scoring("all")).forecaster,
    ),
    Case(
        "c14",
        "holes filled forwards, reports once known",
        adding(made.as_reported),
        options=REPORTED,
    ),
)
"""The 14 clean controls of the catalogue."""

CASES = by_key(*LEAKS.values(), *MORE_LEAKS.values(), *CONTROLS.values(), *MORE_CONTROLS.values())
"""Every case."""
