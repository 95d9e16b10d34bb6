from dataclasses import replace

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from foldproof.tasks.diagnose import Verdict
from foldproof.tasks.diagnose.findings.verdicts import (
    informational_finding,
    jointly,
    statistical_finding,
    unknown_finding,
)


def statistical(p, test="noise_placebo", level=0.01):
    return statistical_finding(test, "scoring", 0.1, p, level, "1 twin", "a sentence")


def adjusted(finding) -> float:
    return float(finding.evidence.split(", ")[2].split()[0])


def test_a_p_value_up_to_the_level_is_a_leak():
    leak, clean, unknown = (statistical(p) for p in (0.01, 0.011, float("nan")))
    verdicts = [Verdict.LEAK, Verdict.CLEAN, Verdict.UNKNOWN]
    assert [f.verdict for f in (leak, clean, unknown)] == verdicts
    assert leak.evidence == "statistical, p = 0.01, level 0.01"
    assert (leak.p_value, leak.threshold, leak.value) == (0.01, 0.01, 0.1)
    assert unknown.p_value is None
    assert unknown.evidence == "a sentence"


def test_holm_by_hand():
    """.004, .02, .006 times 3, 1, 2: .012, .02, .012."""
    found = jointly([statistical(p, level=0.05) for p in (0.004, 0.02, 0.006)], level=0.015)
    assert [adjusted(f) for f in found] == [0.012, 0.02, 0.012]
    assert [f.verdict for f in found] == [Verdict.LEAK, Verdict.CLEAN, Verdict.LEAK]
    assert found[0].evidence == (
        "statistical, p = 0.004, 0.012 adjusted for 3 tests (Holm), level 0.015"
    )
    assert [f.p_value for f in found] == [0.004, 0.02, 0.006]


@pytest.mark.parametrize("seed", range(20))
def test_holm_agrees_with_statsmodels(seed):
    draw = np.random.default_rng(seed)
    p = np.concatenate([draw.uniform(0, 1, 4), draw.uniform(0, 0.02, 4)])
    rejected, expected, *_ = multipletests(p, alpha=0.05, method="holm")
    found = jointly([statistical(one, level=0.05) for one in p], level=0.05)
    np.testing.assert_allclose([adjusted(f) for f in found], expected, rtol=0.05)
    leaks = [f.verdict is Verdict.LEAK for f in found]
    assert leaks == (rejected & (p <= 0.05)).tolist()


def test_findings_without_a_p_value_or_that_do_not_count_stay():
    others = [
        unknown_finding("survivorship", "universe", "no hazard", "3 symbols", counts=False),
        informational_finding("drift", "features", 0.8, True, "3 features", "AUC 0.8"),
        statistical(float("nan")),
        replace(statistical(0.001), counts=False),
    ]
    found = jointly([others[0], statistical(0.004), others[1], statistical(0.009), *others[2:]])
    assert [found[0], found[2], *found[4:]] == others
    assert [f.verdict for f in (found[1], found[3])] == [Verdict.LEAK, Verdict.LEAK]
    assert "for 2 tests" in found[1].evidence
    assert jointly([]) == ()


def test_holm_turns_no_finding_into_a_leak():
    """A higher level than that of the test does not change its verdict."""
    (found,) = jointly([statistical(0.03, level=0.01)], level=0.05)
    assert found.verdict is Verdict.CLEAN


def test_a_symptom_informs_only():
    symptom, none = (
        informational_finding("drift", "features", 0.8, s, "", "") for s in (True, False)
    )
    assert [symptom.verdict, none.verdict] == [Verdict.UNKNOWN, Verdict.CLEAN]
    assert not symptom.counts
    assert not none.counts
    assert symptom.threshold == 0.7
