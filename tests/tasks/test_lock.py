"""A lock is held by one process at a time and does not survive its process."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from foldproof.tasks.lock import HeldError, locked

HOLD = """
import sys, time
from pathlib import Path
from foldproof.tasks.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def other_process(path: Path) -> subprocess.Popen[str]:
    """A process that holds the lock until it is killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_held_lock_names_the_process_that_holds_it(tmp_path: Path) -> None:
    other = other_process(tmp_path / "lock")
    try:
        with pytest.raises(HeldError) as error, locked(tmp_path / "lock"):
            pass
        assert error.value.process == str(other.pid)
    finally:
        other.kill()
        other.communicate()


def test_waiting_says_so_once_and_a_killed_process_leaves_no_lock(tmp_path: Path) -> None:
    other, said = other_process(tmp_path / "lock"), []
    timer = threading.Timer(0.7, other.kill)
    timer.start()
    with locked(tmp_path / "lock", said.append):
        assert other.wait(10) == -9
    other.communicate()
    assert said == [str(other.pid)]


def test_a_lock_is_free_after_the_block_and_after_an_error(tmp_path: Path) -> None:
    path = tmp_path / "new" / "lock"
    with pytest.raises(ValueError, match="mine"), locked(path):
        raise ValueError("mine")
    with locked(path):
        assert path.with_name("lock.pid").read_text() == str(os.getpid())


def test_threads_of_one_process_exclude_each_other(tmp_path: Path) -> None:
    inside, most = [], []

    def work() -> None:
        with locked(tmp_path / "lock", lambda _: None):
            inside.append(1)
            most.append(len(inside))
            inside.pop()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 8
