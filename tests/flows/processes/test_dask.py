"""Workers of a Dask cluster: what is checked before they take tasks, and what travels to them."""

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import cloudpickle
import pandas as pd
import psutil
import pytest
import yaml
from distributed import Client, LocalCluster

from foldproof.conf.compute import ComputeSpec
from foldproof.flows.processes import dask_cluster, dask_worker
from foldproof.flows.processes.dask_cluster import Cluster, checked, own_code, ticket_of
from foldproof.flows.processes.dask_worker import Ticket, complaint, here, use
from foldproof.flows.processes.workers import WorkerError
from foldproof.tasks.data import DataSpec, build, folder_of
from foldproof.tasks.data.spec import SyntheticSpec
from foldproof.tasks.storage import leave_note
from tests.flows.served import ROOT, SMALL, environment, free_port, running, until

COMPUTE = ComputeSpec(engine="dask", address="tcp://127.0.0.1:1")


@pytest.fixture(scope="module")
def ticket() -> Ticket:
    return ticket_of([])


def changed(ticket: Ticket, name: str, value: str) -> Ticket:
    versions = dict(ticket.versions) | {name: value}
    return replace(ticket, versions=tuple(versions.items()))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("code", r"it runs other code of Foldproof \(\w+, this command other\): install the same"),
        ("torch", r"it has torch [\d.+cpu]+, this command other: install the same there"),
        ("processor", r"its processor computes with \w+.*: set ATEN_CPU_CAPABILITY"),
        ("LSTM", r"its LSTM runs on .*, this command's on other: set training\.engine=torch"),
    ],
)
def test_a_worker_that_would_compute_other_bits_is_refused(
    name: str, message: str, ticket: Ticket, tmp_path: Path
) -> None:
    note = leave_note(str(tmp_path))
    assert complaint(ticket, str(tmp_path), note, None) == ""
    assert re.match(message, complaint(changed(ticket, name, "other"), str(tmp_path), note, None))


def test_a_worker_that_sees_other_files_or_no_server_is_refused(
    ticket: Ticket, tmp_path: Path
) -> None:
    note = leave_note(str(tmp_path))
    found = complaint(ticket, str(tmp_path / "other"), note, None)
    assert found.startswith("it does not see the files of this command")
    assert "set compute.storage to a folder or an address that every machine reaches" in found
    found = complaint(ticket, str(tmp_path), note, "http://127.0.0.1:9/api")
    assert found.startswith("it does not reach the Prefect server at http://127.0.0.1:9/api (")
    assert "PREFECT_API_URL" in found


