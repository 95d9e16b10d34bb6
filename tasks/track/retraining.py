"""Log a retraining: one run with the decision, the numbers behind it, and the best challenger."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from foldproof.tasks.operate.decision_text import markdown, sentence
from foldproof.tasks.operate.record import Retraining
from foldproof.tasks.track.audit import file_name
from foldproof.tasks.track.log import write_findings
from foldproof.tasks.track.model import ModelFiles, log_model
from foldproof.tasks.track.runs import SUMMARY, finished_runs, log_values, new_run
from foldproof.tasks.track.store import Store
from foldproof.tasks.track.values import NOTE, Value, flat, key_of


def find_retraining(store: Store, retraining_id: str) -> str | None:
    """The finished run of a retraining, or None; those left unfinished are deleted."""
    return finished_runs(store, retraining_id).get(SUMMARY)


def log_retraining(store: Store, record: Retraining, model: ModelFiles | None) -> str:
    """Write the run and return its id; ``model`` is what is registered of it."""
    with new_run(store, record.title, retraining_tags(record)) as run_id:
        settings = {k: v for k, v in record.config.items() if k not in ("tracking", "workers")}
        log_values(store, run_id, retraining_values(record), flat(settings))
        with tempfile.TemporaryDirectory() as folder:
            write_retraining(record, Path(folder))
            store.client.log_artifacts(run_id, folder)
        if model is not None and record.decision.variant:
            log_model(store, run_id, key_of(record.decision.variant).replace(".", "_"), model)
    return run_id


def retraining_tags(record: Retraining) -> dict[str, str]:
    """What finds the run, the decision, and the lineage that a registered version takes over."""
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
    """What the registered network is; nothing where none is registered.

    The variant has a tag of its own name on the version; on the run that name would make it one of
    a comparison's variants.
    """
    if record.chosen is None:
        return {}
    unit = record.chosen.unit
    return {
        "challenger": unit.variant,
        "seed": str(unit.seed),
        "unit": unit.key,
        "verdict": str(record.decision.of(unit.variant).verdict),
        "tested_from": str(unit.fold.test_dates[0]),
        "trained_on": " to ".join(str(day) for day in unit.fold.train_dates[[0, -1]]),
    }


def retraining_values(record: Retraining) -> Iterator[Value]:
    """Every challenger's numbers in a section of its own; the champion's; the seconds."""
    made = record.decision
    for one in made.challengers:
        for name in ("rank_ic", "gain", "low", "high", "p", "p_worse", "coverage", "dates"):
            label = f"gain_{name}" if name in ("low", "high") else name
            yield f"{one.variant}/{label}", float(getattr(one, name)), 0
    if made.champion is not None:
        yield "champion/rank_ic", made.champion.rank_ic, 0
        yield "champion/behind", float(made.champion.behind), 0
    yield "gate/share", made.share, 0
    yield "gate/admitted", float(made.admitted), 0
    yield "gate/stale", float(made.stale), 0
    for step, spent in record.seconds.items():
        yield f"seconds/{step}", float(spent), 0


def write_retraining(record: Retraining, folder: Path) -> None:
    """The decision, the configuration, and each challenger's findings as files in ``folder``."""
    (folder / "decision.md").write_text(markdown(record.decision), encoding="utf-8")
    (folder / "config.yaml").write_text(record.config_yaml, encoding="utf-8")
    (folder / "findings").mkdir()
    for variant, found in record.findings.items():
        write_findings(found, folder / "findings" / f"{file_name(variant)}.json")
