"""Help and messages of the commands before anything starts."""

import re
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer
import typer.main
from typer.testing import CliRunner

from foldproof.conf.load import PRESETS
from foldproof.flows.cli import app
from foldproof.flows.commands.shell import interrupted, require_platform
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


@pytest.mark.slow
def test_deployments_need_the_address_of_a_server(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    command = [sys.executable, "-m", "foldproof.flows", "deploy"]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: set PREFECT_API_URL")


@pytest.mark.slow
def test_a_wrong_variable_of_prefect_gets_one_message(tmp_path: Path) -> None:
    """Prefect prints pages about it wherever it is imported first."""
    command = [sys.executable, "-m", "foldproof.flows", "list"]
    done = subprocess.run(
        command, env=environment(PREFECT_SERVER_API_PORT=""), cwd=tmp_path, capture_output=True,
        text=True,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: the environment variable PREFECT_SERVER_API_PORT is '': ")


def test_one_version_can_be_champion() -> None:
    done = CliRunner().invoke(app, ["rollback", "nightly", "3", "4"])
    assert done.exit_code == 2
    assert "give one version to return to, not 2: 3, 4" in done.stderr


def test_claims_and_benchmark_are_not_mixed() -> None:
    done = CliRunner().invoke(app, ["audit", "--variants", "--benchmark"])
    assert done.exit_code == 2
    assert "--variants goes with --quick only" in done.stderr


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


@pytest.mark.parametrize("name", ["a?b", "a%25b", "a\tb"])
def test_a_folder_that_no_database_address_can_name_is_reported(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / name)
    done = CliRunner().invoke(app, ["compare", "quick"])
    assert done.exit_code == 2
    assert "the name of this folder contains" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.rglob("*")) == [tmp_path / name], "nothing was written beside the folder"


def test_an_encoding_that_cannot_write_every_name_is_reported(tmp_path: Path) -> None:
    folder = tmp_path / "动量 # &"
    folder.mkdir()
    bare = environment() | {"LC_ALL": "C", "PYTHONUTF8": "0"}
    command = [sys.executable, "-m", "foldproof.flows", "compare", "nowhere"]
    done = subprocess.run(command, cwd=folder, env=bare, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("error: this shell makes Python write file names and text as")
    assert done.stderr.strip().endswith("export PYTHONUTF8=1")
    mended = bare | {"PYTHONUTF8": "1"}
    done = subprocess.run(command, cwd=folder, env=mended, capture_output=True, text=True)
    assert (done.returncode, "no such file or preset" in done.stderr) == (2, True)
    assert (folder / ".foldproof").stat().st_mode & 0o777 == 0o700


def test_windows_is_told_where_it_runs(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setattr("foldproof.flows.commands.shell.os", SimpleNamespace(name="nt"))
    with pytest.raises(typer.Exit):
        require_platform()
    assert capsys.readouterr().err == (
        "error: Foldproof runs on Linux and macOS; on Windows, run it in WSL 2\n"
    )


def test_a_traceback_shows_no_values_of_variables() -> None:
    assert app.pretty_exceptions_show_locals is False


ENDS = """
import atexit, sys
from foldproof.flows import cli

class Torn:
    def __del__(self):
        print("torn down")

torn = Torn()
atexit.register(print, "exit functions ran")
sys.argv = ["foldproof", *{arguments}]
{before}
cli.main()
"""


@pytest.mark.parametrize(
    ("arguments", "before", "status"),
    [
        (["--help"], "", 0),
        (["no-such-command"], "", 2),
        (["--help"], "cli.app = lambda: sys.exit('text')", 1),
        (["--help"], "cli.app = lambda: sys.exit(3)", 3),
    ],
)
def test_the_command_ends_without_tearing_down_the_interpreter(
    arguments: list[str], before: str, status: int
) -> None:
    """The teardown aborted now and then, after a command had done all its work."""
    code = ENDS.format(arguments=arguments, before=before)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == status, done.stderr
    assert done.stdout.endswith("exit functions ran\n")
    assert "torn down" not in done.stdout
