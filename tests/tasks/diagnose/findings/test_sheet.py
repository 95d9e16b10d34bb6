from dataclasses import replace

import pytest

from foldproof.tasks.diagnose import DIAGNOSTICS, Finding, LeakReport, Verdict, Witness
from foldproof.tasks.diagnose.findings.catalogue import STAGES
from foldproof.tasks.diagnose.findings.leakage_types import LEAKAGE_TYPES
from foldproof.tasks.diagnose.findings.sheet import READING, sheet_of, stage_of


def finding(test, verdict=Verdict.CLEAN, stage="scoring", **given):
    return Finding(
        test=test, stage=stage, verdict=verdict, evidence="exact", statistic="moves [sd]",
        value=0.0, threshold=0.0, tested="20 cuts", **given,
    )  # fmt: skip


CLEAN = tuple(finding(test) for test in DIAGNOSTICS)


def answers(*findings):
    return {key: one.verdict for key, one in sheet_of(LeakReport("x", findings)).answers.items()}


def test_the_eight_types_in_the_order_of_the_paper():
    assert list(LEAKAGE_TYPES) == ["L1.1", "L1.2", "L1.3", "L1.4", "L2", "L3.1", "L3.2", "L3.3"]
    assert [key for key, kind in LEAKAGE_TYPES.items() if kind.key != key] == []
    assert len({kind.group for kind in LEAKAGE_TYPES.values()}) == 3


def test_an_empty_report_is_unknown_in_every_type():
    sheet = sheet_of(LeakReport("nothing", ()))
    assert {one.verdict for one in sheet.answers.values()} == {Verdict.UNKNOWN}
    assert all("was not run" in one.reason for one in sheet.answers.values())


def test_clean_tests_make_every_type_clean_and_name_what_was_tested():
    sheet = sheet_of(LeakReport("x", CLEAN))
    assert {one.verdict for one in sheet.answers.values()} == {Verdict.CLEAN}
    assert all("tested on 20 cuts" in one.reason for one in sheet.answers.values())


@pytest.mark.parametrize(
    ("key", "test"), [(k, test) for k, kind in LEAKAGE_TYPES.items() for test in kind.required]
)
def test_a_type_is_not_clean_without_each_required_test(key, test):
    without = [f for f in CLEAN if f.test != test]
    informs = finding(test, counts=False)
    undecided = finding(test, Verdict.UNKNOWN, counts=False)
    for left in (without, [*without, informs], [*without, undecided], [*CLEAN, undecided]):
        assert answers(*left)[key] is Verdict.UNKNOWN


@pytest.mark.parametrize("stage", [*STAGES, "network in eval mode", "stored forecasts"])
@pytest.mark.parametrize("test", DIAGNOSTICS)
def test_every_leak_that_counts_is_reported_and_others_are_not(test, stage):
    leak = finding(test, Verdict.LEAK, stage, witness=Witness(column="here"))
    sheet = sheet_of(LeakReport("x", (*CLEAN, leak)))
    leaking = [one for one in sheet.answers.values() if one.verdict is Verdict.LEAK]
    assert leaking
    assert all("here" in one.reason and leak in one.evidence for one in leaking)
    assert Verdict.LEAK not in answers(*CLEAN, replace(leak, counts=False)).values()


@pytest.mark.parametrize(
    ("test", "stage", "types"),
    [
        ("duplicates", "folds", {"L1.4", "L3.2"}),
        ("purge", "folds", {"L3.1", "L3.2"}),
        ("selection_audit", "selection", {"L1.1", "L1.3"}),
        ("train_invariance", "input normalizer", {"L1.2", "L3.1"}),
        ("train_invariance", "selection", {"L1.3", "L3.1"}),
        ("serve_invariance", "features", {"L2", "L3.1"}),
        ("serve_invariance", "universe", {"L3.1", "L3.3"}),
        ("point_in_time", "raw data", {"L2"}),
        ("survivorship", "universe", {"L3.3"}),
        ("batch_composition", "network in training mode", {"L1.2", "L3.1"}),
    ],
)
def test_a_leak_is_assigned_by_its_test_and_stage(test, stage, types):
    found = answers(*CLEAN, finding(test, Verdict.LEAK, stage))
    assert {key for key, verdict in found.items() if verdict is Verdict.LEAK} == types


def test_a_leak_hides_leaks_at_later_stages():
    others = [f for f in CLEAN if f.test != "train_invariance"]
    leak = finding("train_invariance", Verdict.LEAK, "features")
    answer = sheet_of(LeakReport("x", (*others, leak))).answers["L1.2"]
    assert answer.verdict is Verdict.UNKNOWN
    assert "Train invariance finds a leak at features" in answer.reason


def test_an_undecided_optional_test_leaves_a_type_unknown():
    undecided = finding("mode_gap", Verdict.UNKNOWN)
    assert answers(*CLEAN, undecided)["L1.2"] is Verdict.UNKNOWN
    assert answers(*CLEAN, replace(undecided, counts=False))["L1.2"] is Verdict.CLEAN


@pytest.mark.parametrize("kind", LEAKAGE_TYPES.values(), ids=lambda kind: kind.key)
def test_each_type_has_a_question_for_tests_and_one_for_a_person(kind):
    assert kind.question.endswith("?")
    assert "?" in kind.person
    assert set(kind.required) <= set(kind.tests) <= set(DIAGNOSTICS)
    assert {stage for stages in kind.tests.values() for stage in stages} <= set(STAGES)


def test_every_test_covers_a_type():
    assert {test for kind in LEAKAGE_TYPES.values() for test in kind.tests} == set(DIAGNOSTICS)


@pytest.mark.parametrize(
    ("stage", "group"),
    [
        ("network in eval mode", "network"),
        ("training batches", "training"),
        ("input normalizer", "input normalizer"),
        ("stored forecasts", "stored forecasts"),
        ("foldsman", "foldsman"),
    ],
)
def test_stages_are_grouped_by_their_prefix(stage, group):
    assert stage_of(stage) == group


def test_the_sheet_as_markdown():
    sheet = sheet_of(LeakReport("mine", CLEAN[:3]))
    text = sheet.to_markdown()
    assert text.startswith(f"# Model information sheet: mine\n\n{READING}")
    for key, answer in sheet.answers.items():
        assert f"## {key} {answer.kind.title}\n" in text
        assert f"**{answer.verdict}.** {answer.reason}" in text
        assert answer.kind.person in text
