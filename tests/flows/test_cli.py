"""Help and messages of the commands before anything starts."""

import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner

from foldproof.flows.cli import app
from foldproof.flows.shell import interrupted


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
