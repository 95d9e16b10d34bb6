"""Exact tests of units that are trained on rows after their test groups."""

from dataclasses import replace

import numpy as np
import pytest

from foldproof.models.date_rows import Spans
from foldproof.tasks.diagnose import Verdict
from foldproof.tasks.diagnose.data.plan import diagnose_plan
from foldproof.tasks.diagnose.findings.finding import overall
from foldproof.tasks.diagnose.lookahead.trained_unit import diagnose_unit
from foldproof.tasks.split import CombinatorialPurged
from foldproof.tasks.train import train_unit

PLAN = CombinatorialPurged(5, 2, embargo=12, validation=1)


@pytest.fixture
def split(panel):
    """Tests the second and the fourth group, validates on the fifth."""
    return PLAN.folds(panel.dates, panel.label_end)[5]


def audited(trained, panel, fold, variant):
    """Findings by test on a unit of ``variant`` that is trained on ``fold``."""
    unit = replace(trained(variant).unit, fold=fold)
    found = diagnose_unit(train_unit(unit, panel), panel, train_unit, 2, 0)
    return {one.test: one for one in reversed(found)}, overall(found)


@pytest.mark.parametrize("variant", ["zscore", "rolling_zscore"])
def test_honest_units_are_clean(variant, trained, panel, split) -> None:
    """Rolling statistics after a test group depend on its inputs, which is not a leak."""
    found, verdict = audited(trained, panel, split, variant)
    assert verdict is Verdict.CLEAN
    assert found["serve_invariance"].value == found["train_invariance"].value == 0
    inputs = "inputs of tested dates" in found["train_invariance"].tested
    assert inputs == (variant == "zscore")


def test_an_honest_unit_is_clean_with_the_least_embargo_that_a_configuration_may_have(
    trained, panel
) -> None:
    """Its windows read rows right after a test group, whose labels are known late."""
    unit = trained("zscore").unit
    spans = int(np.searchsorted(panel.dates, panel.label_end[0]))
    least = replace(PLAN, embargo=max(0, unit.network.window - 1 - spans))
    fold = least.folds(panel.dates, panel.label_end)[5]
    block = fold.test.parts[0]
    assert min(row for row in fold.train if row >= block.stop) - unit.network.window < (
        block.stop + spans
    )
    found, verdict = audited(trained, panel, fold, "zscore")
    assert verdict is Verdict.CLEAN
    assert "inputs of tested dates" in found["train_invariance"].tested


def test_statistics_of_the_test_groups_are_found(trained, panel, split) -> None:
    found, verdict = audited(trained, panel, split, "full_sample_zscore")
    assert verdict is Verdict.LEAK
    assert found["serve_invariance"].verdict is Verdict.LEAK
    assert found["train_invariance"].verdict is Verdict.LEAK


def test_a_plan_without_purge_is_found_by_its_dates_and_by_training_again(
    trained, panel, split
) -> None:
    early = split.test.parts[0].start
    unpurged = replace(split, train=Spans.of(sorted({*split.train, early - 1})))
    found, verdict = audited(trained, panel, unpurged, "zscore")
    assert verdict is Verdict.LEAK
    assert found["train_invariance"].verdict is Verdict.LEAK
    assert found["serve_invariance"].verdict is Verdict.CLEAN
    purge = diagnose_plan([unpurged], panel.label_end)[0]
    assert (purge.test, purge.verdict, purge.value) == ("purge", Verdict.LEAK, 1.0)
    assert diagnose_plan([split], panel.label_end, PLAN.embargo)[0].verdict is Verdict.CLEAN


def test_windows_of_training_that_read_tested_dates_are_found(trained, panel, split) -> None:
    after = split.test.parts[0].stop + 2  # its window begins with the last tested date
    near = replace(split, train=Spans.of(sorted({*split.train, after})))
    found, verdict = audited(trained, panel, near, "zscore")
    assert verdict is Verdict.LEAK
    assert "inputs of tested dates" in found["train_invariance"].tested


def test_blocks_that_share_a_date_and_uneven_forecasts_are_found(panel) -> None:
    folds = PLAN.folds(panel.dates, panel.label_end)
    assert diagnose_plan(folds, panel.label_end, PLAN.embargo)[-1].verdict is Verdict.CLEAN
    uneven = diagnose_plan(folds[1:], panel.label_end, PLAN.embargo)[-1]
    assert uneven.verdict is Verdict.LEAK
    assert "3 folds forecast it, others are forecast by 4" in uneven.detail
    shared = replace(folds[0], train=Spans.of(sorted({*folds[0].train, folds[0].test[0]})))
    found = diagnose_plan([shared, *folds[1:]], panel.label_end, PLAN.embargo)[-1]
    assert found.verdict is Verdict.LEAK
    assert found.witness.date == str(np.datetime_as_string(panel.dates[folds[0].test[0]]))
