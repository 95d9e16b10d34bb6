"""A decided retraining: the facts to log, and the resulting state of the model registry."""

from collections.abc import Mapping
from dataclasses import dataclass

from foldproof.tasks.diagnose.findings.finding import Finding
from foldproof.tasks.operate.retraining.decision import Decision
from foldproof.tasks.train import TrainedUnit


@dataclass(frozen=True, eq=False)
class Retraining:
    """A retraining with the gate's decision, ready to be logged.

    Attributes:
        retraining_id: Hash of everything that decides it; the same retraining is one run.
        title: Title of the run.
        model: Name in the model registry.
        night: The night, such as 2020-01-31.
        decision: Decision of the gate.
        chosen: The unit to register; None where there is none.
        panel: Fingerprint of the panel.
        plan: Hash of the plan of folds.
        code_version: Version of the project's code.
        config: The resolved configuration.
        config_yaml: The same as text.
        findings: Findings of the leak audit, by challenger.
        seconds: Seconds by step.
    """

    retraining_id: str
    title: str
    model: str
    night: str
    decision: Decision
    chosen: TrainedUnit | None
    panel: str
    plan: str
    code_version: str
    config: Mapping[str, object]
    config_yaml: str
    findings: Mapping[str, tuple[Finding, ...]]
    seconds: Mapping[str, float]


@dataclass(frozen=True)
class Settled:
    """The model registry after a retraining.

    Attributes:
        retraining_id: Id of the retraining.
        run_id: Its run.
        outcome: first, promoted, renewed or kept.
        reason: Why the champion is kept; empty for a new one.
        version: The version that was registered, now or before; None where there is none.
        champion: Version of the champion afterwards; None where there is none.
        sentence: The outcome in one sentence.
        page: The decision as Markdown.
    """

    retraining_id: str
    run_id: str
    outcome: str
    reason: str
    version: str | None
    champion: str | None
    sentence: str
    page: str
