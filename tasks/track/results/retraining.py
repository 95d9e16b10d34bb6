"""Log a retraining: one run with the decision, its numbers, and the best challenger."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from mlflow.exceptions import MlflowException

from foldproof.tasks.operate.retraining.decision_text import markdown, sentence
from foldproof.tasks.operate.retraining.record import Retraining
from foldproof.tasks.operate.retraining.tested_dates import Evidence, from_json
from foldproof.tasks.track.entries import NOTE, Value, flat, seconds
from foldproof.tasks.track.files import File
from foldproof.tasks.track.model.log_model import ModelFiles, log_measured, log_model
from foldproof.tasks.track.results.audit import file_name
from foldproof.tasks.track.results.comparison import findings_json
from foldproof.tasks.track.results.comparison_entries import settings as ranking_settings
from foldproof.tasks.track.results.panel_input import as_input, panel_dataset
from foldproof.tasks.track.runs import logged_run
from foldproof.tasks.track.store import NEWEST, Store, TrackingError, in_quotes, runs_in
from foldproof.tasks.train.serving.training_values import trained_on

EVIDENCE = "evidence.json"
"""Artifact of a retraining: the dates tested so far, which the next retraining continues."""


def log_retraining(store: Store, record: Retraining, model: ModelFiles | None) -> str:
    """Write the run and return its id; ``model`` is the one to register."""
    settings = retraining_params(record)
    content = retraining_tags(record), retraining_values(record), settings, retraining_files(record)
    panel = panel_dataset(record.panel, settings.get("data.source", ""), {})
    chosen = record.decision.variant
    with logged_run(store, record.title, *content) as run_id:
        store.client.log_inputs(run_id, [as_input(panel)])
        if model is not None and chosen:
            about = model_tags(record), settings
            model_id = log_model(store, run_id, chosen, model, *about)
            log_measured(store, run_id, model_values(record, chosen), model_id, panel)
    return run_id


def retraining_params(record: Retraining) -> dict[str, str]:
    """The settings of training and gate; ``config.yaml`` holds all of them."""
    every = flat(record.config)
    gate = {key: value for key, value in every.items() if key.startswith("operation.gate.")}
    return ranking_settings(record.config) | gate


def model_tags(record: Retraining) -> dict[str, str]:
    """Tags of the best challenger's model: its lineage and the night."""
    own = {"kind": "retraining", "night": record.night, "variant": record.decision.variant or ""}
    return lineage(record) | own


def model_values(record: Retraining, variant: str) -> Iterator[Value]:
    """The numbers of a challenger under the names that a comparison gives to them."""
    made = record.decision.of(variant)
    yield "oos/rank_ic", made.rank_ic, 0
    yield "oos_secondary/coverage", made.coverage, 0


def retraining_tags(record: Retraining) -> dict[str, str]:
    """Tags that identify the run, the decision, and the lineage of the registered version."""
    made = record.decision
    return {
        "comparison": record.retraining_id,
        "retraining": record.retraining_id,
        "kind": "retraining",
        "title": record.title,
        "model": record.model,
        "night": record.night,
        "outcome": str(made.outcome),
        "reason": str(made.reason or ""),
        "decision": sentence(made),
        "champion": made.champion.version if made.champion else "",
        "panel": record.panel,
        "plan": record.plan,
        "code_version": record.code_version,
        **{f"verdict.{one.variant}": str(one.verdict) for one in made.challengers},
        **lineage(record),
        NOTE: markdown(made),
    }


def lineage(record: Retraining) -> dict[str, str]:
    """Tags of the registered forecaster; empty if none is registered.

    The run has no tag ``variant``, because that marks the runs of a comparison's variants.
    """
    if record.chosen is None:
        return {}
    unit = record.chosen.unit
    return {
        "challenger": unit.variant,
        "seed": ", ".join(str(one.unit.seed) for one in (record.chosen, *record.chosen.others)),
        "unit": unit.key,
        "verdict": str(record.decision.of(unit.variant).verdict),
        "tested_from": str(unit.fold.test_dates[0]),
        "trained_on": " to ".join(map(str, trained_on(unit.fold))),
    }


def retraining_values(record: Retraining) -> Iterator[Value]:
    """Numbers of every challenger in its own section, of the champion and the gate; seconds."""
    made = record.decision
    for one in made.challengers:
        for name in ("rank_ic", "gain", "low", "detectable", "coverage", "dates"):
            label = "gain_low" if name == "low" else name
            yield f"{one.variant}/{label}", float(getattr(one, name)), 0
    if made.champion is not None:
        yield "champion/rank_ic", made.champion.rank_ic, 0
        yield "champion/behind", float(made.champion.behind), 0
    yield "gate/share", made.share, 0
    yield "gate/admitted", float(made.admitted), 0
    yield "gate/stale", float(made.stale), 0
    yield from seconds(record.seconds)


def retraining_files(record: Retraining) -> Iterator[File]:
    """Decision, tested dates, configuration and each challenger's findings."""
    yield EVIDENCE, record.decision.evidence.to_json()
    yield "decision.md", markdown(record.decision)
    yield "config.yaml", record.config_yaml
    for variant, found in record.findings.items():
        yield f"findings/{file_name(variant)}.json", findings_json(found)


def find_evidence(store: Store, model: str) -> Evidence:
    """The dates tested so far for a registered model, from its newest night with a finished run.

    It is empty before the first retraining, and after one by a version without this file.

    Raises:
        TrackingError: The file cannot be read: without it dates could be tested twice.
    """
    own = f"tags.kind = 'retraining' and tags.model = {in_quotes(model)}"
    finished = f"{own} and attributes.status = 'FINISHED'"
    run = next(runs_in(store, finished, "tags.night DESC", NEWEST, page=1), None)
    if run is None:
        return Evidence()
    run_id = run.info.run_id
    try:
        if not any(one.path == EVIDENCE for one in store.client.list_artifacts(run_id)):
            return Evidence()
        with TemporaryDirectory() as folder:
            file = Path(store.client.download_artifacts(run_id, EVIDENCE, folder))
            return from_json(file.read_text(encoding="utf-8"))
    except (MlflowException, OSError, ValueError) as error:
        raise TrackingError(
            f"{EVIDENCE} of the retraining {run_id} cannot be read ({error}): restore it, or "
            "delete that run to continue from the one before"
        ) from error
