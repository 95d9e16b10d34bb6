"""The champion of a registered model, found by its alias and brought to this machine."""

import json
from datetime import date
from pathlib import Path

from mlflow.exceptions import MlflowException

from tasks.operate.evidence import Champion
from tasks.track.fetch import REGISTERED, fetch_model
from tasks.track.store import Store, TrackingError, shown

ALIAS = "champion"
ABSENT = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE", "NOT_FOUND")
"""Codes by which a registry says that there is no such model, or no such alias of it."""


class NoChampion(TrackingError):
    """No version of the model has the alias; a store that does not answer is another error."""


def find_champion(store: Store, model: str, folder: Path) -> Champion:
    """The version of ``model`` that is champion now, its files in ``folder``.

    The version is looked up once: if the alias moves meanwhile, number and files still agree.

    Raises:
        NoChampion: There is none.
        TrackingError: The registry cannot be used, or the model is not one of this project.
    """
    place = shown(store.uri)
    try:
        version = str(store.client.get_model_version_by_alias(model, ALIAS).version)
    except MlflowException as error:
        if error.error_code not in ABSENT:
            raise TrackingError(f"the registry {place} cannot be used: {error}") from error
        raise NoChampion(
            f"model {model!r} has no version with the alias {ALIAS} in {place}: foldproof retrain "
            "makes the first, or give the alias to a version in the MLflow UI"
        ) from error
    files = fetch_model(store, f"{REGISTERED}{model}/{version}", folder)
    about = json.loads(files.notes.read_text(encoding="utf-8"))
    return Champion(
        version=version,
        variant=about["variant"],
        tested_from=date.fromisoformat(about["tested_from"]),
        unit=about["key"],
        weights=files.weights,
        notes=files.notes,
    )
