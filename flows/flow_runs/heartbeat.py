"""Runs of a work pool that stop reporting, because their machine is gone, are marked as crashed.

``foldproof serve`` needs no such rule: it tidies up its own runs when it starts and ends.
"""

from datetime import timedelta

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification

NAME = "foldproof: crash runs that stopped reporting"
BEAT = "prefect.flow-run.heartbeat"
EVERY = 30
"""Seconds between two signs of life of a run."""
SILENCE = timedelta(seconds=5 * EVERY)
"""Time without a sign of life after which a run counts as crashed."""
ENDED = ("Completed", "Failed", "Crashed", "Cancelled")


def silent_runs(tag: str, silence: timedelta = SILENCE) -> AutomationCore:
    """The automation that marks silent runs of the deployments with ``tag`` as crashed."""
    ends = {f"prefect.flow-run.{state}" for state in ENDED}
    trigger = EventTrigger(
        match=ResourceSpecification({"prefect.resource.id": "prefect.flow-run.*"}),
        match_related=ResourceSpecification({"prefect.resource.id": f"prefect.tag.{tag}"}),
        after={BEAT},
        expect={BEAT} | ends,
        for_each={"prefect.resource.id"},
        posture=Posture.Proactive,
        threshold=1,
        within=silence,
    )
    message = f"no sign of life for {silence.seconds} seconds: its process or machine is gone"
    crash = ChangeFlowRunState(name=None, state=StateType.CRASHED, message=message, force=False)
    return AutomationCore(name=NAME, trigger=trigger, actions=[crash])


def crash_silent_runs(tag: str, silence: timedelta = SILENCE) -> None:
    """Create the automation on the Prefect server unless it is there."""
    with get_client(sync_client=True) as client:
        if not client.read_automations_by_name(NAME):
            client.create_automation(silent_runs(tag, silence))
