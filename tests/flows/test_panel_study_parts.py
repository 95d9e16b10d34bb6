"""What a study makes of panels that fail, without training."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from foldproof.conf.load import load_as
from foldproof.conf.panel_study import PanelStudy
from foldproof.conf.registration import Registration
from foldproof.flows import panel_study as flow
from foldproof.flows.panel_study import Gathered, assemble, gather
from foldproof.tasks.compare.aligned import NothingCommon
from foldproof.tasks.track.store import TrackingError
from tests.tasks.panel_study.outcomes import panels


@pytest.fixture(scope="module")
def study() -> PanelStudy:
    return load_as(PanelStudy, "study")


SAID: list[str] = []
SCREEN: Any = SimpleNamespace(say=SAID.append)


@pytest.mark.parametrize("step", ["compared", "outcome"])
def test_a_panel_that_cannot_be_scored_is_noted_and_the_study_goes_on(
    study: PanelStudy, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def fail(*_: object) -> None:
        raise NothingCommon("no date has 3 symbols")

    monkeypatch.setattr(flow, "compared", lambda _: None)
    monkeypatch.setattr(flow, step, fail)
    found = Gathered()
    gather(study, "noise", found, SCREEN)
    assert found.missing == {"noise": "no date has 3 symbols"}
    assert not found.outcomes
    assert SAID.pop() == "noise failed: no date has 3 symbols"


def test_a_store_that_cannot_be_reached_ends_the_study(
    study: PanelStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: object) -> None:
        raise TrackingError("no answer")

    monkeypatch.setattr(flow, "compared", fail)
    with pytest.raises(TrackingError):
        gather(study, "noise", Gathered(), SCREEN)


def test_a_study_before_and_after_the_registration_of_its_plan_are_two(study: PanelStudy) -> None:
    plan = Registration("study.yaml", "", "", False, ())
    found = Gathered(panels(), missing={"toronto": "not installed"})
    before = assemble(study, plan, found, {})
    after = assemble(study, replace(plan, commit="0123", committed=True), found, {})
    assert before.study_id != after.study_id
    assert assemble(study, plan, found, {}).study_id == before.study_id
    assert after.commit == "0123"
    assert after.plan.endswith("commit 0123. Run in part: missing: toronto.")
