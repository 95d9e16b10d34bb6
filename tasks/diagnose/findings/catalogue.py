"""The leak tests: what each measures, its null, its level, and its blind spots."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Literal, Protocol, TypeVar

FLOAT64 = 1e-9
"""Rounding of float64 results in standard deviations (measured: 2e-14)."""
FLOAT32 = 1e-5
"""Rounding of float32 results in standard deviations (measured: 2e-6)."""
LEVEL = 0.01
"""Probability that the statistical tests of an audit flag an honest pipeline at all."""

STAGES = (
    "folds", "raw data", "universe", "features", "target", "selection", "input normalizer",
    "window", "training", "network", "scoring", "attribution",
)  # fmt: skip
"""Stages at which a leak can enter a pipeline, in the order of the data flow."""


@dataclass(frozen=True)
class Diagnostic:
    """A leak test.

    Attributes:
        key: Its name in findings and reports.
        title: A few words for tables.
        statistic: What is measured, with its unit.
        null: The value of an honest pipeline.
        blind: Leaks that it cannot find.
        threshold: LEAK above this value; rounding stays below. For a statistical test, the level
            that all statistical tests of an audit share (Holm 1979).
        kind: exact (the null holds to the last bit), statistical (the null has a distribution), or
            informs (a symptom that honest pipelines can have too: it never counts).
    """

    key: str
    title: str
    statistic: str
    null: str
    blind: str
    threshold: float = 0.0
    kind: Literal["exact", "statistical", "informs"] = "exact"


class Keyed(Protocol):
    """An entry of a table, such as a test, a perturbation or a case."""

    @property
    def key(self) -> str:
        """Its name."""


Entry = TypeVar("Entry", bound=Keyed)


def by_key(*entries: Entry) -> Mapping[str, Entry]:
    """``entries`` by their key.

    Raises:
        ValueError: Two entries have the same key.
    """
    found = {entry.key: entry for entry in entries}
    if len(found) < len(entries):
        keys = [entry.key for entry in entries]
        raise ValueError(f"duplicate keys: {', '.join(k for k in found if keys.count(k) > 1)}")
    return MappingProxyType(found)


Statistical = partial(Diagnostic, threshold=LEVEL, kind="statistical")
Informs = partial(Diagnostic, kind="informs")

DIAGNOSTICS: Mapping[str, Diagnostic] = by_key(
    Diagnostic(
        "serve_invariance",
        "Serve invariance",
        "largest change of a past result when later rows change [sd]",
        "0: results dated up to the cut do not depend on rows dated after it",
        "rows that were wrong when recorded: restatements, survivorship, vendor adjustments; leaks "
        "on a few dates, none of them a cut",
        FLOAT64,
    ),
    Diagnostic(
        "train_invariance",
        "Train invariance",
        "trained arrays that differ when everything after training changes [count]",
        "0: weights, buffers, statistics and the chosen epoch are equal to the last bit",
        "choices that a person made after looking at the test block",
    ),
    Diagnostic(
        "batch_composition",
        "Batch composition",
        "largest change of a forecast when later-dated samples of its batch change [sd]",
        "0: a forecast does not depend on later-dated samples in its batch",
        "coupling outside the network: features, input normalizer, selection",
        FLOAT64,
    ),
    Diagnostic(
        "jacobian",
        "Jacobian causality",
        "share of a forecast's absolute gradient on later rows [fraction]",
        "0: the gradient with respect to later rows is zero",
        "detached statistics, ranks and other operations without a gradient; never run it alone",
    ),
    Diagnostic(
        "nan_taint",
        "NaN taint",
        "share of forecasts that become NaN when later rows are NaN [fraction]",
        "0: a later NaN changes no forecast",
        "operations that skip NaN; it takes a product with 0 for a dependence",
    ),
    Diagnostic(
        "completeness_split",
        "Completeness split",
        "completeness gap of integrated gradients by sample [share of the change]",
        "0: a forecast is explained by its own window and by samples known at the same time",
        "coupling through statistics that the change of input preserves; steps of a window",
        1e-6,
    ),
    Diagnostic(
        "state_purity",
        "State purity",
        "buffers changed by scoring, and modules scored in training mode [count]",
        "0: scoring runs in eval mode and leaves the network unchanged",
        "state kept outside the network",
    ),
    Diagnostic(
        "purge",
        "Purge",
        "earlier rows whose label reaches into a later block [rows]",
        "0: every label is known before the next block begins",
        "wrong label ends, unless the code that makes the labels is traced",
    ),
    Diagnostic(
        "fold_order",
        "Fold order",
        "test dates not after all of the fold's earlier blocks, or in two folds [dates]",
        "0: train, then validation, then test; each date is forecast once",
        "how the fold plan was chosen",
    ),
    Diagnostic(
        "duplicates",
        "Duplicates",
        "test rows whose values also occur in the training block [rows]",
        "0: no row is both trained on and tested on",
        "near-duplicates that differ by more than rounding",
    ),
    Diagnostic(
        "point_in_time",
        "Point in time",
        "cells used before they were known [cells]",
        "0: every value was known by its own date",
        "wrong knowledge times; UNKNOWN where there is no knowledge time",
    ),
    Diagnostic(
        "execution",
        "Execution order",
        "targets whose return begins on or before their own date [targets]",
        "0: the target return begins after the last row that the forecast reads",
        "costs, capacity and fills; a deduction from the return, such as a rate, cannot always be "
        "distinguished from a return that begins too early: UNKNOWN",
    ),
    Statistical(
        "noise_placebo",
        "Noise placebo",
        "mean daily rank IC on unpredictable returns [correlation]",
        "0: given the past, every later return has mean zero, whatever the model",
        "leaks of a move's size but not its sign; columns computed from the true prices that the "
        "forecaster does not recompute",
    ),
    Statistical(
        "label_permutation",
        "Label permutation",
        "mean daily rank IC after training on labels shuffled within dates [correlation]",
        "mean 0 over permutations, or no lower once test labels are shuffled too",
        "leaks through training labels or through columns other than the label",
    ),
    Statistical(
        "mode_gap",
        "Training-mode gap",
        "daily rank IC in training mode minus eval mode [correlation]",
        "0 or below: batch statistics do not improve the forecast",
        "networks that are equal in both modes; coupling without a gain in rank IC",
    ),
    Statistical(
        "composition_contrast",
        "Composition contrast",
        "largest rank IC with mixed-date batches minus one-date batches [correlation]",
        "0 or below: no composition ranks better than batches of one date",
        "networks without coupled samples; coupling without a gain in rank IC",
    ),
    Statistical(
        "feature_screen",
        "Feature screen",
        "largest mean daily rank IC of a single feature [correlation]",
        "at most the stated ceiling, which no honest single feature exceeds",
        "leaks below the ceiling, where honest signals may lie too",
    ),
    Informs(
        "delay_curve",
        "Delay curve",
        "rank IC of a forecast used a day late as a share of its rank IC in time [fraction]",
        "no cliff after the first day: a signal decays like its autocorrelation",
        "slow leaks; fast honest signals look the same",
        0.5,
    ),
    Informs(
        "drift",
        "Drift",
        "AUC of a classifier of test rows against training rows [AUC]",
        "0.5 without drift; drift is not a leak",
        "everything but drift",
        0.7,
    ),
    Statistical(
        "survivorship",
        "Survivorship",
        "symbols that end before the data end, per symbol and year [1 / year]",
        "the stated delisting rate",
        "survivorship where no delisting rate is stated or the universe is too small for an ending",
    ),
    Diagnostic(
        "selection_audit",
        "Selection audit",
        "choices that change when only test labels change [count]",
        "0: no choice depends on test labels",
        "choices made by people, which no code repeats",
    ),
    Informs(
        "time_reversal",
        "Time reversal",
        "rank IC of a feature with past and future returns, smaller over larger [fraction]",
        "below 0.5: equal power both ways suggests smoothing over the future",
        "leaks with unequal power in the two directions; weak honest features look the same",
        0.5,
    ),
)
"""Every test by key."""

IN_THE_ROWS = ("feature_screen", "survivorship")
"""Tests of leaks that are in the rows of the past themselves, so that a replay has them, too."""
