"""Functions that run in parallel processes, and processes that die."""

import os
import signal
import time
from pathlib import Path

import pytest
import typer

from foldproof.flows.processes.side_by_side import side_by_side


def named(name: str, number: int) -> str:
    """Dies the first time if ``name`` is a file that does not exist, always if it is empty."""
    if not name or not Path(name).exists():
        time.sleep(0.5 * bool(name))  # others finish meanwhile
        if name:
            Path(name).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return f"{Path(name).name} {number}"


@pytest.mark.slow
def test_what_a_dead_process_left_runs_again(tmp_path: Path) -> None:
    ready, dying = tmp_path / "ready", tmp_path / "dying"
    ready.touch()
    calls = [(str(ready), 1), (str(dying), 2), (str(ready), 3)]
    assert sorted(side_by_side(named, calls)) == ["dying 2", "ready 1", "ready 3"]


@pytest.mark.slow
def test_processes_that_always_die_end_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended:
        list(side_by_side(named, [("", 1), ("", 2)]))
    assert ended.value.exit_code == 2
    said = capsys.readouterr().err
    assert said.startswith("error: worker processes died (killed, or out of memory) with 2 of the ")


def failing(name: str, number: int) -> None:
    raise ValueError(f"{name} {number}")


def test_an_error_of_the_function_is_raised() -> None:
    with pytest.raises(ValueError, match="a 1"):
        list(side_by_side(failing, [("a", 1)]))
