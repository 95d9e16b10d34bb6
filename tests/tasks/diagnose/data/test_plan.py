import numpy as np
import pytest

from foldproof.tasks.data import DataSpec, SyntheticSpec
from foldproof.tasks.diagnose import Verdict
from foldproof.tasks.diagnose.data.plan import diagnose_plan
from foldproof.tasks.diagnose.findings.finding import overall
from foldproof.tasks.diagnose.variant import diagnose_features
from foldproof.tasks.split import Fold, WalkForward

DATES = np.arange("2024-01-01", "2024-04-10", dtype="datetime64[D]")
ENDS = DATES + np.timedelta64(3, "D")


@pytest.mark.parametrize("mode", ["sliding", "expanding"])
@pytest.mark.parametrize("embargo", [0, 2])
def test_a_walk_forward_plan_is_clean(mode, embargo):
    folds = WalkForward(20, 8, 6, mode=mode, embargo=embargo).folds(DATES, ENDS)
    findings = diagnose_plan(folds, ENDS, embargo)
    assert {f.verdict for f in findings} == {Verdict.CLEAN}
    assert [f.test for f in findings] == ["purge"] * (1 + bool(embargo)) + ["fold_order"]
    assert f"{3 * len(folds)} borders of {len(folds)} folds" in findings[0].tested


def test_a_missing_purge_is_reported_with_its_rows():
    folds = WalkForward(20, 8, 6, horizon=1).folds(DATES)
    purge, order = diagnose_plan(folds, ENDS)
    assert purge.verdict is Verdict.LEAK
    assert purge.value == 2 * 2 * len(folds)  # two rows on each of the two near borders
    assert purge.witness.column == "fold 0, train|validation"
    assert order.verdict is Verdict.CLEAN


def test_a_missing_embargo_is_reported_in_days():
    folds = WalkForward(20, 8, 6, embargo=1).folds(DATES, ENDS)
    purge, embargo, _ = diagnose_plan(folds, ENDS, embargo=4)
    assert purge.verdict is Verdict.CLEAN
    assert (embargo.verdict, embargo.value) == (Verdict.LEAK, 3.0)


@pytest.mark.parametrize(
    ("folds", "count", "message"),
    [
        ([Fold(0, range(30, 60), range(0), range(0, 20), DATES)], 20, "not after the previous"),
        (
            [Fold(0, range(0, 30), range(60, 70), range(40, 55), DATES)],
            15,
            "not after the previous block",
        ),
        ([Fold(0, range(0, 30), range(0), range(25, 40), DATES)], 5, "not after the previous"),
        (
            [
                Fold(0, range(0, 30), range(0), range(40, 50), DATES),
                Fold(1, range(0, 30), range(0), range(46, 56), DATES),
            ],
            4,
            "folds 0 and 1 both forecast it",
        ),
    ],
)
def test_a_fold_out_of_order_is_reported(folds, count, message):
    order = diagnose_plan(folds, DATES, 0)[-1]
    assert (order.test, order.verdict, order.value) == ("fold_order", Verdict.LEAK, count)
    assert message in order.detail


def test_without_label_ends_the_purge_is_unknown_and_informs_only():
    purge, order = diagnose_plan(WalkForward(20, 8, 6, horizon=3).folds(DATES), None)
    assert (purge.verdict, purge.counts) == (Verdict.UNKNOWN, False)
    assert "3 trading days lie between" in purge.detail
    assert order.verdict is Verdict.CLEAN


def test_an_empty_plan_is_rejected():
    with pytest.raises(ValueError, match="no fold"):
        diagnose_plan([], ENDS)


def test_ready_made_features_are_never_clean():
    synthetic = SyntheticSpec(days=60, symbols=3)
    spec = DataSpec(source="noise", features="ready", min_history=30, synthetic=synthetic)
    (finding,) = diagnose_features(spec)
    assert (finding.verdict, finding.counts) == (Verdict.UNKNOWN, False)
    assert overall([finding]) is Verdict.UNKNOWN


def test_the_built_in_price_features_are_clean():
    from datetime import date

    spec = DataSpec(source="sp500", features="price", start=date(2020, 6, 1), min_history=60)
    (finding,) = diagnose_features(spec, cuts=4)
    assert finding.verdict is Verdict.CLEAN
    assert finding.value == 0.0


def test_own_features_that_look_ahead_are_reported(tmp_path, monkeypatch):
    from datetime import date

    module = tmp_path / "peeking_features.py"
    module.write_text(
        "def peek(rows):\n"
        "    ahead = rows.groupby('symbol')['price'].shift(-1)\n"
        "    return (ahead / rows['price'] - 1).rename('ahead').to_frame()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    spec = DataSpec(
        source="sp500", features="peeking_features:peek", start=date(2021, 6, 1), min_history=60
    )
    (finding,) = diagnose_features(spec, cuts=4)
    assert finding.verdict is Verdict.LEAK
    assert "ahead looks at least 1 trading day ahead" in finding.detail
