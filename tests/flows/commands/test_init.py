import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from foldproof.conf.load import load
from foldproof.flows.cli import app
from foldproof.tasks.data import build
from tests.labelled import labelled_rows

ROWS = labelled_rows(6, 420)[["date", "symbol", "close"]]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(os, "environ", dict(os.environ))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def init(*arguments: str) -> tuple[int, str, str]:
    """Exit status, output and errors of the command."""
    done = CliRunner().invoke(app, ["init", *arguments])
    return done.exit_code, done.stdout, done.stderr


def files(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()} - {".foldproof"}


def test_a_long_file_gets_a_configuration_that_builds_its_panel_and_folds(folder: Path) -> None:
    ROWS.rename(columns={"date": "Date", "symbol": "Ticker"}).to_csv("p.csv", index=False)
    status, said, _ = init("p.csv")
    assert status == 0
    assert files(folder) == {"p.csv", "p.yaml"}
    assert said.splitlines()[0] == "p.csv: a long table, read as it is"
    assert "columns: date 'Date', symbol 'Ticker', price 'close'" in said
    assert re.fullmatch(r"wrote p.yaml; next: \S*foldproof compare p.yaml", said.splitlines()[-1])
    experiment = load("p.yaml")
    assert experiment.name == "p"
    panel = build(experiment.data, experiment.target)
    assert panel.target.shape == (420, 6)
    folds = experiment.split.folds(panel.dates, panel.label_end)
    assert len(folds) == experiment.split.keep
    assert all(fold.train.start >= 252 for fold in folds), "training begins behind the look-back"


def test_a_wide_file_is_converted_to_the_same_panel(folder: Path) -> None:
    ROWS.to_csv("long.csv", index=False)
    ROWS.pivot(index="date", columns="symbol", values="close").to_csv("wide.csv")
    assert init("long.csv")[0] == 0
    status, said, _ = init("wide.csv")
    assert status == 0
    assert "wide.csv: it is wide, with a column for each of 6 symbols" in said
    assert "wrote wide_long.csv, the long table of it" in said
    one, other = (load(name) for name in ("long.yaml", "wide.yaml"))
    assert other.data.path == "wide_long.csv"
    first, second = (build(it.data, it.target) for it in (one, other))
    np.testing.assert_array_equal(first.values, second.values)
    np.testing.assert_array_equal(first.target, second.target)


def test_a_folder_of_files_is_named_by_them(folder: Path) -> None:
    (folder / "stocks").mkdir()
    for symbol, one in ROWS.groupby("symbol"):
        one.drop(columns="symbol").to_csv(f"stocks/{symbol}.csv", index=False)
    assert init("stocks")[0] == 0
    experiment = load("stocks.yaml")
    assert sorted(ROWS["symbol"].unique()) == build(experiment.data).symbols.tolist()


def test_nothing_is_overwritten_without_force(folder: Path) -> None:
    ROWS.pivot(index="date", columns="symbol", values="close").to_csv("w.csv")
    for name in ("w.yaml", "w_long.csv"):
        (folder / name).write_text("mine")
        status, _, said = init("w.csv")
        assert status == 2
        assert said == f"error: {name} is there already; overwrite it with --force, or move it\n"
        assert (folder / name).read_text() == "mine"
        (folder / name).unlink()
    (folder / "w.yaml").write_text("mine")
    assert init("w.csv", "--force")[0] == 0
    assert load("w.yaml").data.path == "w_long.csv"


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (ROWS[ROWS["date"] < ROWS["date"].unique()[300]], "300 dates are too few for a comparison"),
        (ROWS.assign(close=-1.0), "line 2 of p.csv .* close '-1.0' is not positive"),
        (ROWS.drop(columns="close"), "no column is recognized as price; name it price"),
        (ROWS.drop(columns="date").assign(n=1), "no column is recognized as date"),
        (ROWS[ROWS["symbol"] == "S00"].drop(columns="symbol"), "it holds one symbol"),
    ],
    ids=["short", "negative prices", "no price", "no dates", "one symbol"],
)  # fmt: skip
def test_a_refused_file_leaves_nothing_behind(rows: pd.DataFrame, said: str, folder: Path) -> None:

    rows.to_csv("p.csv", index=False)
    status, _, error = init("p.csv")
    assert status == 2
    assert re.search(said, error), error
    assert error.count("\n") == 1
    assert files(folder) == {"p.csv"}


def test_a_converted_file_that_is_refused_leaves_no_copy(folder: Path) -> None:
    short = ROWS[ROWS["date"] < ROWS["date"].unique()[300]]
    short.to_csv("p.csv", index=False, sep=";")
    assert init("p.csv")[0] == 2
    assert files(folder) == {"p.csv"}
    (folder / "p_long.csv").write_text("mine")
    assert init("p.csv", "--force")[0] == 2
    assert (folder / "p_long.csv").read_text() == "mine"


def test_warnings_about_the_table_are_shown() -> None:
    table = ROWS.assign(close=ROWS["close"].where(ROWS.index != 600, ROWS["close"] * 100))
    table.to_csv("p.csv", index=False)
    status, said, _ = init("p.csv")
    assert status == 0
    assert "warning: 2 prices differ from the symbol's previous price" in said


def test_a_name_that_yaml_would_read_otherwise_is_quoted(folder: Path) -> None:
    named = ROWS.rename(columns={"date": "Date", "symbol": "Name", "close": "C"})
    named.to_csv("2020-01-01.csv", index=False)
    assert init("2020-01-01.csv")[0] == 0
    assert load("2020-01-01.yaml").name == "2020-01-01"


@pytest.mark.slow
def test_the_configuration_runs(folder: Path) -> None:
    """Semicolons, decimal commas, other dates: init, then compare, as the README says."""
    table = ROWS.assign(
        date=ROWS["date"].dt.strftime("%d.%m.%Y"),
        close=ROWS["close"].map(lambda value: f"{value:.4f}".replace(".", ",")),
    )
    table.to_csv("kurse.csv", index=False, sep=";")
    foldproof = [sys.executable, "-m", "foldproof.flows"]
    small = ["variants=[none]", "training.epochs=1", "references=[zero]", "attribution.samples=0",
             "compute.workers=1", "audit.cuts=1", "audit.retrain_folds=0", "network.hidden=4",
             "network.window=5", "statistics.draws=100"]  # fmt: skip
    for command in (["init", "kurse.csv"], ["compare", "kurse.yaml", *small]):
        done = subprocess.run(
            [*foldproof, *command], cwd=folder, capture_output=True, text=True, timeout=400
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert json.dumps("rank IC")[1:-1] in done.stdout
