"""Commands that READMEs and messages give: in a shell where no environment is activated."""

import ast
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from foldproof.tasks.program import MODULES
from tests.labelled import labelled_rows
from tests.test_readme import FORECASTER, TEXTS, blocks, check

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("flows", "tasks", "conf", "models")
CLEAN = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "OMP_NUM_THREADS": "1"}
"""Environment of a shell that knows this project only by its folder."""


def lines(name: str) -> list[str]:
    """The commands in the shell blocks of a README, without comments."""
    text = [
        line
        for block in blocks("sh", TEXTS[name])
        for line in block.replace("\\\n", " ").split("\n")
    ]
    return [
        shlex.join(shlex.split(line, comments=True))
        for line in text
        if shlex.split(line, comments=True)
    ]


OURS = sorted(
    {line for name in TEXTS for line in lines(name) if line.startswith(".venv/bin/foldproof ")}
)
TARGETS = sorted({line for name in TEXTS for line in lines(name) if line.startswith("make ")})


def shell(command: str, folder: Path, seconds: float = 60) -> subprocess.CompletedProcess[str]:
    """Run a command line as a user of a new terminal does."""
    return subprocess.run(
        ["sh", "-c", command],
        cwd=folder,
        env=CLEAN,
        capture_output=True,
        text=True,
        timeout=seconds,
    )


def literals(file: Path) -> Iterator[str]:
    """The texts in a source file except docstrings; a placeholder becomes ``own.yaml``."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    documents = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    parts = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        for part in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(
                str(part.value) if isinstance(part, ast.Constant) else "own.yaml"
                for part in node.values
            )
        elif isinstance(node, ast.Constant) and id(node) not in documents | parts:
            yield str(node.value)


def commands_in(text: str) -> list[str]:
    """The commands that a message asks to run, up to the next punctuation."""
    names = "|".join(MODULES)
    return [
        one.strip()
        for one in re.findall(rf"\brun ((?:{names}) [^,;:()]+?)(?=[,;:()]|\. |\.?$)", text)
    ]


MESSAGES = sorted({
    (str(file.relative_to(ROOT)), command)
    for room in ROOMS for file in (ROOT / room).rglob("*.py")
    for text in literals(file) for command in commands_in(text)
})  # fmt: skip


def test_commands_are_found_in_messages() -> None:
    assert {command for _, command in MESSAGES} >= {
        "foldproof compare quick", "foldproof sync", "foldproof retrain nightly",
        "pip install skfolio",
    }  # fmt: skip
    assert commands_in("none: run foldproof compare x.yaml. Or else") == [
        "foldproof compare x.yaml"
    ]


@pytest.mark.parametrize(("file", "command"), MESSAGES)
@pytest.mark.filterwarnings("ignore")
def test_a_command_in_a_message_is_one_that_its_program_accepts(file: str, command: str) -> None:
    check(command)


@pytest.mark.parametrize("command", OURS)
def test_a_command_of_a_readme_starts_in_a_new_terminal(command: str) -> None:
    done = shell(f"{command} --help", ROOT)
    assert done.returncode == 0, done.stderr
    assert "Exit status" in " ".join(done.stdout.split())


@pytest.mark.parametrize("command", TARGETS)
def test_a_make_target_of_a_readme_starts_in_a_new_terminal(command: str) -> None:
    done = shell(f"{command} --dry-run PYTHON={sys.executable}", ROOT)
    assert done.returncode == 0, done.stderr
    assert ".venv/bin/foldproof" in done.stdout


@pytest.mark.slow
def test_the_command_in_an_error_runs_in_the_same_folder(tmp_path: Path) -> None:
    """``open`` without results says which command makes some."""
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    done = shell(".venv/bin/foldproof open", tmp_path)
    assert done.returncode == 2
    command = done.stderr.strip().partition(": run ")[2]
    assert command.endswith("foldproof compare quick")
    assert shell(f"{command} --help", tmp_path).returncode == 0


@pytest.mark.slow
def test_the_audit_of_the_readme_runs_as_printed(tmp_path: Path) -> None:
    """With its forecaster; and with its leak."""
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    labelled_rows(10, 160).to_parquet(tmp_path / "rows.parquet")
    (command,) = [line for line in lines("README.md") if " audit " in line]
    for code, status in ((FORECASTER, 0), (FORECASTER.replace("(1, 5, 21)", "(-1, 5, 21)"), 1)):
        (tmp_path / "mine.py").write_text(code)
        done = shell(f"{command} cuts=4", tmp_path, 600)
        assert done.returncode == status, done.stdout + done.stderr


@pytest.mark.long
def test_the_commands_of_the_readme_run_one_after_the_other(tmp_path: Path) -> None:
    """All but the servers, the main job and the audit: ``rollback`` finds no earlier champion."""
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    (tmp_path / "conf").symlink_to(ROOT / "conf")
    prices = labelled_rows(8, 1200)[["date", "symbol", "close"]].assign(volume=1e6)
    prices.to_csv(tmp_path / "prices.csv", index=False)
    quick = (
        "'variants=[none]' training.epochs=1 'references=[]' attribution.samples=0 "
        "compute.workers=1"
    )
    more = {"compare prices.yaml": quick}
    ran = 0
    for line in lines("README.md"):
        name = " ".join(line.split()[1:3])
        if not line.startswith(".venv") or name.split()[0] in ("serve", "audit"):
            continue
        if name == "compare conf/sp500.yaml":
            continue
        done = shell(f"{line} {more.get(name, '')}", tmp_path, 1200)
        expected = (
            (2,) if name.startswith("rollback") else (0, 1) if name.startswith("monitor") else (0,)
        )
        assert done.returncode in expected, line + done.stdout + done.stderr
        assert "Traceback" not in done.stdout + done.stderr
        ran += 1
    assert ran >= 6
