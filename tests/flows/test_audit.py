"""The audit from the shell: of a user's forecaster, of variants, and its benchmark."""

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import typer
import yaml
from mlflow import MlflowClient

from foldproof.conf.outside import load_outside
from foldproof.flows.audit import request_with_rows
from foldproof.flows.benchmark import run_benchmark, run_power
from foldproof.flows.certify import run_certify
from tests.flows.conftest import SMALL, Place
from tests.labelled import labelled_rows
from tests.tasks.track.conftest import OTHERS_WARNINGS

pytestmark = [pytest.mark.filterwarnings(text) for text in OTHERS_WARNINGS]

FORECASTER = """
import pandas as pd


def forecast(data, fold, trace):
    rows = data.set_index(["date", "symbol"]).sort_index()
    close = rows["close"].groupby(level=1)
    x = trace("features", close.pct_change(5))
    known = x.index[x.index.get_level_values(0).isin(fold.train_dates) & x.notna()]
    y = rows["label"].reindex(known).dropna()
    slope = trace.train(lambda: (x.reindex(y.index) * y).sum() / (x.reindex(y.index) ** 2).sum())
    test = x.index.get_level_values(0).isin(fold.test_dates)
    return slope * x[test]
"""
IGNORES_ROWS = """
import pandas as pd


def forecast(data, fold):
    asked = data["date"].isin(fold.test_dates)
    place = data["symbol"].str[1:].astype(float) + data["date"].dt.day
    return place[asked].set_axis(pd.MultiIndex.from_frame(data.loc[asked, ["date", "symbol"]]))
"""
"""Its scores depend on dates and names alone, not on values in the rows."""
SETTINGS = ("known_at.label=known", "target=label", "horizon=5", "cuts=4")


