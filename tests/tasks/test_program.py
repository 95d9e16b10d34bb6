"""Commands that are printed for the user run as printed."""

import subprocess
import sys
from pathlib import Path

import pytest

from foldproof.tasks.program import program, runnable


@pytest.fixture
def environment(tmp_path: Path, monkeypatch) -> Path:
    """An environment below the working directory with a script ``tool``."""
    scripts = tmp_path / "my env" / "bin"
    scripts.mkdir(parents=True)
    (scripts / "tool").write_text("#!/bin/sh\necho it runs\n")
    (scripts / "tool").chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(scripts / "python"))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.chdir(tmp_path)
    return scripts


def test_a_script_outside_the_path_is_named_by_its_place(environment: Path) -> None:
    assert program("tool", "tool") == "'my env/bin/tool'"
    done = subprocess.run(program("tool", "tool"), shell=True, capture_output=True, text=True)
    assert done.stdout == "it runs\n"


def test_in_another_folder_the_place_is_absolute(
    environment: Path, monkeypatch, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert program("tool", "tool") == f"'{environment}/tool'"


def test_in_an_activated_environment_the_name_suffices(environment: Path, monkeypatch) -> None:
    monkeypatch.setenv("PATH", f"{environment}:/usr/bin:/bin")
    assert program("tool", "tool") == "tool"


def test_another_environments_script_of_that_name_is_not_taken(
    environment: Path, monkeypatch, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (environment / "tool").rename(other / "tool")
    monkeypatch.setenv("PATH", f"{other}:/usr/bin:/bin")
    assert program("tool", "tool.cli") == f"'{sys.executable}' -m tool.cli"


def test_a_message_names_its_commands_as_they_run(environment: Path) -> None:
    (environment / "tool").rename(environment / "foldproof")
    message = "there is none: run foldproof compare quick. The model foldproof runs foldproof well"
    shown = runnable(message)
    assert shown == message.replace("run foldproof", "run 'my env/bin/foldproof'", 1)
    command = shown.split(": run ")[1].split(". The")[0]
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    assert done.stdout == "it runs\n"


def test_pip_in_a_message_is_that_of_the_environment(environment: Path) -> None:
    shown = runnable("not installed: run pip install 'foldproof[duckdb]'")
    assert shown.endswith(f"run '{sys.executable}' -m pip install 'foldproof[duckdb]'")
