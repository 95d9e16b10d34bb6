"""Recall and false alarms of the audit, counted by hand from outcomes made by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest

from foldproof.tasks.benchmark.case import Case
from foldproof.tasks.benchmark.cases import CASES
from foldproof.tasks.benchmark.run import Outcome, by_case, by_test, grouped, outcome, summary
from foldproof.tasks.diagnose import DIAGNOSTICS, Verdict
from foldproof.tasks.diagnose.findings.finding import Inflation, LeakReport
from tests.tasks.report.audit_example import COUPLED, LEAK, OPEN, PRICE, ROUNDING, finding

NONE = (math.nan,) * 3


def made(case, seed=0, verdict=Verdict.CLEAN, caught=(), alone=None, **more):
    """An outcome; by default each test that caught the leak also caught it alone."""
    tests = tuple(dict.fromkeys(test for test, _ in caught)) if alone is None else alone
    given = {"rounding": (), "ahead": 0, "inflation": NONE, "seconds": 2.0} | more
    return Outcome(case, seed, verdict, tuple(caught), tests, **given)


def leaking(case, seed=0, stage="features: x", test="serve_invariance", **more):
    return made(case, seed, Verdict.LEAK, [(test, stage)], **more)


FOUND = (
    leaking("01", 1, ahead=2, inflation=(0.20, 0.1, 0.3), seconds=1.0),
    made("c13", 0, rounding=("serve_invariance", "train_invariance"), seconds=4.0),
    leaking("05", 0, "training", "train_invariance"),
    leaking("01", 0, ahead=5, inflation=(0.10, 0.0, 0.2), seconds=2.0),
    leaking("sign", 0, "scoring", alone=("serve_invariance", "mode_gap")),
    made("c01", 0, Verdict.UNKNOWN, alone=("mode_gap",)),
    leaking("c02", 0, test="duplicates", stage="folds"),
    made("13", 0),
)
"""Two of 01 right, 05 at the wrong stage, 13 missed, sign right; c02 of three honest flagged."""


def fixed_case(report, calls):
    """A case with a fixed report that records its calls."""

    class Fixed(Case):
        def audit(self, seed, **options):
            calls.append((seed, options))
            return report

    return Fixed("fixed", "fixed", lambda data, fold: None)


@pytest.mark.parametrize(
    ("one", "right"),
    [
        (leaking("01"), True),  # "features: x" is a feature's column
        (leaking("01", stage="input normalizer"), False),
        (leaking("11", stage="scoring"), True),  # either of two stages will do
        (leaking("11", stage="network: norm"), True),
        (made("11", verdict=Verdict.LEAK, caught=[("purge", "folds"), ("x", "network")]), True),
        (made("01", verdict=Verdict.LEAK), False),  # nothing that counts names a stage
        (made("01", verdict=Verdict.UNKNOWN), False),
        (made("c01"), True),
        (made("c01", verdict=Verdict.UNKNOWN), True),
        (leaking("c01"), False),
    ],
)
def test_a_leak_is_right_at_its_stage_and_a_control_without_a_leak(one, right):
    assert one.right is right


def test_an_outcome_summarizes_the_report():
    late = replace(LEAK, test="train_invariance", stage="training", ahead=7)
    report = LeakReport("any", (OPEN, LEAK, ROUNDING, COUPLED, late, finding("purge", "folds")))
    calls = []
    one = outcome(fixed_case(report, calls), 3, cuts=4)
    assert calls == [(3, {"cuts": 4})]
    assert (one.case, one.seed, one.verdict) == ("fixed", 3, Verdict.LEAK)
    assert one.caught == (("serve_invariance", "features"), ("train_invariance", "training"))
    assert one.alone == ("serve_invariance", "batch_composition", "train_invariance")
    assert one.rounding == ("train_invariance",)  # 3e-12: not 0, not above 1e-9
    assert one.ahead == 7
    assert one.inflation == (PRICE.value, PRICE.low, PRICE.high)
    assert one.seconds >= 0


def test_a_report_without_a_leak_has_no_inflation_and_no_look_ahead():
    clean = finding("serve_invariance", "scoring", inflation=Inflation(0.1, 0.0, 0.0, 0.2, 9))
    one = outcome(fixed_case(LeakReport("any", (clean, OPEN)), []), 0)
    assert one.verdict is Verdict.CLEAN
    assert (one.caught, one.alone, one.rounding, one.ahead) == ((), (), (), 0)
    assert np.isnan(one.inflation).all()


def test_outcomes_are_ordered_by_case_and_seed():
    groups = grouped(FOUND)
    assert list(groups) == ["01", "05", "13", "sign", "c01", "c02", "c13"]
    assert [one.seed for one in groups["01"]] == [0, 1]


def test_by_case_has_one_row_per_case():
    table = by_case(FOUND).set_index("case")
    assert list(table.index) == ["01", "05", "13", "sign", "c01", "c02", "c13"]
    assert table["right"].tolist() == ["2/2", "0/1", "0/1", "1/1", "1/1", "0/1", "1/1"]
    assert table["stage"].tolist()[:3] == ["features", "input normalizer", "network or scoring"]
    assert table.at["c01", "stage"] == "clean"
    assert table["caught by"].tolist() == [
        "serve_invariance", "train_invariance", "", "serve_invariance", "", "duplicates", ""
    ]  # fmt: skip
    assert table["days ahead"].tolist() == [5, "", "", "", "", "", ""]
    assert table["inflation"].tolist() == ["+0.150", "", "", "", "", "", ""]  # mean of two markets
    assert table["seconds"].tolist() == [1.5, 2.0, 2.0, 2.0, 2.0, 2.0, 4.0]
    assert table["title"].tolist() == [CASES[key].title for key in table.index]


def test_a_negative_inflation_is_reported():
    table = by_case([leaking("01", inflation=(-0.02, -0.1, 0.1))])
    assert table.at[0, "inflation"] == "-0.020"


def test_by_test_has_one_row_per_test_with_a_leak():
    table = by_test(FOUND)
    assert table.to_dict("records") == [
        {"test": DIAGNOSTICS[key].title, "leaks caught alone": caught, "honest flagged": flagged}
        for key, caught, flagged in (
            ("serve_invariance", "3/5", "0/3"),
            ("train_invariance", "1/5", "0/3"),
            ("duplicates", "0/5", "1/3"),
            ("mode_gap", "1/5", "1/3"),
        )
    ]


def test_the_summary_states_recall_and_false_alarms():
    assert summary(FOUND).splitlines() == [
        "2 of 4 audits of the catalogue leaks caught, by a test that names the stage",
        "1 of 1 audits of the further leaks caught, by a test that names the stage",
        "1 of 3 audits of honest pipelines flagged; in 1 of them results moved by rounding, which "
        "was reported as rounding",
        "17 CPU seconds, 2.1 per audit",
    ]


def test_the_summary_omits_kinds_that_were_not_run():
    text = summary([leaking("01")])
    assert text.startswith("1 of 1 audits of the catalogue leaks")
    assert "further" not in text
    assert "honest" not in text
    assert "catalogue" not in summary([made("c01")])
