"""A logged model, found by a run, the beginning of its id, a registered name, or as the latest."""

from dataclasses import dataclass
from pathlib import Path

import mlflow.artifacts
from mlflow.entities import Run, ViewType
from mlflow.exceptions import MlflowException

from foldproof.tasks.track.store import Store, TrackingError

LATEST = "latest"
REGISTERED = "models:/"
SHORTEST = 6
"""Letters of a run's id that are enough to look for it."""
NAMED = 5
"""Runs that an error names."""


@dataclass(frozen=True)
class ModelPlace:
    """Where a logged model's files lie on this machine.

    Attributes:
        run_id: The run that logged it.
        weights: Its weights.
        notes: Its notes.
    """

    run_id: str
    weights: Path
    notes: Path


def fetch_model(store: Store, name: str, folder: Path) -> ModelPlace:
    """Bring a model's files to ``folder``.

    Args:
        store: Where it is logged.
        name: ``latest``: the best variant of the newest comparison; the id of a variant's run or
            the beginning of it; ``models:/name/version`` or ``models:/name@alias``.
        folder: Where to.

    Raises:
        TrackingError: There is no such run or model; says which there are.
    """
    if name.startswith(REGISTERED):
        run_id, source = registered(store, name)
    else:
        run = newest_best(store) if name == LATEST else run_of(store, name)
        logged = run.outputs.model_outputs if run.outputs else []
        if not logged:
            raise TrackingError(
                f"run {run.info.run_id} ({run.info.run_name}) has no model: name a variant's run. "
                f"{those_there(store)}"
            )
        run_id, source = run.info.run_id, f"{REGISTERED}{logged[-1].model_id}"
    try:
        # by its place: given a model's name, MLflow looks at the process's global address
        place = source
        if source.startswith(REGISTERED):
            named = source.removeprefix(REGISTERED)
            place = store.client.get_logged_model(named).artifact_location
        path = Path(
            mlflow.artifacts.download_artifacts(
                artifact_uri=place, dst_path=str(folder), tracking_uri=store.uri
            )
        )
    except MlflowException as error:
        raise TrackingError(f"the model {source} cannot be read: {error}") from error
    files = {file.name: file for file in path.rglob("artifacts/*")}
    try:
        return ModelPlace(run_id, files["weights.safetensors"], files["model.json"])
    except KeyError as error:
        raise TrackingError(f"{source} is not one of this project: it lacks {error}") from error


def registered(store: Store, name: str) -> tuple[str, str]:
    """The run and the source of a registered version, or of a model named by its id.

    Raises:
        TrackingError: There is none of that name.
    """
    model, _, alias = name.removeprefix(REGISTERED).partition("@")
    model, _, version = model.partition("/")
    client = store.client
    try:
        if not alias and not version:
            return str(client.get_logged_model(model).source_run_id), name
        found = (
            client.get_model_version_by_alias(model, alias)
            if alias
            else client.get_model_version(model, version)
        )
        return str(found.run_id), str(found.source)
    except MlflowException as error:
        raise TrackingError(f"no model {name}: {error}. {those_there(store)}") from error


def newest_best(store: Store) -> Run:
    """The run of the best variant of the newest comparison.

    Raises:
        TrackingError: There is no comparison.
    """
    finished = "attributes.status = 'FINISHED'"
    found = store.client.search_runs(
        [store.experiment_id], f"tags.kind = 'summary' and {finished}",
        max_results=1, order_by=["attributes.start_time DESC"],
    )  # fmt: skip
    best = found[0].data.tags.get("best", "") if found else ""
    if not best:
        raise TrackingError("there is no comparison with a best variant yet: foldproof compare")
    comparison = found[0].data.tags["comparison"]
    own = f"tags.comparison = '{comparison}' and tags.variant = '{best}' and {finished}"
    (run,) = store.client.search_runs([store.experiment_id], own, max_results=1)
    return run


def run_of(store: Store, name: str) -> Run:
    """The run whose id is, or begins with, ``name``.

    Raises:
        TrackingError: None does, or several.
    """
    try:
        return store.client.get_run(name)
    except MlflowException:
        pass
    runs = store.client.search_runs([store.experiment_id], "", ViewType.ACTIVE_ONLY, 5000)
    found = [run for run in runs if run.info.run_id.startswith(name)]
    if len(name) < SHORTEST or len(found) != 1:
        short = f" (at least {SHORTEST} letters)" if len(name) < SHORTEST else ""
        raise TrackingError(
            f"{len(found)} runs begin with {name!r}{short}: name one, or latest. "
            f"{those_there(store)}"
        )
    return found[0]


def those_there(store: Store) -> str:
    """The newest runs that have a model."""
    runs = store.client.search_runs(
        [store.experiment_id], "tags.kind = 'variant'",
        max_results=NAMED, order_by=["attributes.start_time DESC"],
    )  # fmt: skip
    names = ", ".join(f"{run.info.run_id[:8]} ({run.info.run_name})" for run in runs)
    return f"Newest: {names}" if names else "There is none yet: foldproof compare"
