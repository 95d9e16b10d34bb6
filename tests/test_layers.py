"""The rules of the house, read off the import statements."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
STEPS = (
    "data", "split", "train", "attribute", "diagnose", "compare", "operate", "report", "track",
)  # fmt: skip
ROOMS = ("flows", "tasks", "models", "conf")
FILES = sorted(file for room in ROOMS for file in (ROOT / room).rglob("*.py"))
PLOTTING = {"matplotlib", "plotly", "seaborn"}


def imported(file: Path) -> set[str]:
    """Dotted names of the modules that a file imports, wherever the statement stands."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def packages(file: Path) -> set[str]:
    return {name.partition(".")[0] for name in imported(file)}


def room(file: Path) -> tuple[str, ...]:
    return file.relative_to(ROOT).with_suffix("").parts


def breaks(file: Path) -> list[str]:
    """The rules that a file breaks, as sentences."""
    where, names, tops = room(file), imported(file), packages(file)
    faults = []
    if where[0] == "models" and tops - set(sys.stdlib_module_names) - {"torch", "numpy", "models"}:
        faults.append("models/ knows torch and numpy only")
    if where[0] == "models" and tops & {"pathlib", "os", "time", "datetime", "logging", "io"}:
        faults.append("models/ knows no file and no clock")
    if where[0] == "tasks" and tops & {"flows", "conf"}:
        faults.append("tasks/ may import models and earlier steps")
    if where[0] == "tasks" and len(where) > 2:
        own = STEPS.index(where[1])
        for name in names:
            parts = name.split(".")
            if parts[0] == "tasks" and parts[1] in STEPS and STEPS.index(parts[1]) > own:
                faults.append(f"step {where[1]} comes before {parts[1]}")
    if where[0] == "conf" and "flows" in tops:
        faults.append("conf/ may not import flows")
    if "prefect" in tops and where[0] != "flows" and where[-1] != "task":
        faults.append("only flows and task modules import prefect")
    if "mlflow" in tops and where[:2] != ("tasks", "track"):
        faults.append("only tasks/track imports mlflow")
    if tops & PLOTTING and where[:2] != ("tasks", "report"):
        faults.append("only tasks/report imports plotting libraries")
    return faults


def test_every_room_is_looked_at() -> None:
    assert {room(file)[0] for file in FILES} == set(ROOMS)
    assert {room(file)[1] for file in FILES if room(file)[0] == "tasks"} >= set(STEPS)


@pytest.mark.parametrize("file", FILES, ids=lambda file: "/".join(room(file)))
def test_imports_run_one_way(file: Path) -> None:
    assert not breaks(file)


@pytest.mark.parametrize(
    ("where", "code"),
    [
        ("models/x.py", "import pandas"),
        ("models/x.py", "from pathlib import Path"),
        ("tasks/split/x.py", "from tasks.train import score"),
        ("tasks/split/x.py", "def f():\n    import tasks.train.train"),
        ("tasks/data/x.py", "from conf.schema import Experiment"),
        ("tasks/data/x.py", "import prefect"),
        ("tasks/compare/x.py", "import mlflow.tracking"),
        ("tasks/compare/x.py", "from matplotlib.figure import Figure"),
    ],
)
def test_a_breach_is_seen(where: str, code: str, tmp_path: Path, monkeypatch) -> None:
    file = tmp_path / where
    file.parent.mkdir(parents=True)
    file.write_text(code)
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    assert breaks(file)


def test_nothing_works_at_import(tmp_path: Path) -> None:
    """Importing the whole house writes no file, sets no variable and configures no logging."""
    code = """
import logging, os, importlib
OURS = ("PREFECT", "MLFLOW", "OMP", "FOLDPROOF", "DO_NOT")  # sklearn and others set their own
def state():
    return {k: v for k, v in os.environ.items() if k.startswith(OURS)}, logging.root.handlers[:]
before = state()
for name in ("models.engine", "tasks.data", "tasks.split", "tasks.train", "tasks.attribute",
             "tasks.diagnose", "tasks.compare", "conf.schema", "flows.cli"):
    importlib.import_module(name)
assert state() == before
import sys
assert "prefect" not in sys.modules and "mlflow" not in sys.modules, "imported without need"
"""
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True)
    files = {file.relative_to(tmp_path) for file in tmp_path.rglob("*") if file.is_file()}
    assert not {file for file in files if file.parts[0] != ".cache"}  # matplotlib's font list
