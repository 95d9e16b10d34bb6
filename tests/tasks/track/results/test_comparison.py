import getpass
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import mlflow
import pandas as pd
import pytest
from mlflow.entities import Run, ViewType

from foldproof.tasks.report.attribution.shares import importance_shares
from foldproof.tasks.report.results import Results
from foldproof.tasks.report.template import Report
from foldproof.tasks.track.results import comparison
from foldproof.tasks.track.results.comparison import log_comparison
from foldproof.tasks.track.store import Links, Store


@pytest.fixture(scope="module")
def logged(shared: Store, results: Results, report: Report) -> Links:
    return log_comparison(shared, results, report)


def runs(store: Store, view: int = ViewType.ACTIVE_ONLY) -> list[Run]:
    return list(store.client.search_runs([store.experiment_id], run_view_type=view))


def folder_of(store: Store, run_id: str) -> Path:
    return Path(unquote(urlsplit(store.client.get_run(run_id).info.artifact_uri).path))


def test_one_run_a_variant_and_a_summary_side_by_side(shared: Store, logged: Links) -> None:
    found = {run.info.run_id: run for run in runs(shared)}
    assert set(found) == {logged.summary_run_id, *logged.variant_run_ids.values()}
    assert set(logged.variant_run_ids) == {"none", "zscore", "full_sample_zscore"}
    for run in found.values():
        assert run.info.status == "FINISHED"
        assert run.data.tags["comparison"] == "example-0"
        assert "mlflow.parentRunId" not in run.data.tags


def test_the_summary_is_newest_and_the_best_before_it(
    shared: Store, results: Results, logged: Links
) -> None:
    newest = [run.info.run_id for run in sorted(runs(shared), key=lambda r: -r.info.start_time)]
    ranked = [logged.variant_run_ids[n] for n in results.ranking.index if n in results.variants]
    assert newest == [logged.summary_run_id, *ranked]


def test_numbers_arrive(shared: Store, results: Results, logged: Links) -> None:
    run_id = logged.variant_run_ids["zscore"]
    run = shared.client.get_run(run_id)
    assert run.data.metrics["oos/rank_ic"] == results.ranking.at["zscore", "rank_ic"]
    assert run.data.params["variant.title"] == "zscore"
    (point,) = shared.client.get_metric_history(run_id, "oos/rank_ic")
    assert point.value == run.data.metrics["oos/rank_ic"]
    history = shared.client.get_metric_history(run_id, "oos_by_fold/rank_ic")
    by_fold = results.comparison.by_fold.query("variant == 'zscore'").set_index("fold")
    assert {m.step: m.value for m in history} == by_fold["rank_ic"].to_dict()


def test_tables_arrive_whole(shared: Store, results: Results, logged: Links) -> None:
    folder = folder_of(shared, logged.variant_run_ids["zscore"])
    curves = pd.read_parquet(folder / "learning_curves.parquet")
    own = results.curves.query("variant == 'zscore'").reset_index(drop=True)
    pd.testing.assert_frame_equal(curves, own, check_dtype=False)
    for name in ("by_lag", "importance", "by_date", "completeness"):
        assert len(pd.read_parquet(folder / f"attribution_{name}.parquet"))
    shares = importance_shares(pd.read_parquet(folder / "attribution_importance.parquet"), "method")
    assert shares.loc["integrated_gradients"].sum() == pytest.approx(100.0, abs=1e-10)
    assert shares.loc["integrated_gradients"].notna().sum() == 12
    gaps = pd.read_parquet(folder / "attribution_completeness.parquet")
    assert gaps.groupby("fold")["gap_p99"].max().to_dict() == {0: 4e-7, 1: 4e-7}
    drift = pd.read_parquet(folder / "attribution_drift.parquet")
    table = results.attribution.newest.drift.query("variant == 'zscore'").reset_index(drop=True)
    pd.testing.assert_frame_equal(drift, table, check_dtype=False)
    overall = pd.read_csv(folder / "overall.csv", index_col="variant").loc["zscore"]
    assert overall["hac_t"] == pytest.approx(results.ranking.at["zscore", "hac_t"], rel=1e-14)
    by_fold = pd.read_csv(folder / "by_fold.csv")
    assert set(by_fold["variant"]) == {"zscore"}
    assert by_fold["ic"].notna().all()
    best = pd.read_parquet(folder / "best_epochs.parquet")
    assert len(best) == len(results.best_epochs.query("variant == 'zscore'"))
    findings = json.loads((folder / "findings.json").read_text())
    assert len(findings) == len(results.findings["zscore"])


def test_heat_maps_share_a_key_and_have_the_fold_as_step(shared: Store, logged: Links) -> None:
    images = folder_of(shared, logged.variant_run_ids["zscore"]) / "images"
    keys = sorted(path.name.split("+timestamp")[0] for path in images.glob("*.png"))
    assert keys == ["oos_attribution~heatmap+step+0", "oos_attribution~heatmap+step+1"]


