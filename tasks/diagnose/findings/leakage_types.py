"""The eight types of leakage of Kapoor & Narayanan 2023, and the tests that cover each."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from foldproof.tasks.diagnose.findings.catalogue import by_key
from foldproof.tasks.diagnose.findings.finding import Verdict

SEPARATION = "No clean separation of training and test data"
FEATURES = "Features that are not legitimate"
DISTRIBUTION = "Test set not drawn from the distribution of interest"


@dataclass(frozen=True)
class LeakageType:
    """A type of leakage, and the tests that answer it.

    Attributes:
        key: Its number in the paper.
        group: Its heading in the paper.
        title: A few words.
        question: The condition that a forecaster on a dated panel must meet.
        tests: Key of ``DIAGNOSTICS`` -> stages at which a leak found by the test is of this type;
            no stages if it is of this type at any stage.
        required: Keys of ``tests`` that must all be CLEAN before the type is clean.
        person: Questions that no test can answer.
    """

    key: str
    group: str
    title: str
    question: str
    tests: Mapping[str, tuple[str, ...]]
    required: tuple[str, ...]
    person: str

    def covers(self, test: str, stage: str, verdict: Verdict) -> bool:
        """Whether a finding belongs to this type. The stage matters for leaks only."""
        stages = self.tests.get(test)
        return stages is not None and (verdict is not Verdict.LEAK or not stages or stage in stages)


MADE = ("raw data", "features", "target")
FITTED = ("training", "folds")
DATA = ("universe", "raw data")


def anywhere(*tests: str, **at: tuple[str, ...]) -> Mapping[str, tuple[str, ...]]:
    """``tests`` that cover a type at any stage, and those of ``at`` at the given stages only."""
    return MappingProxyType(dict.fromkeys(tests, ()) | at)


LEAKAGE_TYPES: Mapping[str, LeakageType] = by_key(
    LeakageType(
        "L1.1",
        SEPARATION,
        "No test set",
        "Was the model trained and chosen without the test block?",
        anywhere("fold_order", "selection_audit", train_invariance=FITTED),
        ("fold_order", "train_invariance"),
        "How often did anyone look at the test block, and what changed afterwards? Count the "
        "variants that were tried and dropped.",
    ),
    LeakageType(
        "L1.2",
        SEPARATION,
        "Pre-processing on training and test set",
        "Were scalers, imputers, encoders and batch statistics fitted on training rows only?",
        anywhere(
            "batch_composition",
            "state_purity",
            "mode_gap",
            "completeness_split",
            train_invariance=("input normalizer", "window", "network"),
            serve_invariance=("input normalizer", "window", "network", "scoring"),
        ),
        ("train_invariance", "serve_invariance"),
        "Who cleaned, winsorized or filled the data before the audit, and with which rows?",
    ),
    LeakageType(
        "L1.3",
        SEPARATION,
        "Feature selection on training and test set",
        "Were features and settings chosen on training and validation rows only?",
        anywhere("selection_audit", train_invariance=("selection",)),
        ("train_invariance", "selection_audit"),
        "Which features come from papers, colleagues or earlier work that used the test years?",
    ),
    LeakageType(
        "L1.4",
        SEPARATION,
        "Duplicates",
        "Does no row of the test block also occur in the training block?",
        anywhere("duplicates"),
        ("duplicates",),
        "Are there share classes, dual listings, or funds and their holdings under several "
        "symbols?",
    ),
    LeakageType(
        "L2",
        FEATURES,
        "Illegitimate features",
        "Was every feature known at the time of the forecast, and is none a proxy of the target?",
        anywhere(
            "point_in_time",
            "execution",
            "feature_screen",
            "label_permutation",
            "delay_curve",
            "time_reversal",
            serve_invariance=MADE,
            train_invariance=MADE,
            noise_placebo=MADE,
            jacobian=MADE,
            nan_taint=MADE,
        ),
        ("serve_invariance", "point_in_time"),
        "Are figures as first published or restated? Are prices adjusted by later splits and "
        "dividends? Would each feature be available at the hour of the live forecast?",
    ),
    LeakageType(
        "L3.1",
        DISTRIBUTION,
        "Temporal leakage",
        "Is every forecast, trained weight and statistic independent of later data?",
        anywhere(
            "serve_invariance",
            "train_invariance",
            "fold_order",
            "purge",
            "execution",
            "batch_composition",
            "jacobian",
            "nan_taint",
            "completeness_split",
            "state_purity",
            "mode_gap",
            "composition_contrast",
            "noise_placebo",
        ),
        ("serve_invariance", "train_invariance", "fold_order"),
        "Are dates those of publication or of the period described? In which time zone, before or "
        "after the close? Was any model pre-trained on later years?",
    ),
    LeakageType(
        "L3.2",
        DISTRIBUTION,
        "Training and test samples not independent",
        "Are labels and windows that reach from one block into the next left out?",
        anywhere("purge", "duplicates", train_invariance=FITTED),
        ("purge", "duplicates"),
        "Are there dependences across dates: one issuer under two names, one event that moves all "
        "stocks, a test period much like the training period?",
    ),
    LeakageType(
        "L3.3",
        DISTRIBUTION,
        "Sampling bias in the test distribution",
        "Is the test block a sample of the market in question, later failures included?",
        anywhere("survivorship", "drift", serve_invariance=DATA, train_invariance=DATA),
        ("survivorship", "serve_invariance"),
        "Who chose the symbols and the years, when, and on what knowledge? Are delisted companies "
        "and their last returns included? Is the tested market the traded one?",
    ),
)
"""Every type by its number, in the order of the paper."""
