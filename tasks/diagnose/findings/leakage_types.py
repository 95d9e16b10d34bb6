"""The eight types of leakage of Kapoor & Narayanan 2023, and which tests speak to each."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from foldproof.tasks.diagnose.findings.finding import Verdict

SEPARATION = "No clean separation of training and test data"
FEATURES = "Features that are not legitimate"
DISTRIBUTION = "Test set not drawn from the distribution of interest"


@dataclass(frozen=True)
class LeakageType:
    """A type of leakage, and what answers it.

    Attributes:
        key: Its number in the paper.
        group: Its heading in the paper.
        title: A few words.
        question: What has to be shown, for a forecaster on a dated panel.
        speaks: Keys of ``DIAGNOSTICS`` -> stages at which a leak that the test finds is of this
            type; no stages where it is of this type wherever it is found.
        needed: Tests of ``speaks`` that must all have answered CLEAN before the type is clean.
        person: What no test can answer.
    """

    key: str
    group: str
    title: str
    question: str
    speaks: Mapping[str, tuple[str, ...]]
    needed: tuple[str, ...]
    person: str

    def hears(self, test: str, stage: str, verdict: Verdict) -> bool:
        """Whether a finding belongs here. Stages bind leaks only: clean is clean all the way."""
        if test not in self.speaks:
            return False
        stages = self.speaks[test]
        return verdict is not Verdict.LEAK or not stages or stage in stages


ANYWHERE: tuple[str, ...] = ()
MADE = ("raw data", "features", "target")
FITTED = ("training", "folds")


def types(*entries: LeakageType) -> Mapping[str, LeakageType]:
    """``entries`` by their key."""
    return MappingProxyType({entry.key: entry for entry in entries})


LEAKAGE_TYPES: Mapping[str, LeakageType] = types(
    LeakageType(
        "L1.1",
        SEPARATION,
        "No test set",
        "Was the model trained and chosen without the block that it is tested on?",
        MappingProxyType(
            {"fold_order": ANYWHERE, "train_invariance": FITTED, "selection_audit": ANYWHERE}
        ),
        ("fold_order", "train_invariance"),
        "How often was the test block looked at, and what was changed after? Variants that were "
        "tried and dropped count.",
    ),
    LeakageType(
        "L1.2",
        SEPARATION,
        "Pre-processing on training and test set",
        "Were scalers, imputers, encoders and batch statistics fitted on training rows only?",
        MappingProxyType(
            {
                "train_invariance": ("input normalizer", "window", "network"),
                "serve_invariance": ("input normalizer", "window", "network", "scoring"),
                "batch_composition": ANYWHERE,
                "state_purity": ANYWHERE,
                "mode_gap": ANYWHERE,
                "completeness_split": ANYWHERE,
            }
        ),
        ("train_invariance", "serve_invariance"),
        "Were data cleaned, winsorized or filled before they came here, by whom, with which rows?",
    ),
    LeakageType(
        "L1.3",
        SEPARATION,
        "Feature selection on training and test set",
        "Were features and settings chosen by training and validation rows only?",
        MappingProxyType(
            {
                "train_invariance": ("selection",),
                "selection_audit": ANYWHERE,
                "noise_features": ANYWHERE,
            }
        ),
        ("train_invariance", "selection_audit"),
        "Which features come from papers, colleagues or earlier work that saw the test years?",
    ),
    LeakageType(
        "L1.4",
        SEPARATION,
        "Duplicates",
        "Does no row of the test block stand in the training block too?",
        MappingProxyType({"duplicates": ANYWHERE}),
        ("duplicates",),
        "Are there share classes, dual listings, funds and their holdings under several symbols?",
    ),
    LeakageType(
        "L2",
        FEATURES,
        "Illegitimate features",
        "Was every feature known when the forecast is made, and is none a proxy of the target?",
        MappingProxyType(
            {
                "serve_invariance": MADE,
                "train_invariance": MADE,
                "point_in_time": ANYWHERE,
                "execution": ANYWHERE,
                "feature_screen": ANYWHERE,
                "label_permutation": ANYWHERE,
                "noise_placebo": MADE,
                "jacobian": MADE,
                "nan_taint": MADE,
                "delay_curve": ANYWHERE,
                "time_reversal": ANYWHERE,
            }
        ),
        ("serve_invariance", "point_in_time"),
        "Are figures as first published or restated, prices adjusted by later splits and "
        "dividends? Would each feature be at hand, at that hour, in use?",
    ),
    LeakageType(
        "L3.1",
        DISTRIBUTION,
        "Temporal leakage",
        "Does no forecast, trained weight or statistic depend on anything dated later?",
        MappingProxyType(
            {
                "serve_invariance": ANYWHERE,
                "train_invariance": ANYWHERE,
                "fold_order": ANYWHERE,
                "purge": ANYWHERE,
                "execution": ANYWHERE,
                "warm_up": ANYWHERE,
                "batch_composition": ANYWHERE,
                "jacobian": ANYWHERE,
                "nan_taint": ANYWHERE,
                "completeness_split": ANYWHERE,
                "state_purity": ANYWHERE,
                "mode_gap": ANYWHERE,
                "composition_contrast": ANYWHERE,
                "noise_placebo": ANYWHERE,
            }
        ),
        ("serve_invariance", "train_invariance", "fold_order"),
        "Are dates those of knowing, not of the period described? In which time zone, before or "
        "after the close? Was any model pre-trained on later years?",
    ),
    LeakageType(
        "L3.2",
        DISTRIBUTION,
        "Training and test samples not independent",
        "Are labels and windows that reach from one block into the next left out?",
        MappingProxyType(
            {
                "purge": ANYWHERE,
                "duplicates": ANYWHERE,
                "train_invariance": FITTED,
            }
        ),
        ("purge", "duplicates"),
        "Are there dependences that dates do not show: one issuer under two names, one event that "
        "moves all, a test period much like the training period?",
    ),
    LeakageType(
        "L3.3",
        DISTRIBUTION,
        "Sampling bias in the test distribution",
        "Is the test block what the claim is about, with those that later failed in it?",
        MappingProxyType(
            {
                "survivorship": ANYWHERE,
                "serve_invariance": ("universe", "raw data"),
                "train_invariance": ("universe", "raw data"),
                "drift": ANYWHERE,
            }
        ),
        ("survivorship", "serve_invariance"),
        "Who chose the symbols and the years, when, and knowing what? Are delisted companies and "
        "their last returns there? Is the market tested the one that is traded?",
    ),
)
"""Every type by its number, in the paper's order."""
