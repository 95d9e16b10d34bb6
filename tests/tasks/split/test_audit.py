import numpy as np
import pytest

from foldproof.tasks.split import Fold, WalkForward, audit_plan

DATES = np.arange("2024-01-01", "2024-04-10", dtype="datetime64[D]")
ENDS = DATES + np.timedelta64(3, "D")


def test_one_border_by_hand():
    fold = Fold(7, range(0, 10), range(0, 0), range(12, 15), DATES)
    table = audit_plan([fold], ENDS, embargo=2)
    assert table.to_dict("records") == [
        {
            "fold": 7,
            "border": "train|test",
            "earlier_rows": 10,
            "earlier_first": DATES[0].astype("datetime64[s]").item(),
            "earlier_last": DATES[9].astype("datetime64[s]").item(),
            "later_rows": 3,
            "later_first": DATES[12].astype("datetime64[s]").item(),
            "later_last": DATES[14].astype("datetime64[s]").item(),
            "gap": 2,
            "overlap": 1,  # row 9 ends on row 12, the first test date
            "label_gap": -1,
            "short": 3,
        }
    ]


@pytest.mark.parametrize("embargo", [0, 4])
@pytest.mark.parametrize("mode", ["sliding", "expanding"])
def test_a_plan_cut_here_is_clean_on_every_border(embargo, mode):
    folds = WalkForward(20, 8, 6, mode=mode, embargo=embargo).folds(DATES, ENDS)
    table = audit_plan(folds, ENDS, embargo)
    assert len(table) == 3 * len(folds) > 9
    assert (table["overlap"] == 0).all()
    assert (table["short"] == 0).all()
    near = table[table["border"] != "train|test"]
    assert (near["gap"] == 3 + embargo).all()
    assert (near["label_gap"] == embargo).all()


@pytest.mark.parametrize("missing", [1, 2, 3])
def test_a_missing_purge_is_counted_row_by_row(missing):
    folds = WalkForward(20, 8, 6, horizon=3 - missing).folds(DATES)
    table = audit_plan(folds, ENDS)
    near = table[table["border"] != "train|test"]
    assert (near["overlap"] == missing).all()


def test_a_label_of_unknown_end_counts_as_reaching_in():
    ends = ENDS.copy()
    ends[5:] = np.datetime64("NaT")
    fold = Fold(0, range(0, 10), range(0, 0), range(20, 25), DATES)
    assert audit_plan([fold], ends)["overlap"].tolist() == [5]


def test_a_missing_embargo_is_measured_in_trading_days():
    folds = WalkForward(20, 0, 6, horizon=3, embargo=1).folds(DATES)
    assert set(audit_plan(folds, ENDS, embargo=5)["short"]) == {4}
