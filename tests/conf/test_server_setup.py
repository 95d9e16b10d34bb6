"""The servers of ``conf/server/run`` on PostgreSQL, and the same flow from two workers at once."""

import os
import re
import shlex
import subprocess
import sys
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest
import yaml
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from foldproof.conf.load import load
from foldproof.tasks.track.server.password_server import PASSWORD
from tests.flows.served import ROOT, SMALL, Api, environment, free_port, running, until
from tests.tasks.track.conftest import OTHERS_WARNINGS

pytestmark = [pytest.mark.filterwarnings(text) for text in OTHERS_WARNINGS]

RUN = str(ROOT / "conf" / "server" / "run")
BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))


def test_the_compose_file_describes_the_same_servers():
    """Read as YAML only: tests need no container engine. See the next tests too."""
    services = yaml.safe_load((ROOT / "conf" / "server" / "compose.yaml").read_text())["services"]
    assert list(services) == ["postgres", "mlflow", "prefect"]
    for name in ("mlflow", "prefect"):
        assert all(port.startswith("127.0.0.1:") for port in services[name]["ports"])
        assert services[name]["depends_on"]["postgres"]["condition"] == "service_healthy"
        # Nothing answers while packages are installed, and as process 1 a shell ignores SIGTERM.
        port = services[name]["ports"][0].rpartition(":")[2]
        assert f"http://127.0.0.1:{port}/" in services[name]["healthcheck"]["test"][-1]
        assert services[name]["init"]
    # While its databases are made, PostgreSQL answers on its socket, and then it starts again.
    assert "--host=127.0.0.1" in services["postgres"]["healthcheck"]["test"]


@pytest.mark.parametrize("name", ["postgres", "mlflow", "prefect"])
def test_what_a_container_names_is_there(name: str) -> None:
    """Each file and volume that it mounts, each file that its command reads, each package."""
    place = ROOT / "conf" / "server"
    text = (place / "compose.yaml").read_text()
    described = yaml.safe_load(text)
    service = described["services"][name]
    targets = [one["target"] for one in service.get("configs", [])]
    assert {one["source"] for one in service.get("configs", [])} <= described["configs"].keys()
    for volume in service["volumes"]:
        source, target, *_ = volume.split(":")
        targets.append(target)
        assert (place / source).resolve().is_file() or source in described["volumes"], source
    for needed in service.get("depends_on", {}):
        assert "healthcheck" in described["services"][needed]
    command = shlex.split(service.get("command", [""])[-1])
    assert {one for one in command if one.endswith(".py")} <= {*targets}
    assert {one for one in command if one.endswith(".txt")} <= {*targets}
    if name == "mlflow":
        assert service["environment"][PASSWORD] in targets
    addresses = [one for one in service["environment"].values() if "://" in one]
    assert not [one for one in addresses if "$" in one], "a password with @ or / would break it"
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = {line.partition("==")[0] for line in lines}
    if command:
        packages = command[command.index("/constraints.txt") + 1 : command.index("&&")]
        assert {package.partition("[")[0] for package in packages} <= pinned
    variables = set(re.findall(r"\$\{(\w+)", text))
    assert variables == {"FOLDPROOF_PASSWORD"}


def test_the_commands_of_the_compose_file_write_both_passwords(tmp_path):
    """In a folder in which no server was started before."""
    lines = (ROOT / "conf" / "server" / "compose.yaml").read_text().splitlines()
    shown = [line.removeprefix("#     ") for line in lines if line.startswith("#     ")]
    assert shown[0].startswith("export FOLDPROOF_PASSWORD=")
    commands = [line for line in shown if ".foldproof" in line]
    more = environment(FOLDPROOF_PASSWORD="a/b@c")
    script = ["set -e", *commands]
    subprocess.run(["bash", "-c", "\n".join(script)], cwd=tmp_path, env=more, check=True)
    for name in ("prefect.pass", "mlflow.pass"):
        file = tmp_path / ".foldproof" / name
        assert file.read_text() == "foldproof:a/b@c\n"
        assert file.stat().st_mode & 0o077 == 0


def test_the_error_for_a_missing_password_says_how_to_get_one(tmp_path):
    asked = [RUN, "worker", "one"]
    done = subprocess.run(asked, cwd=tmp_path, env=environment(), capture_output=True, text=True)
    assert (done.returncode, "start 'prefect' first" in done.stderr) == (2, True)


def test_a_command_is_required(tmp_path):
    done = subprocess.run([RUN], cwd=tmp_path, env=environment(), capture_output=True, text=True)
    assert (done.returncode, "say what to run" in done.stderr) == (2, True)


