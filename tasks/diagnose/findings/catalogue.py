"""The leak tests: what each measures, against which null and level, and what it cannot see."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

FLOAT64 = 1e-9
"""Rounding of float64 results, in standard deviations (measured floor 2e-14)."""
FLOAT32 = 1e-5
"""Rounding of float32 results, in standard deviations (measured floor 2e-6)."""
LEVEL = 0.01
"""Chance that any of the statistical tests of an audit calls an honest pipeline a leak."""

STAGES = (
    "folds", "raw data", "universe", "features", "target", "selection", "input normalizer",
    "window", "training", "network", "scoring", "attribution",
)  # fmt: skip
"""Where in a pipeline a leak can enter, in the order in which data pass."""


@dataclass(frozen=True)
class Diagnostic:
    """A test for information from the future.

    Attributes:
        key: Its name in findings and reports.
        title: A few words for tables.
        number: Its place in the catalogue of leak tests, T1 to T24.
        statistic: What is measured, with its unit.
        null: What an honest pipeline gives.
        blind: What it cannot see.
        threshold: LEAK above this value; rounding stays below. Of a statistical test, the level
            that all statistical tests of an audit share (Holm 1979).
        kind: exact (the null holds to the last bit), statistical (it has a distribution), or
            informs (a symptom with honest causes too: never a verdict).
    """

    key: str
    title: str
    number: str
    statistic: str
    null: str
    blind: str
    threshold: float
    kind: Literal["exact", "statistical", "informs"] = "exact"


def catalogue(*entries: Diagnostic) -> Mapping[str, Diagnostic]:
    """``entries`` by their key."""
    return MappingProxyType({entry.key: entry for entry in entries})


DIAGNOSTICS: Mapping[str, Diagnostic] = catalogue(
    Diagnostic(
        "serve_invariance",
        "Serve invariance",
        "T1",
        "largest move of a past result when later rows change [sd]",
        "0: what is dated up to the cut does not depend on what is dated after it",
        "rows that were wrong when they were recorded: restatements, survivors, vendor "
        "adjustments; leaks that show at few dates, none of them a cut",
        FLOAT64,
    ),
    Diagnostic(
        "train_invariance",
        "Train invariance",
        "T2",
        "trained arrays that differ when everything after training changes [count]",
        "0: weights, buffers, statistics and chosen epoch are identical to the last bit",
        "what a person chose after looking at the test block",
        0.0,
    ),
    Diagnostic(
        "batch_composition",
        "Batch composition",
        "T3",
        "largest move of a forecast when later-dated batch mates change [sd]",
        "0: a forecast does not depend on who shares its batch and is dated later",
        "coupling outside the network: features, input normalizer, selection",
        FLOAT64,
    ),
    Diagnostic(
        "jacobian",
        "Jacobian causality",
        "T4",
        "share of a forecast's absolute derivatives that lies on rows dated later [fraction]",
        "0: no derivative leads to a later row",
        "detached statistics, ranks and whatever else has no derivative: never alone",
        0.0,
    ),
    Diagnostic(
        "nan_taint",
        "NaN taint",
        "T5",
        "share of forecasts that turn missing when rows dated later are missing [fraction]",
        "0: a missing later row is not felt",
        "operations that skip missing values; it mistakes products with 0 for dependence",
        0.0,
    ),
    Diagnostic(
        "completeness_split",
        "Completeness split",
        "T6",
        "gap of integrated gradients by sample when later dates move [share of the change]",
        "0: a forecast is explained by its own window, or by companions that are known with it",
        "coupling by statistics that the change of the input leaves as they are; steps of a window",
        1e-6,
    ),
    Diagnostic(
        "state_purity",
        "State purity",
        "T7",
        "buffers changed by scoring, and modules scored in training mode [count]",
        "0: scoring leaves the network as it was and runs in eval mode",
        "state kept outside the network",
        0.0,
    ),
    Diagnostic(
        "purge",
        "Purge",
        "T8",
        "earlier rows whose label reaches into a later block [rows]",
        "0: every label is known before the next block begins",
        "labels whose stated end is wrong, where the pipeline that makes them is not shown",
        0.0,
    ),
    Diagnostic(
        "fold_order",
        "Fold order",
        "T9",
        "test dates not after all of the fold's earlier blocks, or in two folds [dates]",
        "0: train, then validation, then test; each date is forecast once",
        "how the fold plan itself was chosen",
        0.0,
    ),
    Diagnostic(
        "duplicates",
        "Duplicates",
        "T10",
        "rows of the test block whose values stand in the training block too [rows]",
        "0: no row is trained on and tested on",
        "twins that differ by more than rounding",
        0.0,
    ),
    Diagnostic(
        "point_in_time",
        "Point in time",
        "T11",
        "cells that became known after the decision that uses them [cells]",
        "0: every value was known by its own date",
        "values whose stated knowledge time is wrong; unknown without a knowledge time",
        0.0,
    ),
    Diagnostic(
        "execution",
        "Execution order",
        "T12",
        "targets whose return begins on or before their own date [targets]",
        "0: the return that is forecast begins after the last row that the forecast reads",
        "costs, capacity and whether the price could be had; what is taken off a return, such as "
        "a rate, cannot always be told from a return that begins too early: unknown",
        0.0,
    ),
    Diagnostic(
        "warm_up",
        "Warm-up",
        "T13",
        "largest move of results with the declared history when history begins later [sd]",
        "below rounding: with the declared rows it does not matter where the history began",
        "history longer than what there is to drop; it is no look-ahead, so clean or unknown",
        FLOAT64,
        "informs",
    ),
    Diagnostic(
        "noise_placebo",
        "Noise placebo",
        "T14",
        "mean daily rank IC on returns without any predictability [correlation]",
        "0: every later return has mean zero given the past, whatever the model",
        "leaks that tell the size of a move but not its sign; columns made of the true prices "
        "that the forecaster does not compute anew",
        LEVEL,
        "statistical",
    ),
    Diagnostic(
        "label_permutation",
        "Label permutation",
        "T15",
        "mean daily rank IC after training on labels permuted within dates [correlation]",
        "centred on 0 over permutations, or no less once test labels are permuted too",
        "leaks through training labels, and through columns other than the label",
        LEVEL,
        "statistical",
    ),
    Diagnostic(
        "mode_gap",
        "Training-mode gap",
        "T16",
        "daily rank IC in training mode less that in eval mode [correlation]",
        "0 or below: batch statistics do not help a forecast",
        "networks that behave alike in both modes; coupling that does not help, or is not felt",
        LEVEL,
        "statistical",
    ),
    Diagnostic(
        "composition_contrast",
        "Composition contrast",
        "T17",
        "largest rank IC of batches of mixed dates less that of batches of one date [correlation]",
        "0 or below: no composition ranks better than batches of one date",
        "networks whose samples are not coupled; coupling that does not help, or is not felt",
        LEVEL,
        "statistical",
    ),
    Diagnostic(
        "feature_screen",
        "Feature screen",
        "T18",
        "largest mean daily rank IC of a single feature [correlation]",
        "no feature alone is believed to be better than the stated ceiling",
        "leaks below the ceiling: an honest signal may be as good",
        LEVEL,
        "statistical",
    ),
    Diagnostic(
        "delay_curve",
        "Delay curve",
        "T19",
        "rank IC of a forecast used k days late as a share of its rank IC in time [fraction]",
        "no cliff after the first day: signals decay as their autocorrelation does",
        "slow leaks; it mistakes fast honest signals",
        0.5,
        "informs",
    ),
    Diagnostic(
        "drift",
        "Drift",
        "T20",
        "area under the ROC curve of telling test rows from training rows [AUC]",
        "0.5 where nothing drifts: drift is no leak",
        "everything but drift",
        0.7,
        "informs",
    ),
    Diagnostic(
        "survivorship",
        "Survivorship",
        "T21",
        "symbols that end before the data do, per symbol and year [1 / year]",
        "as many as the stated hazard lets expect",
        "survivors in a universe whose hazard is not stated, or too small to expect an ending",
        LEVEL,
        "statistical",
    ),
    Diagnostic(
        "noise_features",
        "Noise features",
        "T22",
        "features that matter less than the best of the injected noise features [count]",
        "noise ranks last where there is something to find",
        "leaks: they matter more than noise",
        0.0,
        "informs",
    ),
    Diagnostic(
        "selection_audit",
        "Selection audit",
        "T23",
        "choices that differ when only the labels of the test block change [count]",
        "0: nothing was chosen by test labels",
        "choices that people made and code does not repeat",
        0.0,
    ),
    Diagnostic(
        "time_reversal",
        "Time reversal",
        "T24",
        "rank ICs of a feature with past and future returns, lesser over larger [fraction]",
        "features look back: equal power both ways suggests smoothing over the future",
        "leaks whose power differs by direction; it mistakes weak honest features",
        0.5,
        "informs",
    ),
)
"""Every test by its key."""
