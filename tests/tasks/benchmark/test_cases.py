"""The cases: the catalogue is complete, and the audit is right about each case."""

import numpy as np
import pytest

from foldproof.tasks.benchmark.cases import CASES, HONEST_CASES, LEAKS, MORE_HONEST, MORE_LEAKS
from foldproof.tasks.benchmark.run import outcome
from foldproof.tasks.diagnose import Verdict
from foldproof.tasks.diagnose.findings.catalogue import STAGES
from foldproof.tasks.diagnose.findings.finding import Size

ONE_PER_KIND = ("01", "05", "08", "26", "sign", "c03", "c07")
"""Leaks of features, normalizer, folds, target and scoring; two honest ones."""
FAST = {"cuts": 6, "quick": True}
"""Fewer cuts for cases beyond the catalogue, whose look-ahead shows at every date."""
SLOW_SEED = 3


def test_the_catalogue_is_complete():
    assert list(LEAKS) == [f"{number:02d}" for number in range(1, 29)]
    assert list(HONEST_CASES) == [f"c{number:02d}" for number in range(1, 15)]


def test_titles_are_unique_and_stages_are_known():
    titles = [case.title for case in CASES.values()]
    assert (
        len(set(titles))
        == len(titles)
        == sum(map(len, (LEAKS, MORE_LEAKS, HONEST_CASES, MORE_HONEST)))
    )
    for case in CASES.values():
        assert set(case.stages) <= set(STAGES), case.key
    assert all(case.leaks for case in (*LEAKS.values(), *MORE_LEAKS.values()))
    assert not any(case.leaks for case in (*HONEST_CASES.values(), *MORE_HONEST.values()))


def test_every_case_is_listed_under_its_key():
    assert all(key == case.key for key, case in CASES.items())
    with pytest.raises(TypeError):
        CASES["new"] = CASES["01"]


@pytest.mark.parametrize("key", ONE_PER_KIND)
def test_one_case_per_kind(key):
    one = outcome(CASES[key], 0, **FAST)
    assert one.right, one


def test_rounding_in_float32_is_reported_as_rounding_and_not_as_a_leak():
    report = CASES["c13"].audit(0, cuts=6, quick=True)
    assert report.verdict is Verdict.CLEAN
    # the batch's size changes with every truncation; whether bits follow is up to the CPU's kernels
    for finding in (f for f in report.findings if f.size in (Size.BITS, Size.ROUNDING)):
        assert finding.verdict is Verdict.CLEAN
        assert 0 < finding.value <= finding.threshold == 1e-5
        assert finding.detail == "rounding only"
    assert not any(f.size is Size.MATERIAL for f in report.findings)


@pytest.mark.slow
@pytest.mark.parametrize("key", [*LEAKS, *HONEST_CASES])
def test_every_case_of_the_catalogue_with_default_settings(key):
    one = outcome(CASES[key], SLOW_SEED)
    assert one.right, one
    if CASES[key].leaks:
        assert one.verdict is Verdict.LEAK
        assert np.isnan(one.inflation[0]) or one.inflation[1] <= one.inflation[2]


@pytest.mark.slow
@pytest.mark.parametrize("key", [*MORE_LEAKS, *MORE_HONEST])
def test_every_further_case(key):
    case = CASES[key]
    network = "network" in case.stages
    one = outcome(case, SLOW_SEED, **({"cuts": 6} if network else FAST | {"cuts": 8}))
    assert one.right, one
