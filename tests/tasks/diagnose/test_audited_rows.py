"""The fold and the fingerprint of audited rows."""

import numpy as np
import pytest

from foldproof.tasks.diagnose.audited_rows import audited_fold, rows_fingerprint
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
