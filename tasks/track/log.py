"""Log a comparison: one summary run, and one run a variant beside it."""

import json
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from io import BytesIO
from pathlib import Path

import pandas as pd
from mlflow.entities import Dataset, DatasetInput
from PIL import Image

from foldproof.tasks.diagnose.findings.finding import Finding
from foldproof.tasks.report import Report, Results, heatmap_of, render
from foldproof.tasks.report.attribution.shares import ranked_features
from foldproof.tasks.report.audit.matrix import SHARED
from foldproof.tasks.track.model import ModelFiles, log_model
from foldproof.tasks.track.runs import SUMMARY, finished_runs, log_values, new_run
from foldproof.tasks.track.store import Links, Store, report_url, ui_command, url_of
from foldproof.tasks.track.values import (
    key_of,
    summary_params,
    summary_tags,
    summary_values,
    variant_params,
    variant_tags,
    variant_values,
)


def log_comparison(
    store: Store,
    results: Results,
    report: Report,
    models: Mapping[str, ModelFiles] | None = None,
) -> Links:
    """Write every run that is not there yet and say where they are.

    The runs stand side by side, joined by the tag ``comparison``: the UI's charts hide nested runs.
    The worst variant is written first, because the charts show the newest ten. Logging the same
    comparison again writes only what is missing.

    Args:
        store: Where to.
        results: The comparison.
        report: Its page and figures.
        models: By variant, what to log as a model; variants without an entry get none.
    """
    url = url_of(store, results.comparison_id)
    runs = finished_runs(store, results.comparison_id)
    ranked = [str(name) for name in results.ranking.index if name in results.variants]
    for name in reversed(ranked):
        if name not in runs:
            runs[name] = log_variant(store, results, name, (models or {}).get(name))
    if SUMMARY not in runs:
        runs[SUMMARY] = log_summary(store, results, report, url)
    variants = {name: runs[name] for name in ranked}
    report_link = report_url(store, runs[SUMMARY])
    return Links(runs[SUMMARY], variants, url, report_link, ui_command(store))


def log_variant(store: Store, results: Results, name: str, model: ModelFiles | None) -> str:
    """One variant's run: numbers, tables, attribution heat maps, findings, the model."""
    with new_run(store, name, variant_tags(results, name)) as run_id:
        log_values(store, run_id, variant_values(results, name), variant_params(results, name))
        with tempfile.TemporaryDirectory() as folder:
            write_tables(results, name, Path(folder))
            store.client.log_artifacts(run_id, folder)
        log_heatmaps(store, run_id, results, name)
        if model is not None:
            log_model(store, run_id, key_of(name).replace(".", "_"), model)
    return run_id


def write_tables(results: Results, name: str, folder: Path) -> None:
    """The variant's rows of every long table, and its findings; forecasts are the summary's."""
    tables = {
        "learning_curves": results.curves,
        "attribution_by_lag": results.attribution.lagged,
        "attribution_importance": results.attribution.importance,
        "attribution_by_date": results.attribution.series,
        "attribution_completeness": results.attribution.gap,
        "attribution_by_origin": results.attribution.newest.origins,
        "attribution_to_supplied": results.attribution.newest.supplied,
        "attribution_by_return": results.attribution.newest.by_return,
        "attribution_to_prices": results.attribution.newest.to_prices,
        "attribution_by_baseline": results.attribution.newest.baselines,
        "attribution_by_period": results.attribution.periods,
        "attribution_drift": results.attribution.newest.drift,
        "attribution_checks": results.attribution.newest.checks,
    }
    for key, table in tables.items():
        own = table[table["variant"] == name]
        if len(own):
            own.to_parquet(folder / f"{key}.parquet", index=False)
    write_findings(results.findings.get(name, ()), folder / "findings.json")


def write_findings(findings: Iterable[Finding], path: Path) -> None:
    """Findings as JSON, which knows no NaN: a number that does not exist is null."""
    table = pd.DataFrame([asdict(finding) for finding in findings])
    path.write_text(table.to_json(orient="records", indent=2), encoding="utf-8")


def log_heatmaps(store: Store, run_id: str, results: Results, name: str) -> None:
    """The attribution of every fold under one key: the UI shows a slider over folds, side by side.

    The slash puts the pictures into a section of their own in front; without one they come last.
    Colours are scaled within each picture; features stand in one order on all folds.
    """
    lagged = results.attribution.lagged
    if name not in set(lagged["variant"]):
        return
    order = list(ranked_features(results.attribution.importance, name).index)
    for fold, rows in lagged[lagged["variant"] == name].groupby("fold"):
        png = render(heatmap_of(rows, f"{name}, fold {fold}", order))
        with Image.open(BytesIO(png)) as image:
            store.client.log_image(run_id, image, key="attribution/heatmap", step=int(str(fold)))


def log_summary(store: Store, results: Results, report: Report, url: str) -> str:
    """The run that answers the question by itself."""
    name = f"{results.title}: summary"
    with new_run(store, name, summary_tags(results, url)) as run_id:
        log_values(store, run_id, summary_values(results), summary_params(results))
        store.client.log_inputs(run_id, [DatasetInput(panel_of(results))])
        with tempfile.TemporaryDirectory() as folder:
            write_summary(results, report, Path(folder))
            store.client.log_artifacts(run_id, folder)
        ranking = results.ranking.rename_axis("variant").reset_index()
        store.client.log_table(run_id, ranking.astype(object), "ranking.json")
    return run_id


def write_summary(results: Results, report: Report, folder: Path) -> None:
    """The report, its figures, the configuration, and the tables that concern all variants."""
    (folder / "report.html").write_text(report.page, encoding="utf-8")
    (folder / "config.yaml").write_text(results.config_yaml, encoding="utf-8")
    (folder / "figures").mkdir()
    for key, png in report.figures.items():
        (folder / "figures" / f"{key}.png").write_bytes(png)
    ranking = results.ranking.assign(verdict=[results.verdict(n) for n in results.ranking.index])
    ranking.to_csv(folder / "ranking.csv", index_label="variant")
    results.comparison.by_fold.to_csv(folder / "by_fold.csv", index=False)
    results.comparison.daily.to_csv(folder / "daily_rank_ic.csv", index_label="date")
    results.plan_audit.to_csv(folder / "fold_plan.csv", index=False)
    results.forecasts.to_parquet(folder / "forecasts.parquet", index=False)
    shared = [finding for subject in SHARED for finding in results.findings.get(subject, ())]
    write_findings(shared, folder / "shared_findings.json")


def panel_of(results: Results) -> Dataset:
    """The panel as an input of the run, under the fingerprint of all its content.

    MLflow's own digest of a frame reads its first 10,000 rows only.
    """
    fingerprint = str(results.panel_summary["fingerprint"])
    source = {"source": str(results.panel_about.get("source", "")), "sha256": fingerprint}
    shape = {
        key: len(value) if isinstance(value, list | tuple) else value
        for key, value in results.panel_summary.items()
    }
    return Dataset(
        name="panel",
        digest=fingerprint[:36],
        source_type="foldproof",
        source=json.dumps(source),
        profile=json.dumps(shape, default=str),
    )
