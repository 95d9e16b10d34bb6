"""The tags by which MLflow names the user, the program and the commit of a run.

MLflow's fluent interface sets them, its client does not.
"""

import getpass
import os
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

from foldproof.tasks.version import ROOT


@cache
def process_tags() -> Mapping[str, str]:
    """User, program, and the Git commit of the working directory, or else of a source checkout."""
    checkout = [ROOT] if (ROOT / ".git").exists() else []
    commits = (commit_of(folder) for folder in (Path.cwd(), *checkout))
    commit = next(filter(None, commits), "")
    program = {"mlflow.source.type": "LOCAL", "mlflow.source.name": Path(sys.argv[0]).name}
    found = {"mlflow.user": user(), **program}
    return MappingProxyType(found | ({"mlflow.source.git.commit": commit} if commit else {}))


def user() -> str:
    """The name at the tracking server, or else on this machine."""
    try:
        return os.environ.get("MLFLOW_TRACKING_USERNAME") or getpass.getuser()
    except (ImportError, KeyError, OSError):  # a container's user may have no name
        return "unknown"


def commit_of(folder: Path) -> str:
    """The commit that is checked out in ``folder``; empty outside a repository or without Git."""
    return git(folder, "rev-parse", "--verify", "--quiet", "HEAD") or ""


def last_commit_of(file: Path) -> tuple[str, bool]:
    """The last commit that changed a file, and whether the file still is as committed.

    The commit is empty for a file that is in no repository or was never committed.
    """
    place = file.resolve()
    commit = git(place.parent, "log", "-1", "--format=%H", "--", place.name) or ""
    changed = git(place.parent, "status", "--porcelain", "--", place.name)
    return commit, bool(commit) and changed == ""


def git(folder: Path, *arguments: str) -> str | None:
    """What Git prints in ``folder``, without surrounding blanks; None if it fails."""
    command = ["git", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
