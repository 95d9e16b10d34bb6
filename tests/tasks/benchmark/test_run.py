"""Marks of the audit, counted by hand from outcomes made by hand."""

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
    """An outcome; what is caught was seen alone unless more is said."""
    seen = tuple(dict.fromkeys(test for test, _ in caught)) if alone is None else alone
    given = {"rounding": (), "ahead": 0, "inflation": NONE, "seconds": 2.0} | more
    return Outcome(case, seed, verdict, tuple(caught), seen, **given)


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
"""Two of 01 right, 05 at the wrong stage, 13 missed, sign right; c02 of three controls flagged."""


def told(report, asked):
    """A case whose report is known; notes what it is asked."""

    class Told(Case):
        def audit(self, seed, **options):
            asked.append((seed, options))
            return report

    return Told("told", "told", lambda data, fold: None)


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


def test_an_outcome_is_read_off_the_report():
    late = replace(LEAK, test="train_invariance", stage="training", ahead=7)
    report = LeakReport("any", (OPEN, LEAK, ROUNDING, COUPLED, late, finding("purge", "folds")))
    asked = []
    one = outcome(told(report, asked), 3, cuts=4)
    assert asked == [(3, {"cuts": 4})]
    assert (one.case, one.seed, one.verdict) == ("told", 3, Verdict.LEAK)
    assert one.caught == (("serve_invariance", "features"), ("train_invariance", "training"))
    assert one.alone == ("serve_invariance", "batch_composition", "train_invariance")
    assert one.rounding == ("train_invariance",)  # 3e-12: not 0, not above 1e-9
    assert one.ahead == 7
    assert one.inflation == (PRICE.value, PRICE.low, PRICE.high)
    assert one.seconds >= 0


def test_a_report_without_a_leak_has_no_price_and_looks_nowhere():
    clean = finding("serve_invariance", "scoring", inflation=Inflation(0.1, 0.0, 0.0, 0.2, 9))
    one = outcome(told(LeakReport("any", (clean, OPEN)), []), 0)
    assert one.verdict is Verdict.CLEAN
    assert (one.caught, one.alone, one.rounding, one.ahead) == ((), (), (), 0)
    assert np.isnan(one.inflation).all()


def test_outcomes_stand_in_the_order_of_the_cases_and_seeds():
    groups = grouped(FOUND)
    assert list(groups) == ["01", "05", "13", "sign", "c01", "c02", "c13"]
    assert [one.seed for one in groups["01"]] == [0, 1]


def test_one_row_a_case():
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


def test_a_negative_price_is_a_price():
    table = by_case([leaking("01", inflation=(-0.02, -0.1, 0.1))])
    assert table.at[0, "inflation"] == "-0.020"


def test_one_row_a_test_that_said_something():
    table = by_test(FOUND)
    assert table.to_dict("records") == [
        {"test": DIAGNOSTICS[key].title, "leaks seen alone": seen, "controls flagged": flagged}
        for key, seen, flagged in (
            ("serve_invariance", "3/5", "0/3"),
            ("train_invariance", "1/5", "0/3"),
            ("duplicates", "0/5", "1/3"),
            ("mode_gap", "1/5", "1/3"),
        )
    ]


def test_recall_and_false_alarms_in_sentences():
    assert summary(FOUND).splitlines() == [
        "2 of 4 audits of the catalogue leaks caught, by a test that names the stage",
        "1 of 1 audits of the further leaks caught, by a test that names the stage",
        "1 of 3 audits of clean controls flagged; in 1 of them results moved by rounding, which "
        "was told as such",
        "17 CPU seconds, 2.1 an audit",
    ]


def test_what_was_not_run_is_not_told():
    text = summary([leaking("01")])
    assert text.startswith("1 of 1 audits of the catalogue leaks")
    assert "further" not in text
    assert "control" not in text
    assert "catalogue" not in summary([made("c01")])
