"""The plan of a study as it was registered before the run, and which part of it is run."""

import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foldproof.conf.panel_study import PanelStudy
from foldproof.models.spec import clipped
from foldproof.tasks.track.process import last_commit_of

WHERE = ("tracking", "compute")
"""Sections that say where a study runs, not what it is."""


@dataclass(frozen=True)
class Registration:
    """Which plan a study follows.

    Attributes:
        file: Name of the plan's file.
        content: SHA-256 of the file.
        commit: The last commit that changed the file; empty if there is none.
        committed: Whether the file still is as committed.
        parts: What this run leaves out or changes of the plan, one sentence part each.
    """

    file: str
    content: str
    commit: str
    committed: bool
    parts: tuple[str, ...]

    def sentence(self, missing: Collection[str] = ()) -> str:
        """The plan, its commit, and which part was run.

        Args:
            missing: What failed or cannot be read here: a panel, or ``panel: variant``.
        """
        if self.committed:
            state = f"The plan is {self.file}, last changed by commit {self.commit[:12]}."
        elif self.commit:
            state = (
                f"The plan {self.file} differs from its last commit ({self.commit[:12]}): this run "
                "is not registered."
            )
        else:
            state = f"The plan {self.file} is not committed to Git: this run is not registered."
        parts = [*self.parts]
        if missing:
            lost = (name.partition(": ") for name in missing)
            named = [f"{variant} on {panel}" if variant else panel for panel, _, variant in lost]
            parts.append(f"missing: {', '.join(named)}")
        return state + (f" Run in part: {'; '.join(parts)}." if parts else " All of it was run.")


@dataclass(frozen=True)
class Planned:
    """A study and the plan that it follows."""

    study: PanelStudy
    plan: Registration


def registration(file: Path, plan: PanelStudy, study: PanelStudy) -> Registration:
    """Which plan is in ``file``, and how ``study`` differs from it."""
    commit, committed = last_commit_of(file)
    before, after = (one.model_dump(mode="json", exclude={*WHERE}) for one in (plan, study))
    content = hashlib.sha256(file.read_bytes()).hexdigest()
    return Registration(file.name, content, commit, committed, tuple(differences(before, after)))


def differences(plan: Mapping[str, Any], run: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """What ``run`` leaves out or changes, by dotted name."""
    for key in dict.fromkeys((*plan, *run)):
        name, before, after = f"{prefix}{key}", plan.get(key), run.get(key)
        if before == after:
            continue
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            yield from differences(before, after, f"{name}.")
        elif isinstance(before, list) and isinstance(after, list) and subset(after, before):
            yield f"{len(after)} of {len(before)} {name} ({', '.join(map(str, after))})"
        else:
            yield f"{name} is {clipped(after, 60)}, planned {clipped(before, 60)}"


def subset(part: list[Any], whole: list[Any]) -> bool:
    """Whether ``part`` has entries, all of which are in ``whole``."""
    return bool(part) and all(one in whole for one in part)
