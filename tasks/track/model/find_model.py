"""Find a logged model by run id, by registered name, or as the latest."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import mlflow.artifacts
from mlflow.entities import Run, ViewType
from mlflow.exceptions import MlflowException

from foldproof.tasks.track.store import Store, TrackingError, in_quotes, newest_runs

LATEST = "latest"
REGISTERED = "models:/"
SHORTEST = 6
"""Letters of a run id that a user must give at least."""
NAMED = 5
"""Runs that an error message lists."""


@dataclass(frozen=True)
class ModelPlace:
    """The files of a logged model on this machine.

    Attributes:
        run_id: The run that logged it.
        weights: The weights.
        notes: The description of the model, as JSON.
    """

    run_id: str
    weights: Path
    notes: Path


def fetch_model(store: Store, name: str, folder: Path) -> ModelPlace:
    """Download a model's files to ``folder``.

    Args:
        store: Where it is logged.
        name: ``latest`` (the best variant of the newest comparison that has a candidate), the id of
            a variant's run or its first letters, ``models:/name/version`` or
            ``models:/name@alias``.
        folder: Target folder.

    Raises:
        TrackingError: There is no such run or model; the message lists the newest.
    """
    if name.startswith(REGISTERED):
        run_id, source = registered(store, name)
    else:
        run = newest_best(store) if name == LATEST else run_of(store, name)
        logged = run.outputs.model_outputs if run.outputs else []
        if not logged:
            raise TrackingError(
                f"run {run.info.run_id} ({run.info.run_name}) has no model; give the run of a "
                f"variant. {newest_models(store)}"
            )
        run_id, source = run.info.run_id, f"{REGISTERED}{logged[-1].model_id}"
    try:
        # by its location: with a model's name, MLflow would use the process's global address
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
        raise TrackingError(f"{source} is not a Foldproof model: {error} is missing") from error


def registered(store: Store, name: str) -> tuple[str, str]:
    """Run id and source of a registered version, or of a model given by its id.

    Raises:
        TrackingError: There is no such model.
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
        raise TrackingError(f"no model {name}: {error}. {newest_models(store)}") from error


def newest_best(store: Store) -> Run:
    """The run of the best variant of the newest comparison that has a candidate.

    Raises:
        TrackingError: There is no such comparison.
    """
    finished = "attributes.status = 'FINISHED'"
    found = newest_runs(store, f"tags.kind = 'summary' and tags.best != '' and {finished}", 1)
    if not found:
        raise TrackingError(
            "no comparison has a variant without a leak yet: run foldproof compare quick, or name "
            "a registered model, such as models:/foldproof/1"
        )
    tags = found[0].data.tags
    comparison, best = in_quotes(tags["comparison"]), in_quotes(tags["best"])
    own = f"tags.comparison = {comparison} and tags.variant = {best} and {finished}"
    (run,) = newest_runs(store, own, 1)
    return run


def run_of(store: Store, name: str, newest: Callable[[Store], str] | None = None) -> Run:
    """The run whose id is, or begins with, ``name``.

    Args:
        store: Where it is logged.
        name: The id or its first letters.
        newest: Names the runs to choose from, for the message; by default those with a model.

    Raises:
        TrackingError: No run matches, or several do.
    """
    try:
        return store.client.get_run(name)
    except MlflowException:
        pass
    runs = store.client.search_runs([store.experiment_id], "", ViewType.ACTIVE_ONLY, 5000)
    found = [run for run in runs if run.info.run_id.startswith(name)]
    if len(name) < SHORTEST or len(found) != 1:
        short = f" (give at least {SHORTEST} letters)" if len(name) < SHORTEST else ""
        raise TrackingError(
            f"{len(found)} runs begin with {name!r}{short}; give the id of one run, or latest. "
            f"{(newest or newest_models)(store)}"
        )
    return found[0]


def newest_models(store: Store) -> str:
    """The newest runs with a model, as a sentence."""
    runs = newest_runs(store, "tags.kind = 'variant'", NAMED)
    names = ", ".join(f"{run.info.run_id[:8]} ({run.info.run_name})" for run in runs)
    return f"Newest: {names}" if names else "There is no model yet: run foldproof compare quick"
