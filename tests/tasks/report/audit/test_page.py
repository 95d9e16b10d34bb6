import re
from dataclasses import replace
from functools import cache

import pytest

from foldproof.tasks.benchmark.cases import CASES
from foldproof.tasks.diagnose import DIAGNOSTICS, LeakReport, Verdict
from foldproof.tasks.diagnose.findings.leakage_types import LEAKAGE_TYPES
from foldproof.tasks.diagnose.findings.sheet import sheet_of
from foldproof.tasks.report.audit.page import audit_page, audit_report, gathered
from foldproof.tasks.report.audit.text import (
    audit_answers,
    overall_sentence,
    verdict_sentence,
    witness_text,
)
from foldproof.tasks.report.task import draw_audit
from foldproof.tasks.report.template import Report
from tests.tasks.report.audit_example import LEAK, OPEN, finding, honest, leaking, undecided
from tests.tasks.report.comparison.test_page import Outline, words


@cache
def one() -> Report:
    return audit_report([leaking()], "an audit")


@cache
def several() -> Report:
    return audit_report([leaking(), honest(), undecided()], "three audits")


@pytest.mark.parametrize("report", [one, several])
def test_page_is_self_contained(report):
    addresses = Outline(report().page).addresses
    assert report().page.count("<svg ") == len(report().figures)
    assert all(a.startswith(("#", "data:image/png;base64,")) for a in addresses)
    assert "@import" not in report().page
    assert not re.search(r"url\((?!#)", report().page)


def test_answers_come_before_figures_and_details():
    text = words(one().page)
    places = [text.index(answer) for answer in audit_answers(leaking())]
    assert places == sorted(places)
    assert places[-1] < text.index("Which test at which stage") < text.index("The leaks")


def test_a_leak_card_holds_every_fact():
    text = words(one().page)
    for fact in (
        witness_text(LEAK), LEAK.detail, LEAK.statistic, "270 sd; a leak above 1e-09", "material",
        "at least 2 trading days ahead", "20 cuts", "16 symbols",
    ):  # fmt: skip
        assert fact in text


def test_a_statistical_test_leaks_by_its_p_and_not_by_its_value():
    screen = finding(
        "feature_screen", "features", Verdict.LEAK, 0.42, p_value=0.0003, threshold=0.01
    )
    text = words(audit_page([LeakReport("x", (screen,))], "x"))
    assert "a leak if p, adjusted for all tests, is below 0.01" in text
    assert "0.0003, before adjustment" in text


def test_each_kind_of_finding_has_its_place():
    text = words(one().page)
    heads = ["The leaks", "Undecided test", "Clean No dependence", "For information only"]
    places = [text.index(head) for head in heads]
    assert places == sorted(places)
    assert places[1] < text.index(OPEN.evidence, places[1]) < places[2]
    assert places[2] < text.index("rounding only", places[2]) < places[3]
    assert places[3] < text.index("Batch composition", places[3])


def test_sections_without_findings_are_left_out():
    text = words(audit_page([honest()], "clean"))
    assert "The leaks" not in text
    assert "Undecided test" not in text
    assert "For information only" not in text


def test_the_sheet_and_the_limits_are_there():
    text = words(one().page)
    for key, answer in sheet_of(leaking()).answers.items():
        assert answer.reason in text
        assert LEAKAGE_TYPES[key].person in text
    assert one().page.split('class="limits"')[1].count("<li>") == 4
    assert DIAGNOSTICS["serve_invariance"].blind in text
    assert "Noise placebo" in text.split("Not run:")[-1]


def test_several_subjects_begin_with_a_sentence_each_and_one_matrix():
    reports = [leaking(), honest(), undecided()]
    text = words(several().page)
    assert text.index(overall_sentence(reports)) < text.index("Every test on every subject")
    for report in reports:
        assert text.count(verdict_sentence(report)) == 2
        assert f'id="{report.subject}"' in several().page
    assert set(several().figures) == {
        "subjects", "leaky/stages", "leaky/leak_1_serve_invariance_features",
        "honest/stages", "undecided/stages",
    }  # fmt: skip


def test_one_subject_needs_no_table_of_subjects():
    assert "Every test on every subject" not in one().page
    assert set(one().figures) == {"leaky/stages", "leaky/leak_1_serve_invariance_features"}


def test_data_cannot_write_markup():
    hostile = LeakReport("<script>alert(1)</script>", (replace(LEAK, detail="</dl><b>x"),))
    page = audit_page([hostile], "<i>title")
    assert "<script>" not in page
    assert "</dl><b>" not in page
    assert "<i>title" not in page


@pytest.mark.parametrize(
    ("reports", "message"),
    [([], "at least one report"), ([honest(), honest()], "each report another subject")],
)
def test_reports_that_make_no_page(reports, message):
    with pytest.raises(ValueError, match=message):
        audit_page(reports, "x")


def test_findings_of_several_folds_are_one_entry_the_largest():
    folds = [replace(LEAK, value=value) for value in (2.0, 5.0, float("nan"))]
    entries = gathered(LeakReport("x", (*folds, finding("purge", "folds"))), Verdict.LEAK)
    assert [(f.value, count) for f, count in entries] == [(5.0, 3)]
    other = replace(LEAK, statistic="days missing [days]")
    assert len(gathered(LeakReport("x", (*folds, other)), Verdict.LEAK)) == 2
    assert "3 times; this is the largest" in audit_page([LeakReport("x", tuple(folds))], "x")


def test_a_real_audit_becomes_a_page():
    report = CASES["02"].audit(0, cuts=2)
    drawn = draw_audit.fn([report], CASES["02"].title)
    text = words(drawn.page)
    assert "leaks at features" in text
    assert "forecaster/stages" in drawn.figures
    assert any(key.endswith("serve_invariance_features") for key in drawn.figures)
    leaks = [f for f in report.findings if f.verdict is Verdict.LEAK]
    assert leaks
    assert all(witness_text(f) in text for f in leaks)


def test_the_page_of_a_network_names_one_cause_its_consequences_and_the_fix_once():
    """Seven tests of a network repeat one leak, and none of them its price."""
    mode, price = "network in training mode", LEAK.inflation
    found = [
        finding(test, mode, Verdict.LEAK, 1.0, inflation=price)
        for test in ("jacobian", "nan_taint", "batch_composition", "state_purity")
    ]
    evaluated = finding("batch_composition", "network in eval mode", counts=False)
    text = words(audit_page([LeakReport("net", (*found, evaluated))], "x"))
    cards = text[text.index("The leaks") : text.index("For information only")]
    assert cards.startswith("The leaks Batch composition, at network in training mode")
    assert cards.count("call net.eval() before scoring") == 1
    assert "This shows in 3 more tests: State purity, at network in training mode" in cards
    assert str(price) not in text
    assert text.count("To fix it, call net.eval() before scoring.") == 1
