"""What an earlier start left at the server: runs that ended with it, nights that were missed."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import DeploymentFilter, FlowRunFilter
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.client.schemas.sorting import FlowRunSort

from foldproof.flows.deployments import TAG


def delete_stale_deployments(served: Collection[str]) -> None:
    """Delete deployments that another configuration was served as: nobody would run them."""
    filters = DeploymentFilter.model_validate({"tags": {"all_": [TAG]}})
    with get_client(sync_client=True) as client:
        flows = {one.id: one.name for one in client.read_flows()}
        for one in client.read_deployments(deployment_filter=filters):
            if f"{flows[one.flow_id]}/{one.name}" not in served and one.work_pool_name is None:
                client.delete_deployment(one.id)


def close_interrupted(ids: Sequence[UUID]) -> None:
    """Runs whose process is gone are said to have crashed; else they would run for ever.

    Nobody else runs these deployments: they have no work pool, and one process serves a folder.
    """
    began = (StateType.RUNNING, StateType.PENDING, StateType.CANCELLING)
    with get_client(sync_client=True) as client:
        for one in runs_of(client, ids, began):
            ended = State(type=StateType.CRASHED, message="interrupted with foldproof serve")
            client.set_flow_run_state(one.id, ended, force=True)


def skip_missed(ids: Sequence[UUID]) -> None:
    """Of the scheduled runs that were missed while nothing was served, keep the newest of each.

    A flow looks at the newest rows there are: seven missed nights need one run, not seven.
    """
    now = datetime.now(UTC)
    with get_client(sync_client=True) as client:
        waiting = runs_of(client, ids, (StateType.SCHEDULED,))
        late = [one for one in waiting if one.auto_scheduled and expected_start(one) < now]
        for one in superseded(late):
            stand_in = "a later run that was missed too stands for this one"
            skipped = State(type=StateType.CANCELLED, name="Missed", message=stand_in)
            client.set_flow_run_state(one.id, skipped, force=True)


def runs_of(
    client: SyncPrefectClient, ids: Sequence[UUID], states: Sequence[StateType]
) -> list[FlowRun]:
    """The runs of the deployments ``ids`` in one of ``states``, the earliest first."""
    filters = FlowRunFilter.model_validate(
        {"deployment_id": {"any_": ids}, "state": {"type": {"any_": states}}}
    )
    found: list[FlowRun] = []
    if not ids:  # an empty filter would be all runs there are
        return found
    while page := client.read_flow_runs(
        flow_run_filter=filters,
        limit=200,
        offset=len(found),
        sort=FlowRunSort.EXPECTED_START_TIME_ASC,
    ):
        found += page
    return found


def superseded(late: Sequence[FlowRun]) -> list[FlowRun]:
    """All but the newest run of each deployment."""
    newest = {one.deployment_id: one.id for one in sorted(late, key=expected_start)}
    return [one for one in late if one.id != newest[one.deployment_id]]


def expected_start(run: FlowRun) -> datetime:
    """When a scheduled run was to start."""
    return run.expected_start_time or datetime.min.replace(tzinfo=UTC)
