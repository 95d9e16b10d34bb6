"""Keys of what is kept on disk follow the imports: no list of code is kept by hand."""

import ast
import shutil
import time
from pathlib import Path

import pytest

from foldproof.tasks.version import HOUSE, ROOT, code_version, modules_below, sources

TASKS = (
    "foldproof.tasks.train.train", "foldproof.tasks.train.references",
    "foldproof.tasks.attribute.task", "foldproof.tasks.diagnose.task",
    "foldproof.tasks.batch_study.task", "foldproof.tasks.data.panel.panel",
    "foldproof.tasks.data.panel.read",
)  # fmt: skip
TREE = {
    "tasks/__init__.py": "from foldproof.tasks import passed_through",
    "tasks/passed_through.py": "",
    "tasks/a/__init__.py": "from foldproof.tasks.a.inner import thing",
    "tasks/a/inner.py": "thing = 1",
    "tasks/a/other.py": "import os\nimport foldproof.models.plain",
    "tasks/b.py": "from foldproof.tasks.a import (\n    other as renamed,  # a comment (too)\n)",
    "tasks/c.py": "def late():\n    from foldproof.tasks.a import thing\n    return thing",
    "models/plain.py": "# from nothing",
    "models/alone.py": "",
    "conf/__init__.py": "",
    "conf/x.py": "",
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, text in TREE.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def names(tree: Path, module: str, parents: bool = False) -> set[str]:
    found = sources(f"foldproof.{module}", root=tree, parents=parents)
    return {file.relative_to(tree).as_posix() for file in found}


def test_imports_are_followed_to_the_end(tree: Path) -> None:
    assert names(tree, "tasks.b") == {"tasks/b.py", "tasks/a/other.py", "models/plain.py"}


def test_a_name_of_a_package_counts_the_package(tree: Path) -> None:
    """Also where the import stands inside a function."""
    assert names(tree, "tasks.c") == {"tasks/c.py", "tasks/a/__init__.py", "tasks/a/inner.py"}


def test_packages_on_the_way_count_for_a_copy_that_runs(tree: Path) -> None:
    extra = names(tree, "tasks.b", parents=True) - names(tree, "tasks.b")
    assert extra == {
        "tasks/__init__.py", "tasks/passed_through.py", "tasks/a/__init__.py", "tasks/a/inner.py"
    }  # fmt: skip


def test_the_house_is_every_file(tree: Path) -> None:
    assert {file.relative_to(tree).as_posix() for file in sources(HOUSE, root=tree)} == {*TREE}


def by_syntax(module: str) -> set[Path]:
    """The same files as :func:`sources`, found from the syntax tree."""
    known, found, waiting = modules_below(ROOT), set(), [module]
    while waiting:
        name = waiting.pop()
        if name in found or name not in known:
            continue
        found.add(name)
        for node in ast.walk(ast.parse(known[name].read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                waiting += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                inner = [f"{node.module}.{alias.name}" for alias in node.names]
                waiting += [one if one in known else str(node.module) for one in inner]
    return {known[name] for name in found}


@pytest.mark.parametrize("module", TASKS)
def test_no_import_is_missed(module: str) -> None:
    assert {*sources(module)} == by_syntax(module)


@pytest.mark.parametrize("module", TASKS)
def test_the_key_follows_every_imported_file_and_no_other(module: str, tmp_path: Path) -> None:
    counted, every = sources(module), sources(HOUSE)
    for file in every:
        copy = tmp_path / file.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, copy)
    version = code_version.__wrapped__
    before = version(module, root=tmp_path)
    assert before == code_version(module)
    others = [file for file in every if file not in counted]
    for file in (*counted[:: len(counted) // 20 + 1], *others[:: len(others) // 5 + 1]):
        copy = tmp_path / file.relative_to(ROOT)
        text = copy.read_text(encoding="utf-8")
        copy.write_text(f"{text}\nCHANGED = 1\n", encoding="utf-8")
        assert (version(module, root=tmp_path) != before) == (file in counted), file
        copy.write_text(text, encoding="utf-8")


def test_it_is_fast() -> None:
    code_version(*TASKS)
    start = time.perf_counter()
    code_version.__wrapped__(*TASKS)
    assert time.perf_counter() - start < 0.5  # about 0.03 s on an idle machine
