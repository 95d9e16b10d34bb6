"""The statistical tests of an audit of a forecaster, and the symptoms that only inform."""

from collections.abc import Iterator

import pandas as pd

from foldproof.tasks.diagnose.findings.finding import Finding
from foldproof.tasks.diagnose.findings.verdicts import unknown_finding
from foldproof.tasks.diagnose.perturb.attempt import findings_or_unknown
from foldproof.tasks.diagnose.perturb.rows import KEYS
from foldproof.tasks.diagnose.spec import DRIFT_TURNS
from foldproof.tasks.diagnose.statistical.delay import delay_curve
from foldproof.tasks.diagnose.statistical.drift import drift
from foldproof.tasks.diagnose.statistical.permutation import label_permutation
from foldproof.tasks.diagnose.statistical.placebo import noise_placebo
from foldproof.tasks.diagnose.statistical.reversal import time_reversal
from foldproof.tasks.diagnose.statistical.screen import feature_screen
from foldproof.tasks.diagnose.statistical.survivorship import survivorship
from foldproof.tasks.diagnose.trace.run import ReferenceRun


def data_statistics(reference: ReferenceRun) -> list[Finding]:
    """The statistical tests of rows, features and target, which do not depend on the model."""
    options = reference.options
    ends = survivorship(reference.data, options.hazard, level=options.level)
    return [*feature_findings(reference), ends]


def forecast_statistics(reference: ReferenceRun) -> list[Finding]:
    """The statistical tests of the forecasts; those that train again only if asked for."""
    return [
        *delay_findings(reference),
        *placebo_findings(reference),
        *permutation_findings(reference),
    ]


def delay_findings(reference: ReferenceRun) -> list[Finding]:
    """The cost of a day's delay, if the labels are known."""
    labels, scores = labels_from_training(reference), reference.base.scores
    if labels is None:
        return []
    horizon = reference.options.horizon
    return findings_or_unknown(
        "delay_curve", "scoring", lambda: [delay_curve(scores, labels, horizon)[0]]
    )


def feature_findings(reference: ReferenceRun) -> Iterator[Finding]:
    """The tests of traced features: screen, time reversal, drift."""
    table = reference.base.trace.table("features")
    if table is None:
        return
    rows, fold = table.frame(), reference.bound.fold
    horizon, prices = reference.options.horizon, reference.options.prices
    yield from screened_features(reference)
    if prices:
        past, future = returns_around(reference.data, prices[-1], horizon)
        yield from findings_or_unknown(
            "time_reversal", "features", lambda: [time_reversal(rows, past, future, horizon)[0]]
        )
    yield from findings_or_unknown(
        "drift",
        "features",
        lambda: [drift(rows, fold.train_dates, fold.test_dates, turns=DRIFT_TURNS)],
    )


def screened_features(reference: ReferenceRun) -> list[Finding]:
    """The screen of traced features, if the labels are known."""
    table, labels = reference.base.trace.table("features"), labels_from_training(reference)
    if table is None or labels is None:
        return []
    rows, horizon = table.frame(), reference.options.horizon
    return findings_or_unknown(
        "feature_screen", "features", lambda: [feature_screen(rows, labels, horizon).finding]
    )


def labels_from_training(reference: ReferenceRun) -> pd.Series | None:
    """Labels from the first training date on."""
    labels = reference.labels
    if labels is None:
        return None
    return labels[labels.index.get_level_values(0) >= reference.bound.fold.train_dates[0]]


def returns_around(data: pd.DataFrame, price: str, horizon: int) -> tuple[pd.Series, pd.Series]:
    """Returns over the ``horizon`` rows up to each row, and over those after it."""
    close = data.set_index(list(KEYS))[price].sort_index()
    past = close / close.groupby(level=1).shift(horizon) - 1
    return past, past.groupby(level=1).shift(-horizon)


def placebo_findings(reference: ReferenceRun) -> list[Finding]:
    """The noise placebo, if asked for; it needs prices and a target computed from the rows."""
    options, bound = reference.options, reference.bound
    target = options.target
    if not options.placebo:
        return []
    if not options.prices or target is None or isinstance(target, str):
        reason = "noise data sets need prices, and a target that a function computes from the rows"
        return [unknown_finding("noise_placebo", "training", reason, "", counts=False)]
    return findings_or_unknown(
        "noise_placebo",
        "training",
        lambda: [
            noise_placebo(
                bound.forecast, reference.data, bound.fold, target, prices=options.prices,
                horizon=options.horizon, panels=options.placebo, seed=options.seed,
            )
        ],
    )  # fmt: skip


def permutation_findings(reference: ReferenceRun) -> list[Finding]:
    """Label permutation, if asked for; it needs labels in a column of the data."""
    options, bound = reference.options, reference.bound
    column = options.target
    if not options.permutations:
        return []
    if not isinstance(column, str):
        reason = "labels can only be permuted if they are a column of the data"
        return [unknown_finding("label_permutation", "training", reason, "", counts=False)]
    return findings_or_unknown(
        "label_permutation",
        "training",
        lambda: [
            label_permutation(
                bound.forecast, reference.data, bound.fold, column,
                permutations=options.permutations, seed=options.seed, level=options.level,
            )
        ],
    )  # fmt: skip
