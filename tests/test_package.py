"""The installed package beside a user's own ``models``, ``tasks``, ``conf`` and ``flows``.

A wheel is built and installed into a fresh environment. Everything runs in a folder with modules of
these four names, because installed code must neither be shadowed by them nor shadow them.
"""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from foldproof.models.normalizers import VARIANTS
from tests.flows.served import SMALL, Api, environment, free_port, running, until
from tests.flows.test_compare import printed_command
from tests.labelled import labelled_rows
from tests.test_readme import FORECASTER, VARIANT

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("conf", "flows", "models", "tasks")

OWN = {
    "models/__init__.py": "from models.net import Net\n",
    "models/net.py": "class Net:\n    '''The user's network.'''\n",
    "tasks/__init__.py": "",
    "tasks/data.py": "SOURCE = 'the user'\n",
    "flows/__init__.py": "",
    "flows/nightly.py": "STEPS = ('load', 'train')\n",
    "conf.py": "EPOCHS = 3\n",
    "mine.py": "from models import Net\nfrom tasks.data import SOURCE\nimport conf\n\n"
    f"assert conf.EPOCHS == 3 and SOURCE and Net\n\n\n{VARIANT}\n\n{FORECASTER}",
}
"""The user's modules, by file; ``mine`` imports them and holds the README's examples."""

EVERY_NAME = """
from models import Net
from tasks.data import SOURCE
from flows.nightly import STEPS
from conf import EPOCHS
from foldproof.tasks.split import WalkForward, Fold
from foldproof.tasks.attribute import integrated_gradients, mean_partial_derivatives
from foldproof.tasks.diagnose import audit_features, audit_forecaster, audit_module
from foldproof.models.normalizers import VARIANTS
from foldproof.conf.load import load
from foldproof.flows.compare import run_compare
import foldproof.flows, foldproof.tasks, foldproof.models, foldproof.conf
print(Net.__module__, SOURCE, STEPS, EPOCHS, len(VARIANTS))
print(*sorted({room.__file__ for room in (
    foldproof.flows, foldproof.tasks, foldproof.models, foldproof.conf)}), sep="\\n")
"""
"""The user's modules and every public name of Foldproof in one process."""

LOAD_MODEL = """
import models
import mlflow
from mlflow import MlflowClient
client = MlflowClient("sqlite:///.foldproof/mlflow.db")
runs = client.search_runs([client.get_experiment_by_name("foldproof").experiment_id])
(run,) = [run for run in runs if run.data.params.get("variant") == "none"]
place = client.get_logged_model(run.outputs.model_outputs[0].model_id).artifact_location
model = mlflow.pyfunc.load_model(place)
scores = model.predict(model.input_example)
assert models.Net.__module__ == "models.net"
print(len(scores), scores["score"].notna().all())
"""
"""Load and call a logged model after the user's own ``models``."""


BOTH = f"models.net the user ('load', 'train') 3 {len(VARIANTS)}"
"""What the script prints that imports modules of the user and of the package."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel, built from a copy: a build leaves folders beside its sources."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for room in ROOMS:
        shutil.copytree(ROOT / room, source / room, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"]
    isolated = ["--no-build-isolation"] if setuptools_is_new() else []
    done = subprocess.run(
        [*pip, "--no-deps", *isolated, "--wheel-dir", str(out), str(source)],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = out.glob("*.whl")
    return built


def setuptools_is_new() -> bool:
    """Whether this environment can build without fetching setuptools first."""
    try:
        import setuptools
    except ImportError:
        return False
    return int(setuptools.__version__.partition(".")[0]) >= 77


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a fresh environment with the wheel; libraries come from this one."""
    place = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(place)], check=True)
    (packages,) = place.glob("lib/python*/site-packages")
    ours = [path for path in sys.path if path.endswith("site-packages")]
    (packages / "libraries.pth").write_text("\n".join(ours))
    command = [sys.executable, "-m", "pip", "--python", str(place / "bin" / "python"), "install"]
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--no-index"]
    subprocess.run([*command, *options, str(wheel)], check=True)
    return place / "bin" / "python"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The user's folder: modules, rows, a configuration."""
    place = tmp_path_factory.mktemp("user")
    for name, text in OWN.items():
        (place / name).parent.mkdir(exist_ok=True)
        (place / name).write_text(text)
    labelled_rows(10, 160).to_csv(place / "rows.csv", index=False)
    (place / "small.yaml").write_text(
        yaml.safe_dump(SMALL | {"compute": {"workers": 2}, "variants": ["none", "mine:mine"]})
    )
    return place


