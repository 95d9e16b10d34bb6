"""Everything that a retraining came to: what is logged, and what the registry is told."""

from collections.abc import Mapping
from dataclasses import dataclass

from foldproof.tasks.diagnose.findings.finding import Finding
from foldproof.tasks.operate.decision import Decision
from foldproof.tasks.train import TrainedUnit


@dataclass(frozen=True, eq=False)
class Retraining:
    """A retraining that the gate has decided on.

    Attributes:
        retraining_id: Hash of all that decides it; the same retraining is one run.
        title: Of the run.
        model: Name in the model registry.
        night: As of when, 2020-01-31.
        decision: Of the gate.
        chosen: The unit that is registered; None where there is none.
        panel: Fingerprint of the panel.
        plan: Hash of the plan of folds.
        code_version: Of the project.
        config: The resolved configuration.
        config_yaml: The same as text.
        findings: Of the leak audit, by challenger.
        seconds: By step.
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
    """What became of a retraining in the model registry.

    Attributes:
        retraining_id: Of the retraining.
        run_id: Its run.
        outcome: first, promoted, renewed or kept.
        reason: Why the champion is kept; empty for a new one.
        version: The version that was registered or found again; None where nothing was.
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
