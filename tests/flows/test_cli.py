"""Help and messages of the commands before anything starts."""

import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main
from typer.testing import CliRunner

from foldproof.conf.load import PRESETS
from foldproof.flows.cli import app
from foldproof.flows.shell import interrupted
from tests.flows.served import environment

COMMANDS = [*typer.main.get_command(app).commands]


def help_of(*command: str) -> str:
    """The help text in one line, without the frames of its tables."""
    done = CliRunner().invoke(app, [*command, "--help"], env={"COLUMNS": "200"})
    assert done.exit_code == 0
    return " ".join(re.sub(r"[│╭╮╰╯─]", " ", done.stdout).split())


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_states_its_exit_statuses(name: str) -> None:
    assert name in help_of()
    assert re.search(r"Exit status .*2: (inconclusive, or )?could not run", help_of(name))


@pytest.mark.parametrize(
    ("name", "presets"),
    [
        ("compare", ("sp500", "quick", "noise", "truth")),
        ("retrain", ("nightly",)),
        ("rollback", ("nightly",)),
        ("score", ("nightly",)),
        ("monitor", ("nightly",)),
        ("serve", ("sp500", "nightly")),
    ],
)
def test_the_help_names_presets_that_fit(name: str, presets: tuple[str, ...]) -> None:
    assert all((PRESETS / f"{preset}.yaml").is_file() for preset in presets)
    assert all(preset in help_of(name) for preset in presets)
    assert ("nightly" in help_of(name)) is ("nightly" in presets)


def test_deployments_need_the_address_of_a_server(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    command = [sys.executable, "-m", "foldproof.flows", "deploy"]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: set PREFECT_API_URL")


def test_one_version_can_be_champion() -> None:
    done = CliRunner().invoke(app, ["rollback", "nightly", "3", "4"])
    assert done.exit_code == 2
    assert "give one version to return to, not 2: 3, 4" in done.stderr


def test_a_port_in_use_is_reported_with_another_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = CliRunner().invoke(app, ["ui", "--port", str(port)])
    assert done.exit_code == 2
    assert f"port {port} of 127.0.0.1 is in use" in done.stderr
    assert f"--port {port + 1}" in done.stderr


def test_a_folder_that_cannot_be_written_is_reported(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / ".foldproof").write_text("a file where the folder should be")
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["compare", "quick"])
    assert done.exit_code == 2
    assert str(tmp_path / ".foldproof") in done.stderr
    assert "use another folder" in done.stderr


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (KeyboardInterrupt(), True),
        (ValueError("Error calling function `_ser_model`: KeyboardInterrupt: "), True),
        (ValueError("too short"), False),
    ],
)
def test_an_interruption_behind_another_error_is_recognized(
    error: BaseException, expected: bool
) -> None:
    assert interrupted(error) is expected
    second = RuntimeError("while importing")
    second.__cause__ = error
    assert interrupted(second) is expected