def test_the_summary_holds_the_answer(
    shared: Store, results: Results, report: Report, logged: Links
) -> None:
    folder = folder_of(shared, logged.summary_run_id)
    assert (folder / "report.html").read_text() == report.page
    assert (folder / "config.yaml").read_text() == results.config_yaml
    assert (folder / "figures" / "ranking.svg").read_bytes() == report.figures["ranking"]
    ranking = pd.read_csv(folder / "ranking.csv", index_col="variant")
    assert list(ranking.index) == list(results.ranking.index)
    assert ranking.at["full_sample_zscore", "verdict"] == "LEAK"
    assert json.loads((folder / "ranking.json").read_text())["columns"][0] == "variant"
    forecasts = pd.read_parquet(folder / "forecasts.parquet")
    pd.testing.assert_frame_equal(forecasts, results.forecasts, check_dtype=False)


@pytest.mark.parametrize("variant", ["", "zscore"])
def test_the_panel_is_an_input_under_its_own_hash(
    variant: str, shared: Store, results: Results, logged: Links
) -> None:
    run_id = logged.variant_run_ids[variant] if variant else logged.summary_run_id
    (entry,) = shared.client.get_run(run_id).inputs.dataset_inputs
    assert results.panel_summary["fingerprint"].startswith(entry.dataset.digest)
    assert json.loads(entry.dataset.source)["sha256"] == results.panel_summary["fingerprint"]
    assert json.loads(entry.dataset.profile)["symbols"] == 5


def test_every_run_names_its_user_source_and_flow_run(
    store: Store, lean: Results, report: Report
) -> None:
    flow_run = {"prefect.flow_run_id": "1234", "mlflow.source.name": "foldproof compare"}
    named = replace(store, origin={**store.origin, **flow_run})
    log_comparison(named, lean, report)
    for run in runs(store):
        tags = run.data.tags
        assert tags["mlflow.user"] == getpass.getuser()
        assert tags["mlflow.source.type"] == "LOCAL"
        assert flow_run.items() <= tags.items()
        assert re.fullmatch("[0-9a-f]{40}", tags.get("mlflow.source.git.commit", "0" * 40))


def test_every_printed_link_selects_the_pages_for_machine_learning(logged: Links) -> None:
    for link in (logged.url, logged.report):
        query = urlsplit(link).fragment.partition("?")[2]
        assert parse_qs(query)["workflowType"] == ["machine_learning"]
    assert urlsplit(logged.report).fragment.partition("?")[0].endswith("/artifacts/report.html")


def test_logging_again_writes_nothing(store: Store, lean: Results, report: Report) -> None:
    logged = log_comparison(store, lean, report)
    before = {run.info.run_id: run.info.end_time for run in runs(store, ViewType.ALL)}
    assert log_comparison(store, lean, report) == logged
    assert {run.info.run_id: run.info.end_time for run in runs(store, ViewType.ALL)} == before


def test_another_comparison_has_runs_of_its_own(
    store: Store, lean: Results, report: Report
) -> None:
    logged = log_comparison(store, lean, report)
    other = log_comparison(store, replace(lean, comparison_id="other"), report)
    assert not set(other.variant_run_ids.values()) & set(logged.variant_run_ids.values())
    assert len(runs(store)) == 8


def interrupted(
    monkeypatch: pytest.MonkeyPatch, store: Store, work: Callable[[], Links], error: BaseException
) -> None:
    """Let ``work`` die in the middle of the second variant's run."""
    heatmaps, calls = comparison.log_heatmaps, []

    def fails_second(*args: object) -> None:
        calls.append(args)
        if len(calls) == 2:
            raise error
        heatmaps(*args)

    with monkeypatch.context() as patch:
        patch.setattr(comparison, "log_heatmaps", fails_second)
        with pytest.raises(type(error), match="pulled"):
            work()


@pytest.mark.parametrize("error", [OSError("plug pulled"), KeyboardInterrupt("plug pulled")])
def test_an_interrupted_log_is_completed_without_doubles(
    monkeypatch: pytest.MonkeyPatch,
    store: Store,
    lean: Results,
    report: Report,
    error: BaseException,
) -> None:
    interrupted(monkeypatch, store, lambda: log_comparison(store, lean, report), error)
    status = {run.info.run_id: run.info.status for run in runs(store)}
    assert sorted(status.values()) == ["FAILED", "FINISHED"]
    links = log_comparison(store, lean, report)
    done = {run.info.run_id for run in runs(store)}
    assert done == {links.summary_run_id, *links.variant_run_ids.values()}
    assert {run_id for run_id, state in status.items() if state == "FINISHED"} < done
    assert not {run_id for run_id, state in status.items() if state == "FAILED"} & done


def test_a_run_left_running_by_a_kill_is_replaced(
    store: Store, lean: Results, report: Report
) -> None:
    tags = {"comparison": lean.comparison_id, "variant": "zscore"}
    orphan = store.client.create_run(store.experiment_id, tags=tags).info.run_id
    links = log_comparison(store, lean, report)
    assert links.variant_run_ids["zscore"] != orphan
    assert orphan not in {run.info.run_id for run in runs(store)}
    assert len(runs(store)) == 4


def test_the_process_keeps_its_own_tracking_state(
    store: Store, lean: Results, report: Report
) -> None:
    before = mlflow.get_tracking_uri()
    log_comparison(store, lean, report)
    assert mlflow.get_tracking_uri() == before
    assert mlflow.active_run() is None
