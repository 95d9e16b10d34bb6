"""A few injections as tests, with what the user sees; ``python -m tests.faults`` makes many."""

import re
import shutil
import time
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.faults.ground import Ground, compared, kill
from tests.faults.injections import remove_runs, wait_until
from tests.tasks.track.conftest import OTHERS_WARNINGS

pytestmark = [
    pytest.mark.slow,
    *(pytest.mark.filterwarnings(text) for text in OTHERS_WARNINGS),
]

RUNS = ("summary", "variant")
LEAN = ("attribution.samples=0", "references=[zero]")

FLAKY = """
import os, signal
from dataclasses import replace
from pathlib import Path
from foldproof.models.normalizers import VARIANTS

class Flaky(type(VARIANTS["zscore"].input)):
    def fit(self, values, member, rows):
        if Path("raises").exists() and rows.start > 100:
            raise RuntimeError("flaky in a later fold")
        if Path("dies").exists() and rows.start > 100:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().fit(values, member, rows)

flaky = replace(VARIANTS["zscore"], input=Flaky())
"""


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    """A folder with an own variant; ``right`` is the state after a run without a fault."""
    found = Ground(tmp_path_factory.mktemp("faults"))
    (found.work / "mine.py").write_text(FLAKY)
    command = found.run("compare", *SETTINGS, "compute.workers=1")
    assert command.process.returncode == 0, command.output
    found.save("right")
    return found


SETTINGS = (*LEAN, "variants=[none, mine:flaky]")


def tags(ground: Ground) -> dict[str, dict[str, str]]:
    """Tags of the active runs, by variant."""
    client = MlflowClient(f"sqlite:///{ground.work}/.foldproof/mlflow.db")
    (experiment,) = client.search_experiments(filter_string="name = 'foldproof'")
    found = client.search_runs([experiment.experiment_id])
    named = {run.data.tags.get("variant", "summary"): dict(run.data.tags) for run in found}
    assert len(named) == len(found)
    return named


@pytest.mark.parametrize(
    ("fault", "workers", "reason"),
    [
        ("raises", 1, "RuntimeError: flaky in a later fold"),
        ("dies", 2, "a worker died (killed, or out of memory) twice with train mine:flaky fold 1"),
    ],
)
def test_a_failed_unit_is_left_out_and_made_up_for(
    fault: str, workers: int, reason: str, ground: Ground
) -> None:
    ground.restore("right")
    expected = ground.results(RUNS)
    results = ground.work / ".foldproof" / "results"
    for file in results.glob("train-mine*-f1-*"):
        file.unlink()
    assert len(list(results.glob("train-*"))) == 3
    for file in results.glob("*-mine*"):
        if not file.name.startswith("train-"):
            file.unlink()
    kept = {file.name: file.stat().st_mtime_ns for file in results.glob("train-*")}
    remove_runs(ground)
    (ground.work / fault).touch()
    try:
        command = ground.run("compare", *SETTINGS, f"compute.workers={workers}")
    finally:
        (ground.work / fault).unlink()
    assert command.process.returncode == 3, command.output
    assert "Traceback" not in command.output
    last = command.output.strip().splitlines()[-1]
    assert last == (
        f"finished in part: left out: mine:flaky (fold 1 seed 0: {reason}); the same command again "
        "tries only these"
    )
    found = tags(ground)
    assert set(found) == {"none", "summary"}
    assert found["summary"]["missing"] == f"mine:flaky: fold 1 seed 0: {reason}"
    (file,) = re.findall(r"^Report: (.*)$", command.output, re.MULTILINE)
    assert "Left out, because parts failed" in Path(file).read_text()
    again = ground.run("compare", *SETTINGS, f"compute.workers={workers}")
    assert again.process.returncode == 0, again.output
    assert compared(ground.results(RUNS), expected) == (0, 0, 0)
    assert "missing" not in tags(ground)["summary"]
    now = {file.name: file.stat().st_mtime_ns for file in results.glob("train-*")}
    assert kept.items() <= now.items(), "trained again"


def test_a_failed_unit_of_the_base_leaves_nothing_to_compare(ground: Ground) -> None:
    ground.restore("new")
    (ground.work / "raises").touch()
    try:
        command = ground.run(
            "compare", *LEAN, "variants=[mine:flaky]", "statistics.reference=mine:flaky",
            "compute.workers=1",
        )  # fmt: skip
    finally:
        (ground.work / "raises").unlink()
    assert command.process.returncode == 2
    assert "Traceback" not in command.output
    assert "nothing to decide. The same command again runs only these parts" in command.output


def test_a_killed_worker_costs_nothing(ground: Ground) -> None:
    ground.restore("right")
    expected = ground.results(RUNS)
    ground.restore("new")
    command = ground.start("compare", *SETTINGS, "compute.workers=2")
    wait_until(lambda: command.victims("worker"), command)
    time.sleep(3)
    assert kill(command.victims("worker")[-1])
    assert command.wait() == 0, command.output
    assert command.output.count("a worker died (killed, or out of memory)") == 1
    assert compared(ground.results(RUNS), expected) == (0, 0, 0)


def test_the_same_comparison_twice_at_once_in_a_new_folder(ground: Ground) -> None:
    ground.restore("right")
    expected = ground.results(RUNS)
    ground.restore("new")
    both = [ground.start("compare", *SETTINGS, "compute.workers=1") for _ in range(2)]
    assert [one.wait() for one in both] == [0, 0], "\n".join(one.output for one in both)
    said = [one.output for one in both if " is running this comparison; waiting" in one.output]
    assert len(said) == 1
    assert compared(ground.results(RUNS), expected) == (0, 0, 0)


def test_a_full_disk_is_one_sentence_and_the_command_resumes(ground: Ground) -> None:
    ground.restore("right")
    expected = ground.results(RUNS)
    ground.restore("new")
    command = ground.start("compare", *SETTINGS, "compute.workers=1", limit=300_000)
    assert command.wait() == 2, command.output
    assert "Traceback" not in command.output
    # SQLite reports a file that may not grow as an input or output error
    assert " is full: make room" in command.output or "disk I/O error" in command.output
    shutil.rmtree(ground.work / ".foldproof" / "prefect", ignore_errors=True)
    again = ground.run("compare", *SETTINGS, "compute.workers=1")
    assert again.process.returncode == 0, again.output
    assert compared(ground.results(RUNS), expected) == (0, 0, 0)
