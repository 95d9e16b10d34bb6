"""Each leaky control is caught by the tests that should catch it, and by no other, in 3 seeds."""

import pytest

from foldproof.models.normalizers import CONTROLS
from foldproof.tasks.diagnose import Verdict
from foldproof.tasks.diagnose.certify.subject import subject_of
from foldproof.tasks.diagnose.lookahead.trained_unit import diagnose_unit
from foldproof.tasks.train import train_unit

ROWS = {("serve_invariance", "scoring")}
COMPANIONS = ROWS | {("batch_composition", "network")}
STATE = COMPANIONS | {("state_purity", "scoring")}
CAUGHT_BY = {
    "centred_rolling_zscore": ROWS,
    "horizon_zscore": ROWS,
    "prediction_time_batch_norm": COMPANIONS,
    "batch_norm_train_mode_symbol": STATE,
    "batch_norm_train_mode_dates": STATE,
    "ghost_batch_norm_train_mode": STATE,
    "batch_norm_updated": STATE,
    "san_unpurged": {("train_invariance", "training")},
}
RETRAINED = ("san_unpurged",)
"""Their leak is in the weights, so the audit trains them again."""


def test_every_control_has_its_tests() -> None:
    assert list(CAUGHT_BY) == list(CONTROLS)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_purged_auxiliary_target_leaks_nothing(seed: int) -> None:
    subject = subject_of("san", seed)
    findings = diagnose_unit(subject.trained, subject.panel, train_unit, 3, seed)
    assert {f.verdict for f in findings if f.counts} == {Verdict.CLEAN}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", CONTROLS)
def test_a_control_is_caught_by_the_right_tests(name: str, seed: int) -> None:
    subject = subject_of(name, seed)
    retrain = train_unit if name in RETRAINED else None
    findings = diagnose_unit(subject.trained, subject.panel, retrain, 3, seed)
    leaks = {(f.test, f.stage) for f in findings if f.counts and f.verdict is Verdict.LEAK}
    assert leaks == CAUGHT_BY[name]
    assert all(f.verdict is not Verdict.UNKNOWN for f in findings if f.counts)
