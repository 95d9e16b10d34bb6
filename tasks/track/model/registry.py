"""The model registry: the champion, its replacement after a retraining, and the rollback.

The finished run of a retraining is the journal. It is written before the registry changes, and it
names the champion that the challengers were compared with. Every later step can be repeated, and
the last one is a single call that moves the alias. A crash in between leaves the old champion in
place, and repeating the retraining completes the replacement.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from foldproof.tasks.operate.retraining.decision import Outcome
from foldproof.tasks.operate.retraining.evidence import Champion
from foldproof.tasks.operate.retraining.record import Settled
from foldproof.tasks.track.entries import NOTE
from foldproof.tasks.track.model.find_model import fetch_model
from foldproof.tasks.track.store import Store, TrackingError, in_quotes

CHAMPION, CHALLENGER = "champion", "challenger"
"""Aliases: the version that scores, and the best of the newest retraining."""
PREVIOUS = "previous"
"""Tag of a champion version: the previous champion's version; empty for the first."""
SETTLED = "settled"
"""Tag of a retraining's run whose decision was applied to the registry."""
VERSIONS = "mlflow.modelVersions"
"""Tag of a logged model from which MLflow's pages read its registered versions."""
LINEAGE = (
    "retraining", "seed", "unit", "verdict", "outcome", "reason", "tested_from",
    "trained_on", "panel", "plan", "code_version", "night",
)  # fmt: skip
"""Tags that a version copies from its run."""


@dataclass(frozen=True)
class Move:
    """A rollback: the version that was champion, and the one that now is."""

    before: str
    after: str


def aliases(store: Store, model: str) -> Mapping[str, str]:
    """Versions of a registered model by alias; empty if it is not registered.

    Raises:
        TrackingError: The registry cannot be read, which does not mean that there is no champion.
    """
    try:
        found = store.client.get_registered_model(model).aliases
        return {alias: str(version) for alias, version in found.items()}
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return {}
        raise TrackingError(f"the registry cannot be read for {model}: {error}") from error


def find_champion(store: Store, model: str, folder: Path) -> Champion | None:
    """The champion with its files in ``folder``; None if no version has the alias.

    Raises:
        TrackingError: The registry or the champion's files cannot be read.
    """
    version = aliases(store, model).get(CHAMPION)
    if version is None:
        return None
    place = fetch_model(store, f"models:/{model}/{version}", folder)
    notes = json.loads(place.notes.read_text(encoding="utf-8"))
    since = date.fromisoformat(notes["tested_from"])
    return Champion(version, notes["variant"], since, notes["key"], place.weights, place.notes)


def settle(store: Store, run_id: str) -> Settled:
    """Apply the decision of a retraining's finished run to the registry; repeatable.

    The best challenger is registered once, whatever the outcome, and gets the alias
    ``challenger``. The alias ``champion`` moves only if it is still on the version that the
    challengers were compared with; otherwise it stays, and the sentence says so.
    """
    run = store.client.get_run(run_id)
    tags = run.data.tags
    model, outcome = tags["model"], Outcome(tags["outcome"])
    version = registered(store, model, run)
    text = tags["decision"]
    if version is not None and SETTLED not in tags:
        store.client.set_registered_model_alias(model, CHALLENGER, version)
        if outcome.moves:
            text += promote(store, model, version, tags["champion"])
        store.client.set_tag(run_id, "version", version)
        store.client.set_tag(run_id, "decision", text)
    store.client.set_tag(run_id, SETTLED, "true")
    return Settled(
        tags["comparison"], run_id, str(outcome), tags["reason"],
        version, aliases(store, model).get(CHAMPION), text, tags[NOTE],
    )  # fmt: skip


def registered(store: Store, model: str, run: Run) -> str | None:
    """The version of the run's model, created if missing; None without a model.

    A unit has one version, however many retrainings produce it; its key identifies it.
    """
    logged = run.outputs.model_outputs if run.outputs else []
    if not logged:
        return None
    client, tags = store.client, run.data.tags
    create_registered(store, model)
    found = client.search_model_versions(
        f"name = {in_quotes(model)} and tags.unit = {in_quotes(tags['unit'])}"
    )
    if found:
        first = min(found, key=lambda one: int(one.version))
        link_version(store, first)  # a crash may have left it without
        return str(first.version)
    # by its location: with a model's id, MLflow would use the process's global address
    place = client.get_logged_model(logged[-1].model_id).artifact_location
    made = client.create_model_version(
        model,
        place,
        run.info.run_id,
        tags={"variant": tags["challenger"]} | {key: tags[key] for key in LINEAGE},
        description=tags["decision"],
        model_id=logged[-1].model_id,
    )
    link_version(store, made)
    return str(made.version)


def link_version(store: Store, version: ModelVersion) -> None:
    """Note a version on its logged model, whose page then shows it.

    MLflow's ``register_model`` does the same, but it uses the process's global address.
    """
    run = store.client.get_run(str(version.run_id))
    model_id = (run.outputs.model_outputs if run.outputs else [])[-1].model_id
    known = json.loads(store.client.get_logged_model(model_id).tags.get(VERSIONS, "[]"))
    own = {"name": version.name, "version": int(version.version)}
    if own not in known:
        store.client.set_logged_model_tags(model_id, {VERSIONS: json.dumps([*known, own])})


def create_registered(store: Store, model: str) -> None:
    """Create the registered model if missing."""
    try:
        store.client.create_registered_model(model)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def promote(store: Store, model: str, version: str, compared_with: str) -> str:
    """Move the alias ``champion``; return the text to add to the decision.

    The new version is tagged with the previous one first, so that a crash cannot lose it.
    """
    now = aliases(store, model).get(CHAMPION, "")
    done = f". Version {version} of {model} is the champion"
    if now == version:
        return done
    if now != compared_with:
        return (
            f". But the champion changed meanwhile to version {now or '(no version)'}, which was "
            "not compared, so it stays. Retrain to compare with it"
        )
    store.client.set_model_version_tag(model, version, PREVIOUS, now)
    store.client.set_registered_model_alias(model, CHAMPION, version)
    return done


def roll_back(store: Store, model: str, version: str = "") -> Move:
    """Move the alias ``champion`` back to the previous version, or to ``version``.

    Raises:
        TrackingError: There is no champion, no previous or no such version, or the version is the
            champion already.
    """
    now = aliases(store, model).get(CHAMPION)
    if now is None:
        raise TrackingError(
            f"{model} has no champion to roll back: run foldproof retrain nightly (your "
            "configuration in place of nightly)"
        )
    found = store.client.search_model_versions(f"name = {in_quotes(model)}")
    there = sorted((str(one.version) for one in found), key=int)
    named, others = ", ".join(there), [one for one in there if one != str(now)]
    to = version or store.client.get_model_version(model, now).tags.get(PREVIOUS, "")
    if not to:
        choice = f"name one of the versions {', '.join(others)}" if others else "it is the only one"
        raise TrackingError(f"version {now} of {model} replaced no other version; {choice}")
    if to not in there:
        raise TrackingError(f"{model} has no version {to}; its versions are {named}")
    if to == now:
        raise TrackingError(f"version {to} of {model} is the champion already")
    store.client.set_model_version_tag(model, now, "rolled_back_to", to)
    store.client.set_registered_model_alias(model, CHAMPION, to)
    return Move(now, to)
