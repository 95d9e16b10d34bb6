import math
from dataclasses import replace

import pytest

from foldproof.tasks.diagnose import DIAGNOSTICS, LeakReport, Verdict
from foldproof.tasks.diagnose.findings.finding import Inflation, Witness
from foldproof.tasks.report.audit.text import (
    AUDIT_QUESTIONS,
    audit_answers,
    overall_sentence,
    price_of,
    verdict_sentence,
    what_is_not_known,
    what_it_adds,
    where_it_enters,
    witness_text,
)
from tests.tasks.report.audit_example import LEAK, finding, honest, leaking, priced, undecided


def test_a_leak_in_one_line_names_place_look_ahead_and_added_rank_ic():
    assert verdict_sentence(leaking()) == (
        "leaky: leaks at features (serve invariance: mean_5, at least 2 trading days ahead). It "
        "adds to the reported rank IC: +0.280 (95% interval +0.200 to +0.360)."
    )


def test_clean_names_the_tests_that_count():
    informs = finding("drift", "features", counts=False)
    report = LeakReport("honest", (*honest().findings, informs))
    assert verdict_sentence(report) == verdict_sentence(honest())
    assert verdict_sentence(honest()) == (
        "honest: no dependence on the future found by serve invariance and train invariance."
    )


@pytest.mark.parametrize(
    ("report", "reason"),
    [
        (undecided(), "serve invariance: two runs differ: seed the model"),
        (LeakReport("x", ()), "no test gave a result"),
        (LeakReport("x", (replace(LEAK, counts=False),)), "no test gave a result"),
    ],
)
def test_unknown_is_never_called_clean(report, reason):
    said = verdict_sentence(report)
    assert "undecided, which is not clean" in said
    assert reason in said


@pytest.mark.parametrize(
    ("low", "high", "line", "paragraph"),
    [
        (0.1, 0.4, "It adds to the reported rank IC: +0.280", "is not skill"),
        (-0.1, 0.6, "is not significant: +0.280", "includes zero"),
        (-0.6, -0.1, "lowers the reported rank IC", "makes these forecasts worse"),
    ],
)
def test_a_price_is_read_by_its_interval(low, high, line, paragraph):
    report = priced(Inflation(0.3, 0.02, low, high, 60))
    assert line in verdict_sentence(report)
    assert paragraph in what_it_adds(report)
    assert "rank IC is +0.300" in what_it_adds(report)
    assert "gives +0.020" in what_it_adds(report)


def test_a_price_of_few_dates_is_not_read_by_an_interval_that_it_has_not():
    report = priced(Inflation(0.3, 0.02, math.nan, math.nan, 7))
    for said in (verdict_sentence(report), what_it_adds(report), str(price_of(report))):
        assert "nan" not in said
    assert "is not significant: +0.280 (7 dates are too few" in verdict_sentence(report)
    assert what_it_adds(report).endswith("for an interval), so it may be chance.")
    assert str(price_of(report)).endswith("inflated by +0.280, too few dates for an interval")


def test_a_price_that_was_not_measured_is_not_made_up():
    assert "rank IC" not in verdict_sentence(priced(None))
    assert what_it_adds(priced(None)).startswith("Not measured")
    assert what_it_adds(honest()) == "No leak, so there is nothing to quantify."


def test_dates_without_an_honest_forecast_are_counted():
    report = priced(Inflation(0.3, 0.02, 0.1, 0.4, 60, abstained=7))
    assert "7 dates without an honest forecast count as 0." in what_it_adds(report)
    assert "honest forecast" not in what_it_adds(leaking())


def test_there_is_no_price_without_an_honest_forecast():
    report = priced(Inflation(0.481, 0.0, 0.365, 0.597, 13, abstained=13))
    assert price_of(report) is None
    assert "rank IC" not in verdict_sentence(report)
    assert what_it_adds(report) == "Not measurable: no replayed date has an honest forecast."


def test_a_witness_without_values_reads_as_a_sentence():
    witness = Witness(cut="2020-12-28", column="best_epoch")
    text = witness_text(replace(LEAK, witness=witness))
    assert text == "best_epoch changes when data not yet known on 2020-12-28 change"
    assert witness_text(replace(LEAK, witness=None, detail="peeks.")) == "peeks"


def test_the_variant_none_is_not_a_bare_word():
    assert verdict_sentence(honest("none")).startswith("no normalization: no dependence")


def test_leaks_are_listed_by_stage_in_the_order_of_the_pipeline():
    later = finding("state_purity", "scoring", Verdict.LEAK, 1.0)
    first = finding("point_in_time", "raw data", Verdict.LEAK, 9.0)
    smaller = replace(LEAK, value=1.0, test="train_invariance")
    said = verdict_sentence(LeakReport("x", (later, smaller, LEAK, first)))
    places = [said.index(f"at {stage} (") for stage in ("raw data", "features", "scoring")]
    assert places == sorted(places)
    assert "train invariance" not in said


def test_sizes_in_other_units_do_not_hide_a_value_that_moved():
    count = finding(
        "state_purity", "features", Verdict.LEAK, 900.0, statistic="buffers changed [count]"
    )
    assert "serve invariance: mean_5" in verdict_sentence(LeakReport("x", (count, LEAK)))


def test_many_tests_are_counted():
    found = tuple(finding(test, "scoring") for test in list(DIAGNOSTICS)[:6])
    assert "found by 6 tests: serve invariance, " in verdict_sentence(LeakReport("x", found))


def test_the_place_of_a_leak_is_its_witness():
    assert witness_text(LEAK) in where_it_enters(leaking())
    assert "No test found" in where_it_enters(honest())


def test_undecided_tests_are_named_and_missing_ones_counted():
    said = what_is_not_known(leaking())
    assert said.startswith("Undecided, but not part of the verdict: purge. Not run")
    assert "Undecided: serve invariance: two runs differ" in what_is_not_known(undecided())
    assert f"{len(DIAGNOSTICS) - 4} of {len(DIAGNOSTICS)} tests" in said
    whole = LeakReport("x", tuple(finding(test, "scoring") for test in DIAGNOSTICS))
    assert "Not run" not in what_is_not_known(whole)


def test_several_subjects_are_counted_by_verdict():
    reports = [leaking("a"), leaking("b"), honest("c"), undecided("d")]
    assert overall_sentence(reports) == (
        "Of 4 subjects: 2 with a leak, 1 undecided (not clean) and 1 without a leak in what was "
        "tested."
    )


@pytest.mark.parametrize("report", [leaking(), honest(), undecided(), LeakReport("x", ())])
def test_every_question_has_an_answer(report):
    assert len(audit_answers(report)) == len(AUDIT_QUESTIONS)
    assert all(answer.endswith(".") and "nan" not in answer for answer in audit_answers(report))
