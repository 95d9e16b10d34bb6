"""``foldproof clean``, and the lock that keeps it from running commands."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
from prefect import Flow

from foldproof.flows.commands import deployments, shell
from foldproof.flows.commands.clean import InUseError, in_use, no_command
from tests.flows.served import environment


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    old = tmp_path / ".foldproof" / "results" / "train-old"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"x" * 2_000_000)
    os.utime(old, (0, 0))
    return tmp_path / ".foldproof"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "foldproof.flows", "clean", *arguments]
    return subprocess.run(command, env=environment(), capture_output=True, text=True)


def test_clean_says_what_it_frees(home: Path) -> None:
    done = run("--older", "1w", "--dry-run")
    assert (done.returncode, done.stdout) == (
        0, "would remove 1 result (2.0 MB), unused for 1w\n",
    )  # fmt: skip
    assert (home / "results" / "train-old").exists()
    done = run()
    assert (done.returncode, done.stdout) == (0, "removed 1 result (2.0 MB), unused for 30d\n")
    assert not (home / "results" / "train-old").exists()
    assert run().stdout == "nothing was unused for 30d; nothing to remove\n"


def test_clean_waits_for_no_command_and_touches_none(home: Path) -> None:
    with in_use(), in_use():
        done = run("--older", "0h")
        with pytest.raises(InUseError), no_command():
            pass
    assert done.returncode == 2
    assert done.stderr == (
        f"error: a command is running in {home.parent}; clean when it has ended\n"
    )
    assert (home / "results" / "train-old").exists()
    assert run("--older", "0h").returncode == 0


def test_a_server_lets_clean_work_between_its_runs(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shell, "prepare", lambda verbose: None)
    monkeypatch.setattr(deployments, "get_run_logger", logging.getLogger)

    def runs() -> None:
        with pytest.raises(InUseError), no_command():
            pass

    with shell.command(verbose=False, left="", serves=True):
        deployments.deployed(Flow(runs)).fn()
        with no_command():
            pass
    with shell.command(verbose=False, left=""):
        runs()


def test_a_span_that_cannot_be_read_is_reported(home: Path) -> None:
    done = run("--older", "soon")
    assert (done.returncode, done.stderr) == (
        2, "error: 'soon' is not a span of time; write it as 12h, 30d or 2w\n",
    )  # fmt: skip
