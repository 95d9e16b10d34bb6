"""One injection of each kind of fault: what is done, and what the results look like afterwards."""

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from queue import Queue
from typing import Any

from mlflow import MlflowClient

from foldproof.flows.paths import RESULTS
from tests.faults.ground import KINDS, Command, Ground, compared, kill
from tests.flows.served import free_port

FAULTS = ("kills", "outages", "disks", "pairs")
"""What can be injected: the methods of an Injector."""
VICTIMS = ("parent", "worker", "server")
KILLED = ("compare", "audit", "retrain", "score", "sync")
PAIRS = (
    ("compare", "compare", "new"), ("compare", "audit", "new"), ("compare", "compare", "compared"),
    ("retrain", "retrain", "compared"), ("score", "score", "retrained"),
    ("score", "retrain", "retrained"), ("sync", "sync", "kept"), ("sync", "compare", "kept"),
)  # fmt: skip
"""Two commands, and the state in which they start."""
BEFORE = {
    "compare": "begun", "audit": "compared", "retrain": "compared", "score": "retrained",
    "sync": "kept",
}  # fmt: skip
"""The state in which a command is interrupted; every fourth comparison starts in a new folder."""
TWO = ("compute.workers=2",)
OUTAGES = ("database for a while", "database for good", "server for a while", "server for good",
           "server slow")  # fmt: skip
STEPS = (("compare", "compared"), ("retrain", "retrained"), ("score", "scored"),
         ("audit", "finished"))  # fmt: skip
"""Commands without a fault, one after the other, and the states in which they leave the folder."""
SECONDS = "seconds.json"
AGAIN = 4
"""Times that a command is repeated until it ends well."""
MISSES = 3
"""Times that a kill is tried whose command has ended before it."""


@dataclass
class Outcome:
    """What came of an injection.

    Attributes:
        fault: What was injected.
        injected: Whether it hit a running command.
        lost: Runs that are missing at the end.
        doubled: Runs that are there twice, or that nobody expects.
        wrong: Runs whose content differs from the uninterrupted one.
        traces: Tracebacks on the screen.
        left: Processes that outlived their command.
        hung: Commands that did not end.
        seconds: From the fault to the right result.
        detail: Exit statuses and moments.
    """

    fault: str
    injected: bool
    lost: int
    doubled: int
    wrong: int
    traces: int
    left: int
    hung: int
    seconds: float
    detail: str


