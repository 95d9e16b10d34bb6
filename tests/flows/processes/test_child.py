"""A child command ends with its parent, with every process that it started."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "flows" / "processes" / "child.py"
CHILD = "import subprocess, sys; subprocess.Popen(['sleep', '300']); print('up', flush=True); {}"


def start(code: str) -> "subprocess.Popen[str]":
    process = subprocess.Popen(
        [sys.executable, "-P", str(SCRIPT), sys.executable, "-c", code],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    return process


def alive(group: int) -> list[str]:
    """Commands of the processes in a group."""
    shown = subprocess.run(["ps", "-eo", "pgid=,stat=,args="], capture_output=True, text=True)
    rows = (line.split(maxsplit=2) for line in shown.stdout.splitlines())
    return [args for pgid, state, args in rows if int(pgid) == group and state[0] != "Z"]


@pytest.mark.parametrize(
    "code",
    [
        CHILD.format("import time; time.sleep(300)"),
        CHILD.format("import signal, time; signal.signal(15, lambda *_: None); time.sleep(2)"),
    ],
    ids=["ends at once", "needs a while"],
)
def test_the_whole_group_ends_when_the_input_closes(code):
    process = start(code)
    assert len(alive(process.pid)) == 3
    process.communicate(timeout=20)
    assert alive(process.pid) == []


def test_it_ends_when_its_parent_is_killed():
    own = "import subprocess, sys, time; p = subprocess.Popen([sys.executable, '-P', sys.argv[1], "
    own += "'sleep', '300'], stdin=subprocess.PIPE); "
    own += "print(p.pid, flush=True); time.sleep(300)"
    starter = subprocess.Popen(
        [sys.executable, "-c", own, str(SCRIPT)], stdout=subprocess.PIPE, text=True
    )
    assert starter.stdout is not None
    group = int(starter.stdout.readline())
    until = time.monotonic() + 20
    while len(alive(group)) < 2 and time.monotonic() < until:
        time.sleep(0.05)
    assert len(alive(group)) == 2
    starter.kill()
    starter.communicate()
    while alive(group) and time.monotonic() < until:
        time.sleep(0.05)
    assert alive(group) == []


def test_its_exit_status_is_that_of_the_command():
    command = [sys.executable, "-P", str(SCRIPT), sys.executable, "-c", "raise SystemExit(7)"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        assert process.wait(20) == 7
