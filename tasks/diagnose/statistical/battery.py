"""The statistical tests of an audit of a forecaster, and the symptoms that only inform."""

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from foldproof.tasks.diagnose.data.labels import Labels
from foldproof.tasks.diagnose.findings.catalogue import LEVEL
from foldproof.tasks.diagnose.findings.finding import Finding
from foldproof.tasks.diagnose.findings.verdicts import unknown_finding
from foldproof.tasks.diagnose.perturb.attempt import tried
from foldproof.tasks.diagnose.perturb.rows import KEYS
from foldproof.tasks.diagnose.statistical.delay import delay_curve
from foldproof.tasks.diagnose.statistical.drift import drift
from foldproof.tasks.diagnose.statistical.permutation import label_permutation
from foldproof.tasks.diagnose.statistical.placebo import noise_placebo
from foldproof.tasks.diagnose.statistical.reversal import time_reversal
from foldproof.tasks.diagnose.statistical.screen import feature_screen
from foldproof.tasks.diagnose.statistical.survivorship import survivorship
from foldproof.tasks.diagnose.trace.reference_run import ReferenceRun

DRIFT_TURNS = 4
"""Other places of the test block against which drift is held."""


@dataclass(frozen=True, eq=False)
class Known:
    """What is known besides the rows, and how much is asked for.

    Attributes:
        target: Rows -> what is forecast, or None.
        labels: What is forecast on the data, indexed (date, symbol), or None.
        column: The column that holds the labels, if one does.
        horizon: Rows that a label spans.
        prices: Columns of prices, the close last.
        placebo: Twins without predictability to train on.
        permutations: Trainings on permuted labels.
        hazard: Share of symbols that end in a year, or None.
        level: Of each test.
    """

    target: Labels | None = None
    labels: pd.Series | None = None
    column: str | None = None
    horizon: int = 1
    prices: tuple[str, ...] = ()
    placebo: int = 0
    permutations: int = 0
    hazard: float | None = None
    level: float = LEVEL


def data_statistics(ground: ReferenceRun, known: Known) -> list[Finding]:
    """Those of rows, features and target, which every forecaster on them shares."""
    return [
        *feature_findings(ground, known),
        survivorship(ground.data, known.hazard, level=known.level),
    ]


def forecast_statistics(ground: ReferenceRun, known: Known) -> list[Finding]:
    """Those of the forecasts; the ones that train anew only where asked for."""
    return [
        *delay_findings(ground, known),
        *placebo_findings(ground, known),
        *permutation_findings(ground, known),
    ]


def delay_findings(ground: ReferenceRun, known: Known) -> list[Finding]:
    """What a day's delay costs, where what is forecast is known."""
    label, scores = learned(ground, known.labels), ground.base.scores
    if label is None:
        return []
    return tried(
        "delay_curve", "scoring", lambda: [delay_curve(scores, label, known.horizon)[0]]
    )  # fmt: skip


def feature_findings(ground: ReferenceRun, known: Known) -> Iterator[Finding]:
    """What traced features say by themselves: screen, time reversal, drift."""
    table = ground.base.trace.table("features")
    if table is None:
        return
    rows, fold, label = table.frame(), ground.subject.fold, learned(ground, known.labels)
    if label is not None:
        yield from tried(
            "feature_screen",
            "features",
            lambda: [feature_screen(rows, label, known.horizon).finding],
        )
    if known.prices:
        past, future = returns_around(ground.data, known.prices[-1], known.horizon)
        yield from tried(
            "time_reversal",
            "features",
            lambda: [time_reversal(rows, past, future, known.horizon)[0]],
        )
    yield from tried(
        "drift",
        "features",
        lambda: [drift(rows, fold.train_dates, fold.test_dates, turns=DRIFT_TURNS)],
    )


def learned(ground: ReferenceRun, labels: pd.Series | None) -> pd.Series | None:
    """Labels from the first training date on."""
    if labels is None:
        return None
    return labels[labels.index.get_level_values(0) >= ground.subject.fold.train_dates[0]]


def returns_around(
    data: pd.DataFrame, price: str, horizon: int
) -> tuple[pd.Series, pd.Series]:  # fmt: skip
    """Returns over the ``horizon`` rows up to each row, and over those after it."""
    close = data.set_index(list(KEYS))[price].sort_index()
    past = close / close.groupby(level=1).shift(horizon) - 1
    return past, past.groupby(level=1).shift(-horizon)


def placebo_findings(ground: ReferenceRun, known: Known) -> list[Finding]:
    """The noise placebo, where it is asked for and there are prices to make twins of."""
    if not known.placebo:
        return []
    if not known.prices or known.target is None or known.column is not None:
        reason = "twins need prices and a target that is made from the rows by a function"
        return [unknown_finding("noise_placebo", "training", reason, "", counts=False)]
    subject, target = ground.subject, known.target
    return tried(
        "noise_placebo",
        "training",
        lambda: [
            noise_placebo(
                subject.forecast, ground.data, subject.fold, target, prices=known.prices,
                horizon=known.horizon, panels=known.placebo, seed=ground.seed,
            )
        ],
    )  # fmt: skip


def permutation_findings(ground: ReferenceRun, known: Known) -> list[Finding]:
    """Label permutation, where it is asked for and labels are a column that can be permuted."""
    if not known.permutations:
        return []
    if known.column is None:
        reason = "only labels that are a column of the data can be permuted in it"
        return [unknown_finding("label_permutation", "training", reason, "", counts=False)]
    subject, column = ground.subject, known.column
    return tried(
        "label_permutation",
        "training",
        lambda: [
            label_permutation(
                subject.forecast, ground.data, subject.fold, column,
                permutations=known.permutations, seed=ground.seed, level=known.level,
            )
        ],
    )  # fmt: skip
