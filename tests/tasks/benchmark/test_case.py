import pytest

from foldproof.tasks.benchmark.case import Case
from foldproof.tasks.benchmark.honest.forecaster import HONEST
from foldproof.tasks.benchmark.honest.market import Market
from foldproof.tasks.diagnose import Verdict
from foldproof.tasks.diagnose.findings.catalogue import by_key

SMALL = Market(symbols=6, days=90)
REPORTED = {"known_at": {"book": "book_known"}}


def test_a_case_with_a_stage_leaks_and_one_without_is_honest():
    assert Case("x", "x", HONEST.forecaster, ("features",)).leaks
    assert not Case("x", "x", HONEST.forecaster).leaks


def test_duplicate_keys_are_refused():
    one = Case("x", "x", HONEST.forecaster)
    assert list(by_key(one)) == ["x"]
    with pytest.raises(ValueError, match="duplicate keys: x"):
        by_key(one, one)
    with pytest.raises(TypeError):
        by_key(one)["y"] = one


def test_a_case_is_audited_on_its_market_with_its_own_options():
    asked = []

    def forecast(data, fold):
        asked.append((len(data), fold))
        return data[data["date"].isin(fold.test_dates)].set_index(["date", "symbol"])["signal"]

    case = Case("x", "x", forecast, market=SMALL, options=REPORTED)
    report = case.audit(0, cuts=2, quick=True)
    assert asked[0] == (len(SMALL.rows(0)), SMALL.fold)
    assert report.verdict is Verdict.LEAK  # books of the training dates are known in the test block
    assert {f.test for f in report.findings if f.verdict is Verdict.LEAK} == {"purge"}
    assert Case("y", "y", forecast, market=SMALL).audit(0, cuts=2, quick=True).verdict is (
        Verdict.CLEAN
    )
