"""A worker process ends with its parent, and imports no more than its tasks need."""

import signal
import subprocess
import sys
import textwrap
import threading
import time
from concurrent.futures import ProcessPoolExecutor, wait
from multiprocessing import active_children, get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import NamedTuple

import cloudpickle
import pytest
from prefect import Flow
from prefect.context import FlowRunContext, serialize_context
from prefect.results import ResultStore

from foldproof.flows.processes.workers import Started, Workers, flow_by_name, restart_workers

SCRIPT = """
import multiprocessing, os, subprocess, sys, time
from pathlib import Path

def late_worker(parent, note):
    while os.getppid() == parent:  # such as during the seconds of imports
        time.sleep(0.01)
    work(note)

def work(note):
    from foldproof.flows.processes.workers import end_with_parent
    Path(note).write_text(str(os.getpid()))  # before it may end
    end_with_parent()
    Path(note + " watches").touch()
    time.sleep(60)

if __name__ == "__main__":
    when, note = sys.argv[1:]
    if when == "work":
        work(note)
    if when == "not by multiprocessing":
        subprocess.Popen([sys.executable, __file__, "work", note])
        print("started", flush=True)
        time.sleep(60)
    target, given = {"late": (late_worker, (os.getpid(), note)), "early": (work, (note,))}[when]
    multiprocessing.get_context("spawn").Process(target=target, args=given).start()
    print("started", flush=True)
    time.sleep(60)
"""


@pytest.mark.slow
@pytest.mark.parametrize("when", ["early", "late", "not by multiprocessing"])
def test_a_worker_ends_whether_its_parent_is_killed_before_or_after_its_start(
    when: str, tmp_path: Path
) -> None:
    script, note = tmp_path / "script.py", tmp_path / "note"
    script.write_text(SCRIPT)
    command = [sys.executable, str(script), when, str(note)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "started\n"
        if when == "late":
            time.sleep(1)
        else:
            wait_until(Path(f"{note} watches").exists)
        parent.send_signal(signal.SIGKILL)
    wait_until(note.exists)
    worker = int(wait_until(note.read_text))
    wait_until(lambda: not runs(worker))


def test_a_worker_imports_nothing_of_the_flow_but_knows_its_name() -> None:
    flow = Flow(textwrap.dedent, name="compare", version="3")
    context = FlowRunContext.model_construct(
        flow=flow, task_runner=Workers(), result_store=ResultStore(), client=None
    )
    with context:
        assert b"textwrap" in cloudpickle.dumps(serialize_context())
        with flow_by_name():
            sent = cloudpickle.dumps(serialize_context())
        assert FlowRunContext.get() is context
    assert b"textwrap" not in sent
    found = cloudpickle.loads(sent)["flow_run_context"]["flow"]
    assert (found.name, found.version) == ("compare", "3")


class Left(NamedTuple):
    """A broken pool that waits for a worker which it does not end."""

    pool: ProcessPoolExecutor

    def __exit__(self, *_: object) -> None:
        self.pool.shutdown()


def test_a_broken_pool_does_not_wait_for_a_worker_that_it_does_not_end(monkeypatch) -> None:
    """As for one that is started while another dies: Python ends those that it knows of first."""
    monkeypatch.setattr(BaseProcess, "terminate", lambda self: None)
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        naps = [pool.submit(time.sleep, 0.5) for _ in range(2)]
        wait(naps)
        first, second = active_children()
        first.kill()
        workers = Workers()
        workers._workers = Started(Left(pool), 2)  # type: ignore[arg-type]
        monkeypatch.setattr("foldproof.flows.processes.workers.running_workers", lambda: workers)
        stopped = threading.Thread(target=restart_workers, daemon=True)
        stopped.start()
        stopped.join(30)
        hangs = stopped.is_alive()
        second.kill()
    assert not hangs


def wait_until(condition):
    """The value of ``condition`` once it is true; fails after a minute."""
    end = time.monotonic() + 60
    while not (value := condition()):
        assert time.monotonic() < end, "it did not happen within a minute"
        time.sleep(0.1)
    return value


def runs(pid: int) -> bool:
    """Whether a process with this number runs; one that ended and is not yet collected does not."""
    shown = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True)
    return shown.stdout.strip()[:1] not in ("", "Z")
