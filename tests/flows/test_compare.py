"""``foldproof compare`` as a user runs it."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import httpx
import pandas as pd
import psutil
import pytest
from mlflow import MlflowClient, artifacts, pyfunc
from mlflow.entities import Run

from tests.flows.conftest import SMALL, Place
from tests.flows.served import free_port, running, until
from tests.tasks.track.conftest import OTHERS_WARNINGS

pytestmark = [pytest.mark.filterwarnings(text) for text in OTHERS_WARNINGS]


def client(place: Place) -> MlflowClient:
    return MlflowClient(tracking_uri=f"sqlite:///{place.folder}/.foldproof/mlflow.db")


def runs(place: Place) -> dict[str, Run]:
    """Runs by variant, finished or not; the summary as ``summary``."""
    store = client(place)
    experiment = store.get_experiment_by_name("foldproof")
    found = store.search_runs([experiment.experiment_id])
    named = {run.data.tags.get("variant", "summary"): run for run in found}
    assert len(named) == len(found), "a run was logged twice"
    return named


def forecasts(place: Place) -> pd.DataFrame:
    return pd.read_parquet(next((place.folder / ".foldproof").rglob("forecasts.parquet")))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_the_screen_shows_variants_ranking_and_answers(finished: tuple[Place, str]) -> None:
    output = finished[1]
    for variant in SMALL["variants"]:
        assert f"\n{variant:<22} rank IC" in output
    assert "may be the best" in output
    assert "ref:ridge" in output
    assert "The leak planted in full_sample_zscore shows" in output


@pytest.mark.slow
@pytest.mark.parametrize(("workers", "stop"), [(1, signal.SIGTERM), (2, signal.SIGINT)])
def test_an_interruption_does_not_wait_for_a_unit(place: Place, workers: int, stop: int) -> None:
    long = "training={epochs: 1000000, patience: 1000000, batch_size: 16}"
    process = place.start(long, "seeds=[0, 1]", f"compute.workers={workers}")
    log = []
    while "LSTM engine" not in (line := process.stdout.readline()):
        assert line, log
        log.append(line)
    time.sleep(10)  # it trains, and would for days
    assert process.poll() is None
    process.send_signal(stop)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130, output
    assert "interrupted; finished units are kept" in output
    assert "Traceback" not in output
    until(lambda: not left_in(place.folder), 30, place.config)


def left_in(folder: Path) -> list[int]:
    """Processes whose working directory is ``folder``."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.cwd() == str(folder) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
    return found


@pytest.mark.slow
def test_a_combinatorial_plan_is_compared_over_its_paths_and_not_retrained(place: Place) -> None:
    split = "split={plan: combinatorial, groups: 4, tested: 2, validation: 1, embargo: 3}"
    variants = "variants=[cs_rank, rolling_rank, full_sample_zscore]"
    done = place.run(split, variants, "statistics.reference=cs_rank", timeout=900)
    assert done.returncode == 0, done.stderr
    assert "combinatorial: 6 splits, 3 paths" in done.stdout
    table, folder = forecasts(place), place.folder / ".foldproof"
    assert table.groupby("path")["date"].nunique().tolist() == [416] * 3  # windows
    ranking = pd.read_csv(next(folder.rglob("ranking.csv")), index_col="variant")
    paths = pd.read_csv(next(folder.rglob("paths.csv")))
    by_path = paths.groupby(["variant", "path"])["rank_ic"].mean().unstack()
    assert by_path.shape == (5, 3)
    for name, row in ranking.iterrows():
        assert row["rank_ic"] == pytest.approx(by_path.loc[name].mean(), abs=1e-12)
        assert f"{row['rank_ic']:+.4f}" in done.stdout
    assert ranking.loc["cs_rank", "verdict"] == ranking.loc["rolling_rank", "verdict"] == "CLEAN"
    assert ranking.loc["full_sample_zscore", "verdict"] == "LEAK"
    page = next(folder.rglob("report.html")).read_text()
    assert "6 splits give 3 paths" in " ".join(page.split())
    assert not [*folder.rglob("portfolio_by_row.parquet")]
    for command in ("retrain", "audit"):
        arguments = [sys.executable, "-m", "foldproof.flows", command, str(place.config), split]
        refused = subprocess.run(
            arguments, cwd=place.folder, env=place.environment, capture_output=True, text=True
        )
        assert refused.returncode == 2
        assert "needs split.plan walk_forward" in refused.stderr
        assert "Traceback" not in refused.stderr


