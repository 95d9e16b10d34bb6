"""The rules of the house, read off the import statements."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
STEPS = (
    "statistics", "data", "split", "train", "attribute", "diagnose", "batch_study", "benchmark",
    "compare", "decompose", "portfolio", "panel_study", "operate", "report", "track",
)  # fmt: skip
ROOMS = ("flows", "tasks", "models", "conf")
FILES = sorted(file for room in ROOMS for file in (ROOT / room).rglob("*.py"))
PLOTTING = {"matplotlib", "plotly", "seaborn"}


def imported(file: Path) -> set[str]:
    """Dotted names of the modules that a file imports, wherever the statement stands.

    Ours without the package's own name: ``foldproof.tasks.data`` is ``tasks.data``.
    """
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found = {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            found = {f"{node.module}.{alias.name}" for alias in node.names}
        else:
            continue
        assert not {name.partition(".")[0] for name in found} & set(ROOMS), f"{file}: no foldproof."
        names |= {name.removeprefix("foldproof.") for name in found}
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


def folder_imports(files: list[Path]) -> dict[tuple[str, ...], set[tuple[str, ...]]]:
    """Folders inside a step of tasks -> folders of the same step that their files import.

    The files at the top of a step are each a folder of their own: they are its ground and its roof.
    A package's ``__init__`` only re-exports and counts for nothing.
    """
    known = {room(file): file for file in files}
    found: dict[tuple[str, ...], set[tuple[str, ...]]] = {}
    for file in files:
        where = room(file)
        if where[0] != "tasks" or len(where) < 3 or where[-1] == "__init__":
            continue
        for name in imported(file):
            parts = tuple(name.split("."))
            target = next((parts[:n] for n in range(len(parts), 2, -1) if parts[:n] in known), ())
            if target[:2] == where[:2] and folder(target) != folder(where):
                found.setdefault(folder(where), set()).add(folder(target))
    return found


def folder(where: tuple[str, ...]) -> tuple[str, ...]:
    """What a file belongs to: a folder such as ``tasks/diagnose/trace``, at the top itself."""
    return where[:3]


def mutual(files: list[Path]) -> set[tuple[str, str]]:
    """Pairs of folders of one step of which each imports the other."""
    found = folder_imports(files)
    return {
        ("/".join(one), "/".join(other))
        for one, others in found.items()
        for other in others
        if one < other and one in found.get(other, set())
    }


def test_every_room_is_looked_at() -> None:
    assert {room(file)[0] for file in FILES} == set(ROOMS)
    assert {room(file)[1] for file in FILES if room(file)[0] == "tasks"} >= set(STEPS)


def test_no_folder_of_a_step_imports_one_that_imports_it_back() -> None:
    assert mutual(FILES) == set()


@pytest.mark.parametrize("file", FILES, ids=lambda file: "/".join(room(file)))
def test_imports_run_one_way(file: Path) -> None:
    assert not breaks(file)


@pytest.mark.parametrize(
    ("where", "code"),
    [
        ("models/x.py", "import pandas"),
        ("models/x.py", "from pathlib import Path"),
        ("tasks/split/x.py", "from foldproof.tasks.train import score"),
        ("tasks/split/x.py", "def f():\n    import foldproof.tasks.train.train"),
        ("tasks/data/x.py", "from foldproof.conf.schema import Experiment"),
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


def test_mutual_imports_of_folders_are_seen(tmp_path: Path, monkeypatch) -> None:
    for where, code in {
        "tasks/data/panel/a.py": "from foldproof.tasks.data.sources.b import f",
        "tasks/data/sources/b.py": "def f(): ...",
        "tasks/data/sources/c.py": "from foldproof.tasks.data.panel import a",
    }.items():
        (tmp_path / where).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / where).write_text(code)
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    assert mutual(sorted(tmp_path.rglob("*.py"))) == {("tasks/data/panel", "tasks/data/sources")}


def test_a_user_folder_of_the_same_name_is_not_taken_for_ours(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "x.py").write_text("from tasks.data import load")
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    with pytest.raises(AssertionError, match=r"no foldproof\."):
        imported(tmp_path / "x.py")


def test_nothing_works_at_import(tmp_path: Path) -> None:
    """Importing the whole house writes no file, sets no variable and configures no logging."""
    code = """
import logging, os, importlib
OURS = ("PREFECT", "MLFLOW", "OMP", "FOLDPROOF", "DO_NOT")  # sklearn and others set their own
def state():
    return {k: v for k, v in os.environ.items() if k.startswith(OURS)}, logging.root.handlers[:]
before = state()
for name in ("models.engine", "tasks.data", "tasks.split", "tasks.train", "tasks.attribute",
             "tasks.diagnose", "tasks.compare.comparison", "conf.schema", "flows.cli"):
    importlib.import_module("foldproof." + name)
assert state() == before
import sys
assert not {"prefect", "mlflow", "pandera"} & {*sys.modules}, "imported without need"
"""
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True)
    files = {file.relative_to(tmp_path) for file in tmp_path.rglob("*") if file.is_file()}
    assert not {file for file in files if file.parts[0] != ".cache"}  # matplotlib's font list