class Injector:
    """Injects faults on a ground whose states are prepared and whose right results are known."""

    def __init__(self, ground: Ground, say: Callable[[str], object] = print) -> None:
        self.ground, self.say = ground, say
        self.expected: dict[str, Any] = {}
        self.wall: dict[str, float] = {}

    def prepare(self) -> None:
        """Run every command once without a fault, and keep the states and the seconds.

        It goes on where it stopped.
        """
        ground, before = self.ground, "new"
        for name, state in STEPS:
            if not ground.has(state):
                ground.restore(before)
                self.timed(name)
                ground.save(state)
            before = state
        if not ground.has("kept"):
            ground.restore("compared")
            remove_runs(ground)
            command = ground.start("compare", "tracking.patience=0")
            with self.locked_when_trained(command):
                status = command.wait()
            assert status == 3, (status, command.output)
            ground.save("kept")
        if not ground.has("begun"):
            ground.restore("new")
            command = ground.start("compare")
            wait_until(lambda: "folds, tested" in command.output, command)
            command.kill_all()
            command.wait()
            shutil.rmtree(ground.work / RESULTS, ignore_errors=True)  # of units that were fast
            ground.save("begun")  # both databases, and nothing in them
        self.wall = json.loads((ground.place / SECONDS).read_text())
        ground.restore("finished")
        for name, kinds in KINDS.items():
            self.expected[name] = ground.results(kinds)
        self.expected["registry"] = ground.registry()

    def timed(self, name: str) -> None:
        """Run a command that must end well, and note its seconds."""
        start = time.monotonic()
        command = self.ground.run(name)
        assert command.process.returncode == 0, (command.process.returncode, command.output)
        file = self.ground.place / SECONDS
        wall = json.loads(file.read_text()) if file.exists() else {}
        self.wall = wall | {name: time.monotonic() - start}
        file.write_text(json.dumps(self.wall))
        self.say(f"{name}: {self.wall[name]:.0f} s without a fault")

    @contextmanager
    def locked_when_trained(self, command: Command) -> Iterator[Command]:
        """Lock the embedded database from the end of the training to the end of the block."""
        wait_until(lambda: command.output.count("leak audit ") >= 2, command)
        with closing(sqlite3.connect(self.ground.work / ".foldproof" / "mlflow.db")) as database:
            database.execute("begin exclusive")
            yield command

    def kills(self, rng: random.Random) -> Outcome:
        """Kill -9 of the command, a worker or the embedded server, at a random moment."""
        name, kind = rng.choice(KILLED), rng.choice(VICTIMS)
        if name in ("score", "sync"):
            kind = "parent"  # the only process
        state = "new" if name == "compare" and not rng.randrange(4) else BEFORE[name]
        settings = TWO if kind == "worker" else ()
        moment = rng.uniform(0.05, 0.95) * self.wall.get(name, 10.0)
        for _ in range(MISSES):
            self.ground.restore(state)
            command = self.ground.start(name, *settings)
            if killed := self.killed(command, kind, moment, rng):
                break
            moment /= 2
        return self.judged(
            f"kill -9 {kind}, {name}", killed, [command], name, f"{state}, at {moment:.1f} s",
            settings=settings,
        )  # fmt: skip

    def killed(self, command: Command, kind: str, moment: float, rng: random.Random) -> bool:
        """Kill a process of a command after ``moment`` seconds, or as soon as there is one."""
        killed, end = False, time.monotonic() + moment
        while time.monotonic() < end and command.process.poll() is None:
            time.sleep(0.1)
        while command.process.poll() is None and not killed:
            victims = command.victims(kind)
            killed = bool(victims) and kill(rng.choice(victims))
            time.sleep(0.05)
        return killed

    def outages(self, rng: random.Random) -> Outcome:
        """The tracking store goes away while a comparison is logged."""
        kind = rng.choice(OUTAGES)
        if kind.startswith("database"):
            return self.database(kind, rng)
        return self.server(kind, rng)

    def database(self, kind: str, rng: random.Random) -> Outcome:
        """The embedded database is locked by another program."""
        self.ground.restore("compared")
        remove_runs(self.ground)
        good = kind.endswith("good")
        command = self.ground.start("compare", f"tracking.patience={2 if good else 60}")
        with self.locked_when_trained(command):
            if good:
                command.wait()
            else:
                time.sleep(rng.uniform(15, 40))
        name = "sync" if good else "compare"
        return self.judged(f"tracking {kind}", True, [command], name, "", 3 if good else 0)

    def server(self, kind: str, rng: random.Random) -> Outcome:
        """A tracking server is killed, for a while or until the command has ended, or stopped."""
        self.ground.restore("compared")
        experiment = f"x{time.time_ns()}"
        settings = (f"tracking.experiment={experiment}",
                    f"tracking.patience={3 if kind.endswith('good') else 90}")  # fmt: skip
        with TrackingServer(self.ground.place / "server") as server:
            there = {"MLFLOW_TRACKING_URI": server.uri}
            command = self.ground.start("compare", *settings, **there)
            client = MlflowClient(server.uri)
            wait_until(lambda: server.runs(client, experiment), command)
            time.sleep(rng.uniform(0, 3))
            hit = command.process.poll() is None
            if kind == "server slow":
                server.signal(signal.SIGSTOP)
                time.sleep(rng.uniform(5, 20))
                server.signal(signal.SIGCONT)
            else:
                server.stop()
                if kind.endswith("while"):
                    time.sleep(rng.uniform(1, 10))
                else:
                    command.wait()
                server.start()
            name = "sync" if kind.endswith("good") else "compare"
            return self.judged(
                f"tracking {kind}", hit, [command], name, "", 3 if name == "sync" else 0,
                settings if name == "compare" else (), there, server.uri, experiment,
            )  # fmt: skip

    def disks(self, rng: random.Random) -> Outcome:
        """A disk that is full at a random moment of a comparison, and then has room."""
        self.ground.restore("new")
        place = self.ground.work / ".foldproof"
        if can_mount():
            size = rng.randint(1_500, 9_000)
            place.mkdir(exist_ok=True)
            mount(place, f"size={size}k")
            try:
                command = self.ground.run("compare")
                mount(place, "remount,size=1g")
                return self.judged("full disk", True, [command], "compare", f"{size} kB")
            finally:
                subprocess.run(["umount", "-l", str(place)], check=True)
        limit = rng.randint(50_000, 1_500_000)
        command = self.ground.start("compare", limit=limit)
        command.wait()
        return self.judged("file size limit", True, [command], "compare", f"{limit} bytes")

    def pairs(self, rng: random.Random) -> Outcome:
        """Two commands at once."""
        first, second, state = rng.choice(PAIRS)
        self.ground.restore(state)
        if state == "compared" and first == "compare":
            remove_runs(self.ground)
        commands = [self.ground.start(first)]
        time.sleep(rng.choice((0, rng.uniform(0, 20))))
        commands.append(self.ground.start(second))
        for one in commands:
            one.wait(1200)
        bad = sum(one.process.returncode != 0 for one in commands)
        outcome = self.judged(f"{first} and {second}, {state}", True, commands, first, "")
        if second != first and KINDS[second] != KINDS[first]:
            more = compared(self.ground.results(KINDS[second]), self.expected[second])
            outcome.lost, outcome.doubled, outcome.wrong = (
                one + other
                for one, other in zip(
                    (outcome.lost, outcome.doubled, outcome.wrong), more, strict=True
                )
            )
        outcome.wrong += bad  # both must end well
        return outcome

    def judged(
        self,
        fault: str,
        hit: bool,
        commands: list[Command],
        name: str,
        detail: str,
        right: int = 0,
        settings: tuple[str, ...] = (),
        environment: Mapping[str, str] = {},  # only read
        uri: str = "",
        experiment: str = "foldproof",
    ) -> Outcome:
        """Repeat the command until it ends well, and compare its results with the right ones."""
        start = time.monotonic()
        statuses = [one.wait() for one in commands]
        left = self.left()
        if name == "sync" or any(statuses) or not hit:
            for _ in range(AGAIN):
                again = self.ground.run(name, *settings, **environment)
                commands = [*commands, again]
                statuses.append(again.process.returncode)
                if again.process.returncode == 0:
                    break
        seconds = time.monotonic() - start
        found = self.ground.results(KINDS[name], uri, experiment)
        lost, doubled, wrong = compared(found, self.expected[name])
        if name == "retrain" and self.ground.registry() != self.expected["registry"]:
            wrong += 1
        if right and statuses[0] != right:
            wrong += 1
        traces = sum(one.output.count("Traceback (most") for one in commands)
        hung = sum(one.hung for one in commands)
        wrong += statuses[-1] != 0
        logs = ", ".join(one.log.name for one in commands)
        detail = f"{detail} rc {statuses} {logs}".strip()
        return Outcome(fault, hit, lost, doubled, wrong, traces, left, hung, seconds, detail)

    def left(self) -> int:
        """Processes that are still there 15 seconds after their command; then they are killed."""
        end = time.monotonic() + 15
        while self.ground.processes() and time.monotonic() < end:
            time.sleep(0.2)
        return sum(kill(pid) for pid in self.ground.processes())


