"""Workers of a Dask cluster: what is checked before they take tasks, and what travels to them."""

import importlib
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import cloudpickle
import dask
import pandas as pd
import psutil
import pytest
import yaml
from distributed import (
    CancelledError,
    Client,
    KilledWorker,
    LocalCluster,
    Security,
)
from distributed.comm import CommClosedError
from prefect.events.worker import EventsWorker

from foldproof.conf.compute import ComputeSpec
from foldproof.flows.processes import dask_cluster, dask_worker
from foldproof.flows.processes.dask_cluster import Cluster, checked, own_code, ticket_of
from foldproof.flows.processes.dask_worker import Ticket, complaint, here, use
from foldproof.flows.processes.workers import DiedError, WorkerError
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


def flat(settings: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Settings of Dask by dotted name."""
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl makes the certificates")
def test_a_cluster_with_tls_takes_only_holders_of_a_certificate(
    ticket: Ticket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The settings are those of conf/README.md, which Dask reads from the environment."""
    monkeypatch.setattr(dask_cluster, "CONNECT", 2.0)
    key, own = str(tmp_path / "me.key"), str(tmp_path / "me.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-keyout", key, "-out", own, "-days", "2", "-subj", "/CN=own"],
        check=True, capture_output=True,
    )  # fmt: skip
    tls = "DASK_DISTRIBUTED__COMM__TLS__"
    variables = {f"{tls}CA_FILE": own, "DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION": "true"}
    for role in ("SCHEDULER", "WORKER", "CLIENT"):
        variables |= {f"{tls}{role}__CERT": own, f"{tls}{role}__KEY": key}
    with dask.config.set(dict(flat(dask.config.collect_env(variables)))), LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None,
        protocol="tls://", security=Security(),
    ) as cluster, dask_cluster.connected(cluster.scheduler_address) as client:  # fmt: skip
        assert cluster.scheduler_address.startswith("tls://127.0.0.1:")
        assert checked(client, replace(COMPUTE, storage=str(tmp_path)), ticket, None) == 1
        with (
            dask.config.set({"distributed.comm.tls.client.cert": None}),
            pytest.raises(WorkerError, match="needs a certificate: name it, its key"),
            dask_cluster.connected(cluster.scheduler_address),
        ):
            pass


@pytest.fixture
def own_modules(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Modules and their search path as before."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(
        dask_worker, "USED", dict.fromkeys(dask_worker.USED) | {"key": "", "modules": ()}
    )
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
    with pytest.raises(WorkerError, match="is not a path of a module"):
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
    with pytest.raises(WorkerError, match="is not a panel"):
        cluster.by_reference({"rows": tmp_path})
    (panel / "rows.arrow").unlink()  # else a worker would read a source of its own
    with pytest.raises(WorkerError, match="so they cannot travel to the workers"):
        cluster.by_reference({"panel": panel})


def test_a_worker_notes_at_its_start_which_code_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every module that a key of a task asks for: its file may change while the worker runs."""
    noted = set[tuple[str, ...]]()
    monkeypatch.setattr(dask_worker, "code_version", lambda *modules: noted.add(modules))
    dask_worker.dask_setup(None)
    asked = set[tuple[str, ...]]()
    for module in map(importlib.import_module, dask_worker.TASKS):
        text = Path(module.__file__ or "").read_text()
        names = re.findall(r"code_version\(([^)]*)\)", text)
        asked |= {(module.__name__ if name == "__name__" else name.strip('"'),) for name in names}
    assert len(asked) >= 4
    assert noted >= asked | {("foldproof",), ("foldproof.tasks.train.train",)}


def test_a_worker_reports_to_the_server_of_each_command(
    own_modules: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prefect keeps its connections for the life of a process."""
    dropped = list[float]()
    monkeypatch.setattr(EventsWorker, "drain_all", lambda timeout: dropped.append(timeout))
    counts = []
    for api in ("http://127.0.0.1:1/api", "http://127.0.0.1:1/api", "http://127.0.0.1:2/api"):
        dask_worker.report_to(api)
        counts.append(len(dropped))
    assert counts == [0, 0, 1]


def test_a_worker_that_joins_later_and_differs_runs_nothing(ticket: Ticket) -> None:
    with pytest.raises(WorkerError, match="that joined later cannot be used: it runs other code"):
        dask_worker.run(changed(ticket, "code", "other"), None, b"nothing that can be unpickled")


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (
            KilledWorker("train-1", SimpleNamespace(address="tcp://10.0.0.2:4"), 3), DiedError,
            "its worker died 4 times; the last was tcp://10.0.0.2:4",
        ),
        (CancelledError("train-1"), WorkerError, "the Dask scheduler stopped answering"),
        (CommClosedError("gather"), WorkerError, "the Dask scheduler stopped answering"),
    ],
)  # fmt: skip
def test_what_became_of_the_workers_is_one_sentence(
    error: Exception, kind: type[Exception], message: str
) -> None:
    def result(timeout: float | None = None) -> None:
        raise error

    with pytest.raises(kind, match=re.escape(message)):
        dask_cluster.Future(uuid4(), SimpleNamespace(result=result)).result()


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


@pytest.mark.long
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
        found = forecasts(folders["lead"])
        again = subprocess.run(
            [*compare, *cluster, "variants=[none]", "seeds=[2]"],
            cwd=folders["lead"], env=environment(), capture_output=True, text=True, timeout=400,
        )  # fmt: skip
        assert again.returncode == 0, "the same workers, another Prefect server: " + again.stderr
    alone = subprocess.run(
        [*compare, "compute.workers=1"], cwd=folders["alone"], env=environment(),
        capture_output=True, text=True,
    )  # fmt: skip
    assert alone.returncode == 0, alone.stdout + alone.stderr
    pd.testing.assert_frame_equal(found, forecasts(folders["alone"]), check_exact=True)
    names = [file.name for file in (shared / "results").iterdir()]
    assert sum(name.startswith("train-") for name in names) == 6 + 1
    assert not [*(folders["lead"] / ".foldproof" / "results").glob("*")]
    for name in ("one", "two"):
        assert [*(folders[name] / ".foldproof" / "panels").glob("panel-*")]
        assert not (folders[name] / "mine.py").exists()