def test_a_dead_scheduler_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_cluster, "CONNECT", 0.2)
    address = f"tcp://127.0.0.1:{free_port()}"
    with pytest.raises(WorkerError) as caught, dask_cluster.connected(address):
        pass
    assert str(caught.value).startswith(f"no Dask scheduler answers at compute.address {address} (")
    assert "start one with conf/server/run dask-scheduler" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("threads", "code", "workers", "message"),
    [
        (1, None, 0, None),
        (1, None, 2, "1 of 2 workers have joined"),
        (1, "other", 0, "cannot be used: it runs other code of Foldproof"),
        (2, None, 0, "has 2 threads, which would share the random numbers"),
    ],
)
def test_workers_are_checked_before_the_start(
    threads: int, code: str | None, workers: int, message: str | None, ticket: Ticket,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(dask_cluster, "JOIN", 0.5 if workers == 2 else 60.0)
    compute = replace(COMPUTE, workers=workers, storage=str(tmp_path))
    given = changed(ticket, "code", code) if code else ticket
    with LocalCluster(
        n_workers=1, threads_per_worker=threads, processes=False, dashboard_address=None
    ) as cluster, Client(cluster, set_as_default=False) as client:  # fmt: skip
        if message is None:
            assert checked(client, compute, given, None) == 1
        else:
            with pytest.raises(WorkerError, match=message):
                checked(client, compute, given, None)
    assert not [*tmp_path.iterdir()], "nothing is left in the storage"


@pytest.fixture
def own_modules(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Modules and their search path as before."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(dask_worker, "USED", {"key": "", "folder": None, "modules": ()})
    before = {*sys.modules}
    yield
    for name in {*sys.modules} - before:
        del sys.modules[name]


def write_module(folder: Path, value: int) -> None:
    (folder / "pack").mkdir(parents=True, exist_ok=True)
    (folder / "pack" / "helper.py").write_text(f"VALUE = {value}\n")
    (folder / "own_of_test.py").write_text(
        "from pack.helper import VALUE\n\ndef features(rows):\n    return VALUE\n"
    )


def test_the_users_modules_travel_with_what_they_import(
    own_modules: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that has run an earlier command runs the modules of this one."""
    sent = []
    for value in (1, 2):
        folder = tmp_path / f"lead {value}"
        write_module(folder, value)
        monkeypatch.chdir(folder)
        sys.path.insert(0, str(folder))
        experiment = SimpleNamespace(data=DataSpec(features="own_of_test:features"))
        sent.append(ticket_of([experiment]).own)
        sys.path.remove(str(folder))
        for name in ("own_of_test", "pack.helper", "pack"):
            del sys.modules[name]
    assert [path for path, _ in sent[0].files] == ["own_of_test.py", "pack/helper.py"]
    worker = tmp_path / "worker"
    write_module(worker, 3)
    monkeypatch.chdir(worker)
    for own, value in ((sent[0], 1), (sent[1], 2), (sent[0], 1)):
        assert dask_worker.own_difference(own) == ""
        assert sys.modules["own_of_test"].features(None) == value


def test_a_module_that_is_not_there_is_named(
    own_modules: None, tmp_path: Path, monkeypatch
) -> None:
    write_module(tmp_path, 1)
    monkeypatch.chdir(tmp_path)
    own = own_code(["own_of_test:features"], tmp_path / "elsewhere")
    assert own.files == ()
    for name in ("own_of_test", "pack.helper", "pack"):
        del sys.modules[name]
    (tmp_path / "own_of_test.py").unlink()
    found = dask_worker.own_difference(own)
    assert found.startswith("own_of_test:features cannot be imported there (No module named")
    assert "working directory of the command, or install it" in found


def test_a_path_that_leaves_the_folder_is_refused(own_modules: None) -> None:
    evil = dask_worker.OwnCode("evil", (("../../evil.py", b""),), ())
    with pytest.raises(WorkerError, match="is no path of a module"):
        use(evil)


def test_panels_travel_by_reference(ticket: Ticket, tmp_path: Path, monkeypatch) -> None:
    spec = DataSpec(
        source="linear", features="ready", min_history=10,
        synthetic=SyntheticSpec(days=60, symbols=4, n_features=4),
    )  # fmt: skip
    cache = tmp_path / "lead" / ".foldproof" / "panels"
    panel = folder_of(build(spec, cache=cache), cache)
    cluster = Cluster("tcp://127.0.0.1:1", ticket, str(tmp_path / "shared"))
    given = {"panel": panel, "panels": (panel, panel), "trained": [1, 2], "name": "zero"}
    sent = cloudpickle.loads(cloudpickle.dumps(cluster.by_reference(given)))
    worker = tmp_path / "worker"
    worker.mkdir()
    monkeypatch.chdir(worker)
    monkeypatch.setattr(dask_worker, "PANELS", Path(".foldproof/panels"))
    found = worker / ".foldproof" / "panels" / panel.name
    assert here(sent) == given | {"panel": found, "panels": (found, found)}
    assert (found / "values.npy").read_bytes() == (panel / "values.npy").read_bytes()
    with pytest.raises(WorkerError, match="is no panel"):
        cluster.by_reference({"rows": tmp_path})


MINE = """
from foldproof.models.normalizers import VARIANTS, Variant
from parts import PARTS

mine = Variant(
    title="Mine", formula="cross-sectional rank", source="ours", input=PARTS["input"],
    coupling="date", training_coupling="date",
)
"""
PARTS = """
from foldproof.models.normalizers import VARIANTS

PARTS = {"input": VARIANTS["cs_rank"].input}
"""


def forecasts(folder: Path) -> pd.DataFrame:
    return pd.read_parquet(next((folder / ".foldproof").rglob("forecasts.parquet")))


def of_workers(folder: Path) -> list[psutil.Process]:
    """The processes that take the tasks, without the nannies that start them again."""
    found = []
    for process in psutil.process_iter():
        try:
            inside = Path(process.cwd()).is_relative_to(folder.resolve())
            if inside and "spawn_main" in " ".join(process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found


@pytest.mark.slow
def test_a_cluster_gives_the_same_bits_although_a_worker_is_killed(tmp_path: Path) -> None:
    """Two workers in folders of their own, which share nothing with the command but a storage."""
    folders = {name: tmp_path / name for name in ("lead", "alone", "one", "two", "scheduler")}
    for folder in folders.values():
        folder.mkdir()
    small = SMALL | {"variants": ["none", "mine:mine", "full_sample_zscore"], "seeds": [0, 1]}
    for name in ("lead", "alone"):
        (folders[name] / "small.yaml").write_text(yaml.safe_dump(small))
        (folders[name] / "mine.py").write_text(MINE)
        (folders[name] / "parts.py").write_text(PARTS)
    port = free_port()
    more = {"PYTHON": sys.executable, "FOLDPROOF_DASK_PORT": str(port)}
    shared = tmp_path / "shared"
    compare = [sys.executable, "-m", "foldproof.flows", "compare", "small.yaml"]
    cluster = ["compute.engine=dask", f"compute.address=tcp://127.0.0.1:{port}"]
    cluster += ["compute.workers=2", f"compute.storage={shared.as_uri()}"]
    with ExitStack() as stack:
        run = str(ROOT / "conf" / "server" / "run")
        servers = [("scheduler", "dask-scheduler"), ("one", "dask-worker"), ("two", "dask-worker")]
        started = []
        for name, what in servers:
            log = folders[name] / "log"
            started.append(stack.enter_context(running([run, what], folders[name], log, **more)))
        log = folders["lead"] / "log"
        lead = stack.enter_context(running([*compare, *cluster], folders["lead"], log))
        until(lambda: len([*shared.glob("results/train-*")]) >= 2, 300, log)
        for process in of_workers(folders["one"]):
            process.send_signal(signal.SIGKILL)
        listening = [
            one.laddr.ip
            for server in started
            for process in [psutil.Process(server.pid), *psutil.Process(server.pid).children(True)]
            for one in process.net_connections("inet")
            if one.status == psutil.CONN_LISTEN
        ]
        assert {*listening} == {"127.0.0.1"}
        assert lead.wait(400) == 0, log.read_text()
    alone = subprocess.run(
        [*compare, "compute.workers=1"], cwd=folders["alone"], env=environment(),
        capture_output=True, text=True,
    )  # fmt: skip
    assert alone.returncode == 0, alone.stdout + alone.stderr
    pd.testing.assert_frame_equal(
        forecasts(folders["lead"]), forecasts(folders["alone"]), check_exact=True
    )
    names = [file.name for file in (shared / "results").iterdir()]
    assert sum(name.startswith("train-") for name in names) == 6
    assert not [*(folders["lead"] / ".foldproof" / "results").glob("*")]
    for name in ("one", "two"):
        assert [*(folders[name] / ".foldproof" / "panels").glob("panel-*")]
        assert not (folders[name] / "mine.py").exists()