class TrackingServer:
    """An MLflow tracking server in its own folder, which can be stopped and started again."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.port = folder, free_port()
        self.uri = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> "TrackingServer":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it and wait until it answers."""
        backend = f"sqlite:///{self.folder}/server.db"
        with (self.folder / "server.log").open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", backend,
                 "--artifacts-destination", str(self.folder / "artifacts"), "--host", "127.0.0.1",
                 "--port", str(self.port), "--workers", "1"],
                env=os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
                cwd=self.folder, stdout=out, stderr=out, start_new_session=True,
            )  # fmt: skip
        end = time.monotonic() + 300
        while not self.answers():
            assert time.monotonic() < end, (self.folder / "server.log").read_text()[-2000:]
            time.sleep(0.3)

    def answers(self) -> bool:
        """Whether it answers."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()

    def signal(self, number: int) -> None:
        """Send a signal to all its processes."""
        os.killpg(self.process.pid, number)

    def stop(self) -> None:
        """Kill it."""
        with suppress(ProcessLookupError):
            self.signal(signal.SIGKILL)
        self.process.wait()

    def runs(self, client: MlflowClient, experiment: str) -> bool:
        """Whether the experiment has a run."""
        found = client.get_experiment_by_name(experiment)
        return bool(found and client.search_runs([found.experiment_id], max_results=1))


def remove_runs(ground: Ground) -> None:
    """Delete the runs of the embedded store: all units are trained, nothing is logged."""
    client = MlflowClient(f"sqlite:///{ground.work}/.foldproof/mlflow.db")
    experiment = client.get_experiment_by_name("foldproof")
    for run in client.search_runs([experiment.experiment_id]) if experiment else []:
        client.delete_run(run.info.run_id)


def wait_until(holds: Callable[[], Any], command: Command, seconds: float = 900) -> None:
    """Wait until something holds or the command has ended."""
    end = time.monotonic() + seconds
    while command.process.poll() is None and time.monotonic() < end and not holds():
        time.sleep(0.2)


def can_mount() -> bool:
    """Whether this process may mount a small disk in memory."""
    return os.geteuid() == 0 and sys.platform == "linux"


def mount(place: Path, options: str) -> None:
    """Mount a disk in memory, or change its size."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], check=True)


def inject(place: Path, seed: int, jobs: "Queue[tuple[str, int] | None]", file: Path) -> None:
    """Take jobs until there are none, and append what came of each to ``file``."""
    injector = Injector(Ground(place))
    injector.prepare()
    while job := jobs.get():
        fault, number = job
        outcome = getattr(injector, fault)(random.Random(f"{fault} {number} {seed}"))
        line = json.dumps({"set": fault, "number": number, "seed": seed, **asdict(outcome)})
        with file.open("a", encoding="utf-8") as out:
            out.write(line + "\n")
        print(line, flush=True)
