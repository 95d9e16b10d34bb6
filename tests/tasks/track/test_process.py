import getpass
import subprocess
from pathlib import Path

import pytest

from foldproof.tasks.track.process import commit_of, process_tags, user


def test_the_commit_of_a_folder_is_its_repositorys(tmp_path: Path) -> None:
    assert commit_of(tmp_path) == ""
    assert commit_of(tmp_path / "nowhere") == ""
    own = ["-c", "user.name=me", "-c", "user.email=me@example.com"]
    for command in (["init", "-q"], [*own, "commit", "-q", "--allow-empty", "-m", "first"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    (tmp_path / "below").mkdir()
    log = subprocess.run(
        ["git", "log", "--format=%H"], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    assert commit_of(tmp_path / "below") == log.stdout.strip()


def test_the_commit_of_the_working_directory_counts_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    process_tags.cache_clear()
    assert process_tags()["mlflow.user"] == user()
    assert process_tags()["mlflow.source.type"] == "LOCAL"
    process_tags.cache_clear()


def test_the_user_of_the_tracking_server_or_of_the_machine(monkeypatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_USERNAME", raising=False)
    assert user() == getpass.getuser()
    monkeypatch.setattr(getpass, "getuser", lambda: {}["no such user"])
    assert user() == "unknown"
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ada")
    assert user() == "ada"
