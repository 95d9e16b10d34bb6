"""Silent runs of a work pool, and only those of our deployments, are marked as crashed."""

from prefect.client.schemas.objects import StateType

from foldproof.flows.commands.deployments import TAG, pool_settings
from foldproof.flows.flow_runs.heartbeat import BEAT, EVERY, SILENCE, silent_runs


def test_a_run_that_stops_reporting_is_crashed_unless_it_has_ended() -> None:
    rule = silent_runs(TAG)
    trigger = rule.trigger
    assert trigger.after == {BEAT}
    assert trigger.expect == {BEAT} | {
        f"prefect.flow-run.{end}" for end in ("Completed", "Failed", "Crashed", "Cancelled")
    }
    assert trigger.match_related.model_dump() == {"prefect.resource.id": f"prefect.tag.{TAG}"}
    assert (trigger.posture, trigger.for_each) == ("Proactive", {"prefect.resource.id"})
    (action,) = rule.actions
    assert action.state is StateType.CRASHED


def test_runs_of_a_pool_report_several_times_before_they_count_as_silent() -> None:
    assert int(pool_settings()["PREFECT_FLOWS_HEARTBEAT_FREQUENCY"]) == EVERY
    assert SILENCE.seconds >= 3 * EVERY
