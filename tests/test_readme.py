"""Commands, snippets, tables and links of the README files are right."""

import ast
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import typer.main
import yaml

from foldproof.conf.explanation import load_explanation
from foldproof.conf.load import PRESETS, ConfigError, load, study_of
from foldproof.conf.outside import load_outside
from foldproof.conf.schema import Experiment
from foldproof.conf.study import load_study
from foldproof.flows.cli import app
from foldproof.models.normalizers import resolve
from foldproof.tasks.data import build
from foldproof.tasks.diagnose import AuditOptions, Verdict, audit_forecaster
from foldproof.tasks.diagnose.imported import own_fold
from tests.labelled import labelled_rows

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("tasks/diagnose", "tasks/attribute", "tasks/operate", "models/normalizers", "conf",
         "tests/benchmarks")  # fmt: skip
TEXTS = {
    name: (ROOT / name).read_text(encoding="utf-8")
    for name in ("README.md", *(f"{room}/README.md" for room in ROOMS))
    if (ROOT / name).is_file()
}
README = TEXTS["README.md"]


def blocks(language: str, text: str = README) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


FORECASTER = next(block for block in blocks("python") if "def forecast(" in block)
VARIANT = next(block for block in blocks("python") if "Variant(" in block)
STARTS = ("foldproof", "make", "python", "mlflow", "prefect", "conf/server/run")
"""Programs that a command may start; other text in backticks is not a command."""