class Auditor(Place):
    """A folder with rows and somebody's own forecasters."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        # too large for the parameters of a Prefect flow
        labelled_rows(16, 400).to_parquet(folder / "rows.parquet")
        (folder / "mine.py").write_text(FORECASTER)
        leaky = FORECASTER.replace("pct_change(5)", "pct_change(5).groupby(level=1).shift(-2)")
        (folder / "leaky.py").write_text(leaky)

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "foldproof.flows", "audit", *arguments]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Auditor:
    return Auditor(tmp_path_factory.mktemp("auditor"))


def findings_of(done: subprocess.CompletedProcess[str]) -> Path:
    """The folder that is printed, with what was found."""
    (folder,) = re.findall(r"^Findings: (.+)$", done.stdout, re.MULTILINE)
    return Path(folder)


@pytest.mark.slow
def test_an_honest_forecaster_is_clean_and_a_shift_of_two_days_is_found(place: Auditor) -> None:
    done = place.run("mine:forecast", "rows.parquet", *SETTINGS, "--quick")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    assert "verdict: CLEAN" in done.stdout
    folder = findings_of(done)
    assert {one.name for one in folder.iterdir()} >= {
        "report.html", "mine_forecast.json", "mine_forecast.md"
    }  # fmt: skip
    content = json.loads((folder / "mine_forecast.json").read_text())
    assert content["verdict"] == "CLEAN"
    sheet = (folder / "mine_forecast.md").read_text().split("\n\n", 2)[-1]
    assert "Are delisted companies and their last returns included?" in sheet  # left to people

    done = place.run("leaky:forecast", "rows.parquet", *SETTINGS, "--quick")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "leaky:forecast: leaks at features" in done.stdout
    assert "at least 2 trading days ahead" in done.stdout
    assert "added rank IC: Not measurable: no replayed date has an honest forecast." in done.stdout
    store = MlflowClient(tracking_uri=f"sqlite:///{place.folder}/.foldproof/mlflow.db")
    experiment = store.get_experiment_by_name("foldproof")
    found = store.search_runs([experiment.experiment_id])
    assert sorted(run.data.tags["verdict"] for run in found) == ["CLEAN", "LEAK"]
    assert {run.info.status for run in found} == {"FINISHED"}


def slow(*values: object) -> object:
    """A case like the others, in the slow run only."""
    return pytest.param(*values, marks=pytest.mark.slow)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("mine:forecast", "rows.parquet", "horizn=5"), "did you mean horizon?"),
        slow(("mine:forecast", "rows.parquet", "target=labl"), "label"),
        slow(("mine:forecast",), "mine:forecast needs the file of its rows"),
        slow((), "say what to audit"),
        slow(("mine:forecast", "rows.parquet", "known_at.label=knwon"), "known"),
        slow(("mine:forecst", "rows.parquet"), "mine defines no 'forecst'; did you mean forecast?"),
        slow(("nobody:forecast", "rows.parquet"), "No module named 'nobody'"),
        slow(("mine:forecast", "rws.parquet"), "rws.parquet"),
        slow(("smal.yaml",), "smal.yaml"),
    ],
)
def test_a_mistake_gets_one_message_and_exit_status_2(
    place: Auditor, arguments: tuple[str, ...], said: str
) -> None:
    done = place.run(*arguments)
    assert done.returncode == 2, done.stdout
    assert said in done.stderr
    assert "Traceback" not in done.stderr + done.stdout


@pytest.mark.slow
def test_a_forecaster_that_ignores_its_rows_is_inconclusive(place: Auditor) -> None:
    (place.folder / "ignores.py").write_text(IGNORES_ROWS)
    done = place.run("ignores:forecast", "rows.parquet", "cuts=2", "--quick")
    assert done.returncode == 2, done.stdout + done.stderr
    assert not done.stderr
    assert re.search(r"^UNKNOWN +ignores:forecast: ", done.stdout, re.MULTILINE), done.stdout
    assert "verdict: UNKNOWN, undecided" in done.stdout
    content = json.loads((findings_of(done) / "ignores_forecast.json").read_text())
    assert content["verdict"] == "UNKNOWN"


def test_the_newest_fold_of_a_plan_is_audited_and_purged_by_label_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Auditor(tmp_path).folder)
    settings = ["horizon=5", "start=2020-03-02", "target=label", "split.train=60"]
    plan = ["split.validation=20", "split.test=30", "split.embargo=2"]
    _, rows, fold = request_with_rows(
        load_outside("mine:forecast", "rows.parquet", [*settings, *plan])
    )
    assert rows["date"].min() == pd.Timestamp("2020-03-02")
    np.testing.assert_array_equal(fold.calendar, np.unique(rows["date"].to_numpy()))
    assert (len(fold.train), len(fold.validation), len(fold.test)) == (60, 20, 30)
    assert fold.test.stop == len(fold.calendar)
    # a label from the next row over 5 rows is known 6 rows later; then 2 days of embargo
    for before, after in ((fold.train, fold.validation), (fold.validation, fold.test)):
        assert after.start - (before.stop - 1) == 6 + 2 + 1
    *_, own = request_with_rows(load_outside("mine:forecast", "rows.parquet", settings[:3]))
    assert own.train.start == 0
    assert len(own.train) == len(own.calendar) // 2


@pytest.mark.slow
def test_a_forecaster_that_raises_is_reported_with_its_error(place: Auditor) -> None:
    (place.folder / "fails.py").write_text(
        "def forecast(data, fold):\n    return data['nothing']\n"
    )
    done = place.run("fails:forecast", "rows.parquet")
    assert done.returncode == 2
    assert "fails:forecast cannot be audited: KeyError: 'nothing' (" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_an_interruption_is_reported_and_leaves_no_results(tmp_path: Path) -> None:
    place = Auditor(tmp_path)
    slow = "import time\n" + FORECASTER.replace("    rows =", "    time.sleep(300)\n    rows =")
    (tmp_path / "slow.py").write_text(slow)
    process = place.start("slow:forecast", "rows.parquet", *SETTINGS)
    store = tmp_path / ".foldproof" / "mlflow.db"
    deadline = time.monotonic() + 120
    while not store.exists():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    time.sleep(5)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)  # in the midst of a run of theirs
    assert process.returncode == 130, output
    assert "interrupted; no result is half-written" in output
    assert "Traceback" not in output
    assert not [*(tmp_path / ".foldproof").glob("audits/*")]


@pytest.mark.slow
def test_the_planted_control_does_not_decide_the_verdict_on_the_variants(
    tmp_path: Path,
) -> None:
    place = Auditor(tmp_path)
    variants = ["none", "none -> cs_rank", "full_sample_zscore"]
    small = SMALL | {"variants": variants, "training": {"epochs": 2}}
    place.config.write_text(yaml.safe_dump(small))
    done = place.run("small.yaml", "--quick")
    assert re.search(
        r"^CLEAN +no normalization: no dependence on the future", done.stdout, re.MULTILINE
    ), done.stdout
    assert re.search(r"^CLEAN +none -> cs_rank: no dependence", done.stdout, re.MULTILINE)
    assert re.search(r"^LEAK +full_sample_zscore: leaks at", done.stdout, re.MULTILINE)
    assert "verdict: CLEAN" in done.stdout
    assert done.returncode == 0


@pytest.mark.slow
def test_the_benchmark_runs_named_cases(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_benchmark(1, ["01", "c01"]) == 0
    shown = capsys.readouterr().out
    assert "1 of 1 audits of the catalogue leaks caught, by a test that names the stage" in shown
    assert "0 of 1 audits of honest pipelines flagged" in shown
    kept = pd.read_csv(tmp_path / ".foldproof/benchmark/cases.csv", dtype={"case": str})
    assert kept["case"].tolist() == ["01", "c01"]
    with pytest.raises(typer.Exit) as ended:
        run_benchmark(1, ["99"])
    assert ended.value.exit_code == 2
    assert "no case '99'; there are catalogue, 01, " in capsys.readouterr().err.replace("\n", " ")


@pytest.mark.slow
def test_power_is_measured_for_a_named_test(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    run_power(2, ["T8 rows"])
    shown = capsys.readouterr().out
    assert "0/2" in shown  # flagged where nothing is planted
    kept = pd.read_csv(tmp_path / ".foldproof/benchmark/power.csv")
    assert set(kept["dial"]) == {"T8 rows"}
    assert kept.loc[kept["honest"], "rate"].tolist() == [0.0]
    assert kept.loc[~kept["honest"], "rate"].tolist() == [1.0] * 5
    with pytest.raises(typer.Exit) as ended:
        run_power(2, ["T99"])
    assert ended.value.exit_code == 2
    assert "no dial of T99; there are T1, " in capsys.readouterr().err


@pytest.mark.slow
def test_claims_of_named_variants_are_measured_and_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A combination holds its claims; a user's own variant that denies its coupling does not."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_claims.py").write_text(
        "from dataclasses import replace\n"
        "from foldproof.models.normalizers import VARIANTS\n"
        "DENIES = replace(VARIANTS['cs_rank'], coupling='none')\n"
    )
    assert run_certify(["cs_rank + layer_norm"], quick=False) == 0
    kept = pd.read_parquet(tmp_path / ".foldproof/audits/variants/certificate.parquet")
    assert kept["holds"].astype(bool).all()
    capsys.readouterr()
    assert run_certify(["cs_rank", "own_claims:DENIES"], quick=True) == 1
    shown = capsys.readouterr().out
    assert "date, claimed none / date" in shown
    assert "own_claims:DENIES: coupling: date, claimed none" in shown
    assert "2 variants: 1 with a claim that does not hold" in shown
    folder = tmp_path / ".foldproof/audits/variants"
    (first, second) = json.loads((folder / "certificate.json").read_text())
    assert (first["broken"], second["broken"]) == ([], ["coupling"])
    assert "own_claims:DENIES: coupling" in (folder / "certificate.md").read_text()
    with pytest.raises(typer.Exit) as ended:
        run_certify(["cs_rnk"], quick=True)
    assert ended.value.exit_code == 2
    assert "did you mean cs_rank?" in capsys.readouterr().err
