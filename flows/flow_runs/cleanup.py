"""Tidy up the Prefect server at a start: interrupted runs, missed runs, stale deployments."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import DeploymentFilter, FlowRunFilter
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.client.schemas.sorting import FlowRunSort

from foldproof.flows.commands.deployments import TAG


def delete_stale_deployments(served: Collection[str]) -> None:
    """Delete deployments of configurations that are no longer served: nothing would run them."""
    filters = DeploymentFilter.model_validate({"tags": {"all_": [TAG]}})
    with get_client(sync_client=True) as client:
        flows = {one.id: one.name for one in client.read_flows()}
        for one in client.read_deployments(deployment_filter=filters):
            if f"{flows[one.flow_id]}/{one.name}" not in served and one.work_pool_name is None:
                client.delete_deployment(one.id)


def close_interrupted(ids: Sequence[UUID]) -> None:
    """Mark unfinished runs of the deployments ``ids`` as crashed; they would look alive for ever.

    Call it only while none of them runs: at the start and at the end of ``foldproof serve``, which
    alone runs deployments without a work pool, in one process per folder.
    """
    unfinished = (StateType.RUNNING, StateType.PENDING, StateType.CANCELLING)
    with get_client(sync_client=True) as client:
        for run in runs_of(client, ids, unfinished):
            crashed = State(type=StateType.CRASHED, message="interrupted with foldproof serve")
            client.set_flow_run_state(run.id, crashed, force=True)


def skip_missed(ids: Sequence[UUID]) -> None:
    """Cancel scheduled runs missed while nothing was served, except the newest per deployment.

    A flow reads the newest rows, so seven missed nights need one run.
    """
    now = datetime.now(UTC)
    with get_client(sync_client=True) as client:
        scheduled = runs_of(client, ids, (StateType.SCHEDULED,))
        late = [run for run in scheduled if run.auto_scheduled and expected_start(run) < now]
        for run in superseded(late):
            message = "missed; a later missed run replaces it"
            skipped = State(type=StateType.CANCELLED, name="Missed", message=message)
            client.set_flow_run_state(run.id, skipped, force=True)


def runs_of(
    client: SyncPrefectClient, ids: Sequence[UUID], states: Sequence[StateType]
) -> list[FlowRun]:
    """The runs of the deployments ``ids`` in one of ``states``, earliest first."""
    filters = FlowRunFilter.model_validate(
        {"deployment_id": {"any_": ids}, "state": {"type": {"any_": states}}}
    )
    found: list[FlowRun] = []
    if not ids:  # an empty filter would match every run
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
    newest = {run.deployment_id: run.id for run in sorted(late, key=expected_start)}
    return [run for run in late if run.id != newest[run.deployment_id]]


def expected_start(run: FlowRun) -> datetime:
    """When a scheduled run was due."""
    return run.expected_start_time or datetime.min.replace(tzinfo=UTC)