@pytest.mark.slow
def test_each_variant_is_tuned_on_folds_that_are_not_scored(place: Place) -> None:
    """Two seeds as well: the logged model is the ensemble that was compared."""
    done = place.run(
        "variants=[none, cs_rank]", "references=[zero]", "seeds=[0, 1]", "split.train=100",
        "split.keep=3", "tuning.folds=1", "tuning.learning_rate=[0.01, 0.000000001]",
        "training.epochs=1", "attribution.samples=0",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "cs_rank                tuned: learning_rate 0.01" in done.stdout
    assert sorted(forecasts(place)["fold"].unique()) == [1, 2]
    logged = runs(place)
    assert logged["cs_rank"].data.params["tuned.learning_rate"] == "0.01"
    assert logged["summary"].data.metrics["selection/earlier"] == 0
    table = pd.read_csv(next((place.folder / ".foldproof").rglob("tuning.csv")))
    assert table.groupby("variant").size().to_dict() == {"none": 2, "cs_rank": 2}
    best = table.loc[table.groupby("variant")["rank_ic"].idxmax()]
    assert best["chosen"].all()
    notes = [json.loads(one.read_text()) for one in place.folder.rglob("model.json")]
    assert [one["other_seeds"] for one in notes] == [[1], [1]]


def printed_command(output: str) -> str:
    """The command that opens the UI."""
    (command,) = re.findall(r"^To (?:look at it|open MLflow): (.*)$", output, re.MULTILINE)
    return str(command)


def test_the_printed_command_is_one(finished: tuple[Place, str]) -> None:
    place, output = finished
    done = subprocess.run(
        f"{printed_command(output)} --help", shell=True, cwd=place.folder, env=place.environment,
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Open the MLflow UI on the results" in done.stdout


@pytest.mark.slow
def test_the_printed_command_opens_the_ui_and_ctrl_c_ends_it(finished: tuple[Place, str]) -> None:
    (place, output), port = finished, free_port()
    log = place.folder / "ui.log"
    command = [*shlex.split(printed_command(output)), "--port", str(port)]
    with running(command, place.folder, log) as process:
        until(lambda: f"MLflow UI: http://127.0.0.1:{port}" in log.read_text(), 240, log)
        assert httpx.get(f"http://127.0.0.1:{port}/health").text == "OK"
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    assert "holds no results" not in log.read_text()
    assert log.read_text().endswith("interrupted; the MLflow UI has ended\n")
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}/health")


def foldproof(place: Place, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Another command in the same folder."""
    command = [sys.executable, "-m", "foldproof.flows", *arguments]
    return subprocess.run(
        command, cwd=place.folder, env=place.environment, capture_output=True, text=True
    )


@pytest.mark.slow
def test_the_comparison_is_listed_and_its_report_is_found(finished: tuple[Place, str]) -> None:
    place, output = finished
    listed = foldproof(place, "list")
    assert listed.returncode == 0, listed.stderr
    (row,) = [line for line in listed.stdout.splitlines() if SMALL["name"] in line]
    summary = runs(place)["summary"]
    assert summary.info.run_id[:8] in row
    assert summary.data.tags["best"] in row
    opened = foldproof(place, "open")
    assert opened.returncode == 0, opened.stderr
    assert f"Report: {opened.stdout}" in output
    assert Path(opened.stdout.strip()).read_text().startswith("<!doctype html>")


@pytest.mark.slow
@pytest.mark.parametrize(("name", "status"), [("list", 0), ("open", 2)])
def test_a_folder_without_results_stays_without_a_store(
    name: str, status: int, place: Place
) -> None:
    done = foldproof(place, name)
    assert done.returncode == status
    assert "there is no comparison yet: " in done.stdout + done.stderr
    assert "compare quick" in done.stdout + done.stderr
    assert not (place.folder / ".foldproof" / "mlflow.db").exists()


def test_each_variant_gets_a_run_beside_the_summary(finished: tuple[Place, str]) -> None:
    found = runs(finished[0])
    assert set(found) == {*SMALL["variants"], "summary"}
    assert {run.info.status for run in found.values()} == {"FINISHED"}
    assert len({run.data.tags["comparison"] for run in found.values()}) == 1
    assert found["full_sample_zscore"].data.tags["verdict"] == "LEAK"
    honest = [name for name in SMALL["variants"] if name != "full_sample_zscore"]
    assert {found[name].data.tags["verdict"] for name in honest} <= {"CLEAN", "UNKNOWN"}
    assert all(found[name].data.metrics["oos/rank_ic"] > 0.05 for name in honest)


def test_forecasts_trained_on_another_target_are_scored_on_the_common_one(
    finished: tuple[Place, str],
) -> None:
    """On a panel without ties a rank IC is that for the raw return, whatever kind is scored."""
    place = finished[0]
    table = forecasts(place)
    own = table[table["variant"] == "none -> cs_rank"].set_index(["date", "symbol"])
    common = table[table["variant"] == "cs_rank"].set_index(["date", "symbol"])
    pd.testing.assert_series_equal(own["target"], common["target"])
    daily = own.dropna().groupby("date")[["forecast", "target"]].corr("spearman")
    rank_ic = float(daily["target"].xs("forecast", level=1).mean())
    run = runs(place)["none -> cs_rank"]
    assert run.data.metrics["oos/rank_ic"] == pytest.approx(rank_ic)
    assert run.data.params["variant.target"] == "cs_rank"
    assert run.data.params["target.kind"] == runs(place)["cs_rank"].data.params["variant.target"]
    page = next((place.folder / ".foldproof").rglob("report.html")).read_text()
    assert "Trained on another kind of target: " in page
    assert "All forecasters are scored on return;" in page


def test_the_report_is_one_page_without_external_files(finished: tuple[Place, str]) -> None:
    place = finished[0]
    page = next((place.folder / ".foldproof").rglob("report.html")).read_text()
    assert "<script src" not in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert page.count("<svg ") >= 6


def test_the_model_loads_and_scores(finished: tuple[Place, str]) -> None:
    place = finished[0]
    store = client(place)
    run = runs(place)["cs_rank"]
    model_id = run.outputs.model_outputs[0].model_id
    folder = artifacts.download_artifacts(
        artifact_uri=store.get_logged_model(model_id).artifact_location,
        dst_path=str(place.folder / "model"),
    )
    model = pyfunc.load_model(folder)
    example = model.input_example
    scores = model.predict(example)
    assert len(scores) == 16
    assert scores["score"].notna().all()
    assert not list(Path(folder).rglob("*.pkl"))


@pytest.mark.slow
def test_the_same_command_again_trains_draws_and_logs_nothing_new(
    finished: tuple[Place, str],
) -> None:
    place, first = finished
    before = {name: run.info.run_id for name, run in runs(place).items()}
    again = place.run()
    assert again.returncode == 0, again.stderr
    assert {name: run.info.run_id for name, run in runs(place).items()} == before
    assert table_of(again.stdout) == table_of(first)
    spent = [set(re.findall(r"(report|tracking) \d", text)) for text in (first, again.stdout)]
    assert spent == [{"report", "tracking"}, set()]
    assert links_of(again.stdout) == links_of(first)


@pytest.mark.slow
def test_a_variant_that_leaks_is_no_candidate(place: Place) -> None:
    """The planted control as the user's own variant, which does not say that it leaks."""
    (place.folder / "mine.py").write_text(
        "from dataclasses import replace\n"
        "from foldproof.models.normalizers import VARIANTS\n"
        "leak = replace(VARIANTS['full_sample_zscore'], control=False, title='leak')\n"
    )
    done = place.run("variants=[none, zscore, mine:leak]")
    assert done.returncode == 0, done.stderr
    ranking = pd.read_csv(next((place.folder / ".foldproof").rglob("ranking.csv")))
    inside = ranking.set_index("variant")["in_confidence_set"]
    assert not inside["mine:leak"]
    assert inside[["none", "zscore"]].any()
    assert "mine:leak *" not in done.stdout
    assert "1 of 3 variants leak" in done.stdout


@pytest.mark.slow
def test_two_processes_and_another_storage_give_the_same_bits(
    finished: tuple[Place, str], place: Place
) -> None:
    shared, own = place.folder / "shared" / "results", place.folder / ".foldproof" / "results"
    done = place.run("compute.workers=2", f"compute.storage={shared.parent.as_uri()}")
    assert done.returncode == 0, done.stderr
    assert {file.name.partition("-")[0] for file in shared.iterdir()} >= {"train", "diagnose"}
    assert not own.exists() or not [*own.iterdir()], "results are kept in one place"
    assert table_of(done.stdout) == table_of(finished[1])
    pd.testing.assert_frame_equal(forecasts(place), forecasts(finished[0]), check_exact=True)


@pytest.mark.slow
@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_comparison_goes_on_to_the_same_result(
    stop: signal.Signals, finished: tuple[Place, str], place: Place
) -> None:
    process = place.start()
    results = place.folder / ".foldproof" / "results"
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and len(list(results.glob("train-*"))) < 3:
        assert process.poll() is None, "it ended before it was stopped"
        time.sleep(0.2)
    if stop is signal.SIGINT:
        os.killpg(process.pid, stop)  # a terminal sends it to the whole group
    else:
        os.kill(process.pid, stop)
    output, _ = process.communicate(timeout=120)
    assert process.returncode != 0
    if stop is not signal.SIGKILL:
        assert "interrupted" in output
        assert "Traceback" not in output
    kept = {file: file.stat().st_mtime_ns for file in results.glob("train-*")}
    again = place.run()
    assert again.returncode == 0, again.stderr
    assert all(file.stat().st_mtime_ns == at for file, at in kept.items()), "trained again"
    assert table_of(again.stdout) == table_of(finished[1])
    assert {run.info.status for run in runs(place).values()} == {"FINISHED"}
    pd.testing.assert_frame_equal(forecasts(place), forecasts(finished[0]), check_exact=True)


def slow(*values: object) -> object:
    """A case like the others, in the slow run only."""
    return pytest.param(*values, marks=pytest.mark.slow)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["training.epoch=5"], "training.epoch: no such key; did you mean training.epochs?"),
        slow(["split.train=5000"], "short"),
        slow(["data.source=file", "data.path=nowhere.csv"], "nowhere.csv"),
        slow(["tracking.uri=http://127.0.0.1:9"], "no tracking server answers"),
    ],
)
def test_a_wrong_setting_gets_one_message_and_exit_status_2(
    arguments: list[str], message: str, place: Place
) -> None:
    done = place.run(*arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stderr.startswith("error: ")
    assert message in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def links_of(output: str) -> str:
    """The last lines: where the report and the charts are."""
    return output[output.index("\nReport: ") :]


def table_of(output: str) -> str:
    """The ranking and the answers, which must repeat; without the seconds."""
    return output[output.index("Out of sample") : output.index("seconds:")]
