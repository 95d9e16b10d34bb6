"""The model registry: who is champion, the move that a retraining decided, and the way back.

A retraining's finished run is the journal: it is written before the registry is touched, and says
which champion was decided against. Every step after it is found done or is done again, and the last
one is a single call that moves the alias. So a crash between any two of them leaves the old
champion, and the same retraining again completes the move.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from foldproof.tasks.operate.decision import Outcome
from foldproof.tasks.operate.evidence import Champion
from foldproof.tasks.operate.record import Settled
from foldproof.tasks.track.fetch import fetch_model
from foldproof.tasks.track.store import Store, TrackingError
from foldproof.tasks.track.values import NOTE

CHAMPION, CHALLENGER = "champion", "challenger"
"""Aliases: the version that scores, and the best of the newest retraining."""
PREVIOUS = "previous"
"""Tag of a version that became champion: the version before it; empty for the first."""
SETTLED = "settled"
"""Tag of a retraining's run whose decision the registry has."""
LINEAGE = (
    "retraining", "seed", "unit", "verdict", "outcome", "reason", "tested_from",
    "trained_on", "panel", "plan", "code_version", "night",
)  # fmt: skip
"""Tags that a version takes over from its run."""


@dataclass(frozen=True)
class Move:
    """A champion that was put back: from which version to which."""

    before: str
    after: str


def aliases(store: Store, model: str) -> Mapping[str, str]:
    """Versions of a registered model by alias; none where it is not registered.

    Raises:
        TrackingError: The registry cannot be read: that is not the same as no champion.
    """
    try:
        found = store.client.get_registered_model(model).aliases
        return {alias: str(version) for alias, version in found.items()}
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return {}
        raise TrackingError(f"the registry cannot be read for {model}: {error}") from error


def find_champion(store: Store, model: str, folder: Path) -> Champion | None:
    """The champion with its files brought to ``folder``; None where no version has the alias.

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
    """Bring the registry to what a retraining's finished run says; again, it changes nothing.

    The best challenger is registered once, whatever the outcome, and takes the alias
    ``challenger``. The alias ``champion`` moves only from the version that was decided against: if
    somebody has moved it meanwhile, it stays where they put it, and the sentence says so.
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
    """The version of the run's model: the one that is there, or a new one; None without a model.

    A unit is one version, however many retrainings come to it: its key is what decides it.
    """
    logged = run.outputs.model_outputs if run.outputs else []
    if not logged:
        return None
    client, tags = store.client, run.data.tags
    create_registered(store, model)
    found = client.search_model_versions(f"name = '{model}' and tags.unit = '{tags['unit']}'")
    if found:
        return str(min(int(one.version) for one in found))
    # by its place: given a model's id, MLflow looks at the process's global address
    place = client.get_logged_model(logged[-1].model_id).artifact_location
    made = client.create_model_version(
        model,
        place,
        run.info.run_id,
        tags={"variant": tags["challenger"]} | {key: tags[key] for key in LINEAGE},
        description=tags["decision"],
        model_id=logged[-1].model_id,
    )
    return str(made.version)


def create_registered(store: Store, model: str) -> None:
    """Make the registered model where it is not there."""
    try:
        store.client.create_registered_model(model)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def promote(store: Store, model: str, version: str, decided_against: str) -> str:
    """Move the alias from the version that was decided against; what is to be added in words.

    The version before is remembered on the new one first: with the alias moved it could be lost.
    """
    now = aliases(store, model).get(CHAMPION, "")
    done = f". Version {version} of {model} is the champion"
    if now == version:
        return done
    if now != decided_against:
        return (
            f". But the champion is version {now or 'none'} by now, which was not compared: it "
            "stays. Retrain to compare with it"
        )
    store.client.set_model_version_tag(model, version, PREVIOUS, now)
    store.client.set_registered_model_alias(model, CHAMPION, version)
    return done


def roll_back(store: Store, model: str, version: str = "") -> Move:
    """Give the alias ``champion`` back to the version before, or to ``version``.

    Raises:
        TrackingError: There is no champion, nothing before it, no such version, or it is the
            champion already.
    """
    now = aliases(store, model).get(CHAMPION)
    if now is None:
        raise TrackingError(f"{model} has no champion to roll back: foldproof retrain makes one")
    found = store.client.search_model_versions(f"name = '{model}'")
    there = sorted((str(one.version) for one in found), key=int)
    named = ", ".join(there)
    to = version or store.client.get_model_version(model, now).tags.get(PREVIOUS, "")
    if not to:
        raise TrackingError(
            f"version {now} of {model} took no other's place: there is none to go back to. Name a "
            f"version: there are {named}"
        )
    if to not in there:
        raise TrackingError(f"{model} has no version {to}: there are {named}")
    if to == now:
        raise TrackingError(f"version {to} of {model} is the champion already")
    store.client.set_model_version_tag(model, now, "rolled_back_to", to)
    store.client.set_registered_model_alias(model, CHAMPION, to)
    return Move(now, to)
