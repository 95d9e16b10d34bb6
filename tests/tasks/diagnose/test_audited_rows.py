"""The fold and the fingerprint of audited rows."""

import numpy as np
import pytest

from foldproof.tasks.data import DataError
from foldproof.tasks.diagnose.audited_rows import audited_fold, horizon_of, rows_fingerprint
from foldproof.tasks.diagnose.data.plan import diagnose_plan
from foldproof.tasks.diagnose.findings.finding import Verdict
from foldproof.tasks.diagnose.forecaster import label_ends
from foldproof.tasks.diagnose.spec import purged_by
from foldproof.tasks.split import PlanError, WalkForward
from tests.labelled import labelled_rows

ROWS = labelled_rows(3, 120)


def test_without_a_plan_the_fold_covers_all_dates() -> None:
    fold = audited_fold(ROWS, None, 5)
    np.testing.assert_array_equal(fold.calendar, np.unique(ROWS["date"].to_numpy()))
    assert fold.train.start == 0
    assert len(fold.train) == 60


def test_with_a_plan_it_is_the_newest_fold_purged_by_label_end() -> None:
    fold = audited_fold(ROWS, WalkForward(train=50, validation=10, test=10), 5)
    assert fold.test.stop == 120
    # a label from the next row over 5 rows is known 6 rows later
    assert fold.validation.start - (fold.train.stop - 1) == 6 + 1


def test_too_few_dates_for_the_plan_are_refused() -> None:
    with pytest.raises(PlanError):
        audited_fold(ROWS, WalkForward(train=500, validation=10, test=10), 5)


def test_the_fingerprint_is_of_the_values_alone() -> None:
    same = ROWS.sample(frac=1, random_state=0)
    assert rows_fingerprint(same) == rows_fingerprint(ROWS)
    changed = ROWS.copy()
    changed.loc[7, "close"] *= 1.0001
    assert rows_fingerprint(changed) != rows_fingerprint(ROWS)


KNOWN = {"label": "known"}


def purge_of(rows, fold, embargo=0):
    """The verdict on the purge of a fold, as in an audit without a trace."""
    ends = label_ends(rows, fold.calendar, KNOWN)
    return {f.verdict for f in diagnose_plan([fold], ends, embargo) if f.test == "purge"}


@pytest.mark.parametrize("plan", [None, WalkForward(train=50, validation=10, test=10)])
@pytest.mark.parametrize("horizon", [None, 1, 5])
def test_the_fold_is_purged_by_the_known_dates_whatever_the_stated_horizon(plan, horizon) -> None:
    """Labels are known six dates later; a stated horizon of 1 would purge two."""
    fold = audited_fold(ROWS, plan, horizon, KNOWN)
    assert fold.validation.start - fold.train.stop >= 5
    assert fold.test.start - fold.validation.stop >= 5
    assert purge_of(ROWS, fold) == {Verdict.CLEAN}
    short = audited_fold(ROWS, plan, 1)  # the dates are unknown, but the label ends early
    hidden = audited_fold(ROWS.drop(columns="label"), plan, 1)
    assert purge_of(ROWS, hidden) == {Verdict.LEAK}
    assert (purge_of(ROWS, short) == {Verdict.CLEAN}) is (plan is None)


def test_the_fold_leaves_room_for_the_embargo() -> None:
    rows = labelled_rows(3, 200)
    fold = audited_fold(rows, None, None, KNOWN, embargo=3)
    assert fold.validation.start - fold.train.stop == 6 + 3
    assert purge_of(rows, fold, 3) == {Verdict.CLEAN}


def test_a_feature_that_is_published_late_does_not_widen_the_gap() -> None:
    """With 57 dates between the blocks 400 dates would be too few."""
    rows = labelled_rows(3, 400)
    late = rows.groupby("symbol")["date"].shift(-57)
    rows = rows.assign(book=rows["close"].where(late.notna()), published=late)
    both = {**KNOWN, "book": "published"}
    fold = audited_fold(rows, None, None, purged_by(both, "label"))
    assert fold.validation.start - fold.train.stop == 6
    with pytest.raises(DataError, match=r"up to 57 dates later: give target=COLUMN"):
        audited_fold(rows, None, None, purged_by(both, None))


def test_a_label_that_never_becomes_known_is_refused_with_its_place() -> None:
    rows = ROWS.copy()
    rows.loc[30, "known"] = None
    with pytest.raises(DataError, match=r"'label' have no date in 'known', the first that of S00"):
        audited_fold(rows, None, None, KNOWN)


def test_the_horizon_is_the_usual_number_of_dates_until_a_label_is_known() -> None:
    assert horizon_of(ROWS, KNOWN) == 6
    assert horizon_of(ROWS, {}) == 1