def run(folder: Path, *command: str, text: str = "", **more: str) -> str:
    """Output of a command that must succeed."""
    done = subprocess.run(
        command, cwd=folder, env=environment(**more), input=text, capture_output=True, text=True,
        timeout=400,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    return done.stdout


def test_the_wheel_holds_one_package_with_its_files(wheel: Path) -> None:
    files = zipfile.ZipFile(wheel).namelist()
    tops = {name.partition("/")[0] for name in files}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"foldproof"}
    kept = [
        file.relative_to(ROOT)
        for pattern in ("conf/*.yaml", "conf/server/*", "tasks/report/*.html", "*/**/*.py")
        for file in ROOT.glob(pattern)
        if file.relative_to(ROOT).parts[0] in ROOMS
    ]
    assert len(kept) > 300
    assert {f"foldproof/{file}" for file in kept} - set(files) == set()


def test_a_script_imports_both_sets_of_modules(python: Path, folder: Path) -> None:
    (folder / "script.py").write_text(EVERY_NAME)
    first, *files = run(folder, str(python), "script.py").splitlines()
    assert first.startswith(BOTH)
    assert len(files) == 4
    assert all(Path(file).is_relative_to(python.parents[1]) for file in files), files


def test_a_session_imports_both_sets_of_modules(python: Path, folder: Path) -> None:
    shown = run(folder, str(python), "-i", text=EVERY_NAME.replace("(\n    ", "("))
    assert BOTH in shown


def test_the_users_forecaster_is_audited(python: Path, folder: Path) -> None:
    command = str(python.with_name("foldproof"))
    settings = ["known_at.label=known", "target=label", "horizon=5", "cuts=4", "--quick"]
    shown = run(folder, command, "audit", "mine:forecast", "rows.csv", *settings)
    assert "verdict: CLEAN" in shown


def test_the_module_is_the_command(python: Path, folder: Path) -> None:
    shown = run(folder, str(python), "-m", "foldproof.flows", "--help")
    assert "compare" in shown
    assert "deploy" in shown


def test_workers_train_and_the_logged_model_loads(python: Path, folder: Path) -> None:
    shown = run(folder, str(python), "-m", "foldproof.flows", "compare", "small.yaml")
    command = [str(python.with_name("foldproof")), "ui"]
    assert shlex.split(printed_command(shown)) == command
    scored = run(folder, str(python), "-W", "ignore", "-c", LOAD_MODEL)
    assert scored.split()[-2:] == ["16", "True"]


def test_a_server_set_up_deploys_from_the_wheel(python: Path, folder: Path) -> None:
    """``conf/server/run`` of the installed package, with Prefect on SQLite."""
    (packages,) = python.parents[1].glob("lib/python*/site-packages")
    script = str(packages / "foldproof" / "conf" / "server" / "run")
    assert os.access(script, os.X_OK)
    port, log, password = free_port(), folder / "prefect.log", "foldproof:s3cret"
    for name in ("prefect", "mlflow"):
        (folder / f"{name}.pass").write_text(password)
    more = {
        "PYTHON": str(python),
        "FOLDPROOF_PREFECT_PORT": str(port),
        "FOLDPROOF_PREFECT_PASS": str(folder / "prefect.pass"),
        "FOLDPROOF_MLFLOW_PASS": str(folder / "mlflow.pass"),
        "PREFECT_HOME": str(folder / "prefect"),
    }
    server = [str(python), "-P", str(packages / "foldproof/flows/processes/server.py")]
    auth = {"PREFECT_SERVER_API_AUTH_STRING": password, "PREFECT_HOME": str(folder / "prefect")}
    with running([*server, "127.0.0.1", str(port)], folder, log, **auth) as process:
        api = Api(port, ("foldproof", "s3cret"))
        until(lambda: api.get("/health"), 240, log)
        shown = run(folder, script, "deploy", "small.yaml", "training.epochs=1", **more)
        assert shown.count("registered ") == 6
        found = api.get("/deployments/name/compare/compare-small")
        process.send_signal(signal.SIGINT)
        process.wait(60)
    assert found["parameters"]["experiment"]["training"]["epochs"] == 1
    assert found["job_variables"]["working_dir"] == str(folder)
    assert found["work_pool_name"] == "foldproof"