@pytest.mark.slow
def test_mlflow_asks_for_a_password_that_its_first_start_makes(tmp_path, monkeypatch):
    """On SQLite instead of PostgreSQL."""
    port, log = free_port(), tmp_path / "log"
    more = {"PYTHON": sys.executable, "FOLDPROOF_MLFLOW_PORT": str(port)}
    more["FOLDPROOF_MLFLOW_STORE"] = f"sqlite:///{tmp_path}/mlflow.db"
    address = f"http://127.0.0.1:{port}"
    search = f"{address}/api/2.0/mlflow/experiments/search?max_results=5"
    with running([RUN, "mlflow"], tmp_path, log, **more):
        until(lambda: httpx.get(f"{address}/health").is_success, 240, log)
        file = tmp_path / ".foldproof" / "mlflow.pass"
        assert file.stat().st_mode & 0o077 == 0
        user, _, secret = file.read_text().strip().partition(":")
        assert len(secret) == 48
        refused = [
            httpx.get(address),
            httpx.get(search),
            httpx.get(search, auth=(user, "guess")),
            httpx.post(f"{address}/api/2.0/mlflow/experiments/create", json={"name": "evil"}),
            httpx.get(f"{address}/ajax-api/2.0/mlflow/experiments/search?max_results=5"),
            httpx.post(f"{address}/health"),
        ]
        assert [one.status_code for one in refused] == [401] * len(refused)
        assert refused[0].headers["www-authenticate"].startswith("Basic ")
        assert httpx.get(search, auth=(user, secret)).status_code == 200
        foreign = httpx.get(search, auth=(user, secret), headers={"Host": "evil.example"})
        assert foreign.status_code == 403
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", user)
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", secret)
        client = MlflowClient(address)
        run = client.create_run(client.create_experiment("own"))
        client.log_text(run.info.run_id, "kept", "note.txt")
        kept = [one.path for one in client.list_artifacts(run.info.run_id)]
        assert kept == ["note.txt"]
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "guess")
        with pytest.raises(MlflowException, match="401"):
            client.get_run(run.info.run_id)
        processes = [int(one.name) for one in Path("/proc").iterdir() if one.name.isdigit()]
        lines = [read_command(process) for process in processes]
        assert not [line for line in lines if secret in line]


def read_command(process):
    """The command line of a process, which every user of the machine can read."""
    try:
        return Path(f"/proc/{process}/cmdline").read_text(errors="replace")
    except OSError:
        return ""


def test_a_shell_gets_addresses_and_passwords(tmp_path):
    (tmp_path / ".foldproof").mkdir()
    (tmp_path / ".foldproof" / "prefect.pass").write_text("me:a b'c\n")
    (tmp_path / ".foldproof" / "mlflow.pass").write_text("you:d:e\n")
    wanted = (
        "PREFECT_API_URL PREFECT_API_AUTH_STRING MLFLOW_TRACKING_USERNAME MLFLOW_TRACKING_PASSWORD"
    )
    script = f'eval "$({RUN} shell)"; for name in {wanted}; do echo "${{!name}}"; done'
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=environment(), capture_output=True, text=True
    )
    assert done.stdout.splitlines() == ["http://127.0.0.1:4200/api", "me:a b'c", "you", "d:e"]


@pytest.mark.long
@pytest.mark.skipif(not BINARIES, reason="PostgreSQL's binaries are not there")
def test_two_workers_lose_no_run_and_double_none(monkeypatch):
    with TemporaryDirectory() as place, ExitStack() as stack:
        os.chmod(place, 0o755)  # PostgreSQL's user must be able to enter
        folder = Path(place)
        (folder / "small.yaml").write_text(yaml.safe_dump(SMALL))
        ports = {name: free_port() for name in ("PG", "MLFLOW_", "PREFECT_")}
        more = {f"FOLDPROOF_{name}PORT": str(port) for name, port in ports.items()}
        more["PYTHON"] = sys.executable

        def start(*command):
            log = folder / f"{'-'.join(command)}.log"
            stack.enter_context(running([RUN, *command], folder, log, **more))
            return log

        log = start("postgres")
        until(lambda: "ready to accept connections" in log.read_text(), 60, log)
        mlflow, prefect = start("mlflow"), start("prefect")
        api, tracking = Api(ports["PREFECT_"]), f"http://127.0.0.1:{ports['MLFLOW_']}"
        until(lambda: api.get("/health"), 120, prefect)
        assert httpx.post(f"{api.url}/flows/filter", json={}).status_code == 401
        password = folder / ".foldproof" / "prefect.pass"
        assert password.stat().st_mode & 0o077 == 0
        user, _, secret = password.read_text().strip().partition(":")
        api.auth = (user, secret)
        until(lambda: httpx.get(f"{tracking}/health").is_success, 120, mlflow)
        user, _, secret = (folder / ".foldproof" / "mlflow.pass").read_text().strip().partition(":")
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", user)
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", secret)
        deployed = subprocess.run(
            [RUN, "deploy"], cwd=folder, env=environment(**more), capture_output=True, text=True
        )
        assert deployed.returncode == 0, deployed.stdout + deployed.stderr
        workers = [start("worker", name) for name in ("one", "two")]
        small = load(folder / "small.yaml").model_dump(mode="json")
        runs = [
            api.run("compare/compare-sp500", {"experiment": small | {"seeds": [seed]}})
            for seed in range(3)
        ]
        for run in runs:
            ended = until(lambda run=run: api.ended(run), 400, workers[0])
            assert (ended["state_type"], ended["run_count"]) == ("COMPLETED", 1)
        assert all("submitting flow run" in one.read_text() for one in workers)
        client = MlflowClient(tracking)
        found = client.get_experiment_by_name("foldproof")
        assert found is not None
        logged = client.search_runs([found.experiment_id])
        counts = Counter((one.data.tags["comparison"], one.data.tags["kind"]) for one in logged)
        assert sorted(counts.values()) == [1, 1, 1, 2, 2, 2]
        assert {one.info.status for one in logged} == {"FINISHED"}
        summary = next(one for one in logged if one.data.tags["kind"] == "summary")
        assert client.list_artifacts(summary.info.run_id)
        assert (folder / ".foldproof" / "artifacts").is_dir()