def commands() -> Iterator[tuple[str, str]]:
    """(file, command) of every command in a README: lines of sh blocks, and code in sentences."""
    for name, text in TEXTS.items():
        prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
        lines = [
            line for block in blocks("sh", text) for line in block.replace("\\\n", " ").split("\n")
        ]
        spans = [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", prose)]
        for line in lines + [span for span in spans if span.split()[0] in STARTS]:
            if words(line) and not re.search(r"<\w|\.\.\.|…", line):
                yield name, line


def words(line: str) -> list[str]:
    """The words of a shell command, without a comment and leading VARIABLE=value."""
    found = shlex.split(line, comments=True)
    while found and re.match(r"[A-Za-z_]+=", found[0]):
        found.pop(0)
    return found


def check(line: str) -> None:
    """Parse a command as its program would; raises where it would refuse it."""
    program, *arguments = words(line)
    program = program.removeprefix(".venv/bin/")
    if program == "foldproof":
        check_foldproof(arguments)
    elif program == "make":
        targets = {one for one in arguments if "=" not in one}
        assert targets <= make_targets(), f"no such target: {targets - make_targets()}"
    elif program.startswith("python") and arguments[0] == "-m":
        check_module(arguments[1], arguments[2:])
    elif program == "mlflow":
        from mlflow.cli import cli  # its import warns

        parsed(cli, arguments)
    elif program == "prefect":
        check_prefect(arguments)
    elif program == "conf/server/run":
        labels = re.findall(r"^  ([a-z| -]+)\)", (ROOT / program).read_text(), re.MULTILINE)
        assert arguments[0] in re.findall(r"[a-z-]+", " ".join(labels))
    else:
        assert program in (
            "pip",
            "apt",
            "apt-get",
            "curl",
            "export",
            "docker",
            "source",
            "cd",
            "eval",
        ), f"a program that this test does not know: {program}"


def parsed(group: Any, arguments: list[str]) -> tuple[str, dict[str, Any]]:
    """Name and parameters of a click command line."""
    name, *rest = arguments
    found = group.get_command(None, name)
    assert found is not None, f"no such command: {name}"
    if hasattr(found, "get_command"):
        return parsed(found, rest)
    try:
        return name, found.make_context(name, rest, resilient_parsing="--help" in rest).params
    except Exception as error:  # typer and MLflow each have their own click
        raise AssertionError(f"{name} does not accept {rest}: {error}") from error


def check_foldproof(arguments: list[str]) -> None:
    """The command exists, and its configuration and settings load."""
    if len(arguments) < 2:  # the program, or a command's name in a sentence
        names = set(typer.main.get_command(app).commands)
        assert {*arguments} <= {*names, "--help"}, f"no such command: {arguments}"
        return
    name, given = parsed(typer.main.get_command(app), arguments)
    settings = list(given.get("overrides") or given.get("settings") or [])
    subject = given.get("config") or given.get("subject") or ""
    if name == "explain":
        model = given["model"]
        load_explanation(model, [*([model] if "=" in model else []), *settings])
    elif given.get("variants"):
        for one in (subject, *settings):
            assert not one or ":" in one or resolve(one)
    elif given.get("benchmark") or not subject:
        return
    elif ":" in subject:
        load_outside(subject, "rows.parquet", settings[1:])
    elif is_own(subject):
        load("quick", overrides(settings))
    elif study_of(subject) is not None:
        load_study(subject, settings)
    else:
        load(subject, overrides(settings))


def overrides(settings: list[str]) -> list[str]:
    """Without a version to return to, and without variants of the reader's own module."""
    return [one for one in settings if "=" in one and not re.search(r"[a-z]:[a-z]", one)]


def is_own(config: str) -> bool:
    """Whether it is a file that the reader writes, such as ``prices.yaml``."""
    return re.fullmatch(r"\w+\.yaml", config) is not None


def check_module(module: str, arguments: list[str]) -> None:
    """The module can be run, and its source knows every option."""
    if module.startswith("foldproof"):
        check_foldproof(arguments)
        return
    if module.partition(".")[0] != "tests":
        return
    file = ROOT / module.replace(".", "/")
    source = file.with_suffix(".py") if file.with_suffix(".py").is_file() else file / "__main__.py"
    known = source.read_text()
    assert [one for one in arguments if one.startswith("--") and one not in known] == []


def check_prefect(arguments: list[str]) -> None:
    """Prefect knows the command and every option."""
    options = [one.partition("=")[0] for one in arguments if one.startswith("-")]
    names = [one for one in arguments if re.fullmatch(r"[a-z-]+", one) and one[0] != "-"]
    command = [sys.executable, "-m", "prefect", *names[:2], "--help"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert not [one for one in options if one not in done.stdout]


def make_targets() -> set[str]:
    """Targets of the Makefile."""
    found = re.findall(r"^([a-z -]+):(?!=)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    return {name for line in found for name in line.split()}


@pytest.mark.parametrize(("file", "line"), [*commands()])
@pytest.mark.filterwarnings("ignore")
def test_a_command_is_one_that_its_program_accepts(file: str, line: str) -> None:
    check(line)


@pytest.mark.parametrize(
    "line",
    [
        "foldproof compar conf/quick.yaml",
        "foldproof compare conf/nowhere.yaml",
        "foldproof compare conf/quick.yaml training.epoch=5",
        "foldproof audit mine:forecast rows.csv horizn=5",
        "foldproof explain symbl=AAPL",
        "foldproof serve --prot 4200",
        "make compere",
        "mlflow modls serve",
        "python -m tests.benchmarks.nowhere",
        "conf/server/run depoly",
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_a_wrong_command_is_found(line: str) -> None:
    with pytest.raises((AssertionError, ConfigError, OSError)):
        check(line)


def test_the_commands_are_read_from_the_readme() -> None:
    found = {line.split("#")[0].strip() for name, line in commands() if name == "README.md"}
    assert {"make compare", "make compare TORCH=cpu"} <= found
    assert {
        f".venv/bin/foldproof {it}" for it in ("init prices.csv", "compare prices.yaml")
    } <= found
    assert ".venv/bin/foldproof retrain nightly" in found


def test_on_request_make_installs_the_cpu_build_of_torch() -> None:
    def printed(*settings: str) -> subprocess.CompletedProcess[str]:
        command = ["make", "-n", "compare", "READY=.venv/.none", *settings]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)

    index = "--extra-index-url https://download.pytorch.org/whl/cpu --constraint constraints.txt"
    assert index in printed("TORCH=cpu").stdout
    usual = printed()
    assert (usual.returncode, "index-url" in usual.stdout) == (0, False)
    assert "TORCH=cpu" in printed("TORCH=gpu").stderr


@pytest.mark.parametrize("name", TEXTS)
def test_every_linked_file_exists(name: str) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", TEXTS[name])
    files = [link for link in links if not link.startswith("http")]
    rooms = {f"{room}/README.md" for room in ROOMS}
    assert not [
        link for link in files if not ((ROOT / name).parent / link).exists() and link not in rooms
    ]


def test_the_readme_leads_to_every_room_and_preset() -> None:
    assert all(f"]({room}/README.md)" in README for room in ROOMS)
    assert len(README.splitlines()) <= 200
    assert max(map(len, README.splitlines())) <= 100
    both = README + TEXTS.get("conf/README.md", "")
    if "conf/README.md" in TEXTS:
        assert [file.name for file in PRESETS.glob("*.yaml") if file.stem not in both] == []


@pytest.mark.parametrize("name", TEXTS)
def test_the_imports_of_every_snippet_work(name: str) -> None:
    for block in blocks("python", TEXTS[name]):
        imports = [
            one for one in ast.parse(block).body if isinstance(one, ast.Import | ast.ImportFrom)
        ]
        exec(compile(ast.Module(imports, []), name, "exec"), {})


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow) if name == "tasks/diagnose/README.md" else name
        for name in TEXTS
        if name != "README.md"
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_the_snippets_of_a_room_run_in_their_order(name: str, tmp_path: Path, monkeypatch) -> None:
    """All in one session, except those that call flows, which need the results of earlier ones."""
    monkeypatch.chdir(tmp_path)
    session: dict[str, Any] = {}
    for block in blocks("python", TEXTS[name]):
        if "foldproof.flows" not in block:
            exec(compile(block, name, "exec"), session)


@pytest.mark.parametrize("name", TEXTS)
def test_every_configuration_is_valid(name: str) -> None:
    base = load("quick").model_dump(mode="json", exclude_unset=True)
    for block in blocks("yaml", TEXTS[name]):
        given = yaml.safe_load(block)
        if set(given) <= set(Experiment.model_fields):
            Experiment.model_validate(base | given)


def test_the_example_configuration_is_complete(tmp_path: Path, monkeypatch) -> None:
    """It loads without a preset, and its panel and plan can be built from such a file."""
    (block,) = blocks("yaml")
    (tmp_path / "prices.yaml").write_text(block)
    rows = labelled_rows(8, 1200)[["date", "symbol", "close"]]
    rows.assign(volume=1e6).to_csv(tmp_path / "prices.csv", index=False)
    monkeypatch.chdir(tmp_path)
    experiment = load("prices.yaml")
    panel = build(experiment.data, experiment.target)
    assert len(experiment.split.folds(panel.dates, panel.label_end)) >= 1


def test_the_example_variant_works() -> None:
    names: dict[str, object] = {}
    exec(VARIANT, names)
    assert names["mine"].formula  # type: ignore[attr-defined]


@cache
def verdict_and_leaks(code: str) -> tuple[Verdict, list[str]]:
    """Audit the forecaster in ``code``: the verdict and the stages of the leaks."""
    rows = labelled_rows(10, 160)
    fold = own_fold(np.unique(rows["date"].to_numpy()).astype("datetime64[D]"), 5)
    names: dict[str, Any] = {}
    exec(code, names)
    report = audit_forecaster(
        names["forecast"], rows, fold,
        AuditOptions(known_at={"label": "known"}, target="label", horizon=5, cuts=4),
    )  # fmt: skip
    leaks = [f.stage for f in report.findings if f.verdict is Verdict.LEAK and f.counts]
    return report.verdict, leaks


@pytest.mark.parametrize(
    ("file", "honest", "leaky", "stage"),
    [
        ("README.md", "(1, 5, 21)", "(-1, 5, 21)", "features"),
        ("README.md", "dates.isin(fold.train_dates) & y", "y", "folds"),
        pytest.param(
            "tests/torch_forecaster.py", "return net.eval()", "return net", "network",
            marks=pytest.mark.slow,
        ),
    ],
)  # fmt: skip
def test_an_example_forecaster_is_clean_and_leaks_with_one_change(
    file: str, honest: str, leaky: str, stage: str
) -> None:
    code = FORECASTER if file == "README.md" else (ROOT / file).read_text()
    assert code.count(honest) == 1
    assert verdict_and_leaks(code) == (Verdict.CLEAN, [])
    verdict, leaks = verdict_and_leaks(code.replace(honest, leaky))
    assert verdict is Verdict.LEAK
    assert any(one.startswith(stage) for one in leaks)


def test_the_example_forecaster_can_leave_out_trace() -> None:
    """It is clean as a black box too."""
    code = FORECASTER.replace(", trace)", ")").replace("trace.train(lambda: ", "(")
    code = re.sub(r"trace\(\"\w+\", (.*)\)(\.reindex.*|)$", r"(\1)\2", code, flags=re.MULTILINE)
    assert "trace" not in code
    assert verdict_and_leaks(code) == (Verdict.CLEAN, [])


@pytest.mark.slow
def test_the_example_configuration_runs(tmp_path: Path) -> None:
    (block,) = blocks("yaml")
    (tmp_path / "prices.yaml").write_text(block)
    rows = labelled_rows(8, 1200)[["date", "symbol", "close"]]
    pd.DataFrame(rows).assign(volume=1e6).to_csv(tmp_path / "prices.csv", index=False)
    small = ["variants=[none]", "training.epochs=1", "references=[]", "attribution.samples=0"]
    done = subprocess.run(
        [sys.executable, "-m", "foldproof.flows", "compare", "prices.yaml", *small,
         "compute.workers=1", "audit.cuts=1", "audit.retrain_folds=0"],
        cwd=tmp_path, capture_output=True, text=True, timeout=400,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
