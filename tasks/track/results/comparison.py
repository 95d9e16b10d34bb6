"""Log a comparison: one summary run, and one run per variant beside it.

Figures are imported where they are drawn: nightly commands import this file and draw none.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from mlflow.entities import Dataset

from foldproof.tasks.compare.cube import Tables, tables_of
from foldproof.tasks.diagnose.findings.finding import Finding
from foldproof.tasks.report.attribution.shares import ranked_features
from foldproof.tasks.report.results import Results
from foldproof.tasks.report.template import Report
from foldproof.tasks.track.files import File
from foldproof.tasks.track.model.log_model import ModelFiles, log_measured, log_model
from foldproof.tasks.track.results.comparison_entries import (
    missing_tag,
    model_tags,
    overall_values,
    panel_shape,
    summary_params,
    summary_tags,
    summary_values,
    variant_params,
    variant_tags,
    variant_values,
)
from foldproof.tasks.track.results.panel_input import as_input, panel_dataset
from foldproof.tasks.track.runs import SUMMARY, finished_runs, logged_run
from foldproof.tasks.track.store import Links, Store, charts_url, links_to

HEATMAP = "oos_attribution/heatmap"
"""Name of the pictures of the attribution; in the charts they follow the rank IC."""
ATTRIBUTION_TABLES = {
    "by_lag": "lagged", "importance": "importance", "by_date": "series", "completeness": "gap",
    "by_origin": "origins", "to_supplied": "supplied", "by_return": "by_return",
    "to_prices": "to_prices", "by_baseline": "baselines", "by_period": "periods",
    "drift": "drift", "checks": "checks",
}  # fmt: skip
"""Table of an Attribution, or of its newest unit, by the name of its file."""


def log_comparison(
    store: Store,
    results: Results,
    report: Report,
    models: Mapping[str, ModelFiles] | None = None,
) -> Links:
    """Write every run that does not exist yet; return where they are.

    The runs are joined by the tag ``comparison`` and not nested, because the UI's charts hide
    nested runs. The worst variant is written first, because the charts show the newest ten.

    Args:
        store: Where to log.
        results: The comparison.
        report: Its page and figures.
        models: The model to log for a variant; variants without an entry get none.
    """
    runs = finished_runs(store, results.comparison_id, missing_tag(results))
    ranked = [str(name) for name in results.ranking.index if name in results.variants]
    for name in reversed(ranked):
        if name not in runs:
            runs[name] = log_variant(store, results, name, (models or {}).get(name))
    if SUMMARY not in runs:
        runs[SUMMARY] = log_summary(store, results, report)
    variants = {name: runs[name] for name in ranked}
    return links_to(store, results.comparison_id, runs[SUMMARY], variants)


def find_comparison(store: Store, results: Results) -> Links | None:
    """Where the comparison was logged; None unless all its runs are finished."""
    runs = finished_runs(store, results.comparison_id, missing_tag(results))
    if not {SUMMARY, *results.variants} <= set(runs):
        return None
    variants = {name: runs[name] for name in results.variants}
    return links_to(store, results.comparison_id, runs[SUMMARY], variants)


def log_variant(store: Store, results: Results, name: str, model: ModelFiles | None) -> str:
    """One variant's run: metrics, tables, attribution heat maps, findings, the panel, the model.

    The overall metrics belong to the model too, so that MLflow's page of models ranks it. System
    metrics are not logged: the variant was trained in other processes, before this run exists. The
    summary has the CPU seconds of every step.
    """
    content = (
        variant_tags(results, name),
        variant_values(results, name),
        variant_params(results, name),
        variant_files(results, name),
    )
    with logged_run(store, name, *content) as run_id:
        store.client.log_inputs(run_id, [as_input(panel_of(results))])
        log_heatmaps(store, run_id, results, name)
        model_id = None
        if model is not None:
            about = model_tags(results, name), variant_params(results, name)
            model_id = log_model(store, run_id, name, model, *about)
        log_measured(store, run_id, overall_values(results, name), model_id, panel_of(results))
    return run_id


def variant_files(results: Results, name: str) -> Iterator[File]:
    """The variant's rows of every table, and its findings."""
    found = vars(results.attribution) | vars(results.attribution.newest)
    tables = {"learning_curves": results.curves, "best_epochs": results.best_epochs} | {
        f"attribution_{file}": found[table] for file, table in ATTRIBUTION_TABLES.items()
    }
    for key, table in tables.items():
        own = table[table["variant"] == name]
        if len(own):
            yield f"{key}.parquet", own
    yield "overall.csv", results.ranking.loc[[name]].rename_axis("variant").reset_index()
    by_fold = results.comparison.by_fold
    yield "by_fold.csv", by_fold[by_fold["variant"] == name]
    yield "findings.json", findings_json(results.findings.get(name, ()))


def findings_json(findings: Iterable[Finding]) -> str:
    """Findings as JSON, NaN as null."""
    table = pd.DataFrame([asdict(finding) for finding in findings])
    return table.to_json(orient="records", indent=2)


def log_heatmaps(store: Store, run_id: str, results: Results, name: str) -> None:
    """The attribution of every fold under one key: the UI shows a slider over folds.

    Each picture has its own colour scale; the order of features is the same on all folds.
    """
    from PIL import Image

    from foldproof.tasks.report.attribution.figures import heatmaps_of

    lagged = results.attribution.lagged
    if name not in set(lagged["variant"]):
        return
    order = list(ranked_features(results.attribution.importance, name).index)
    for fold, png in heatmaps_of(lagged[lagged["variant"] == name], name, order):
        with Image.open(BytesIO(png)) as image:
            store.client.log_image(run_id, image, key=HEATMAP, step=fold)


def log_summary(store: Store, results: Results, report: Report) -> str:
    """The summary run: answers, report, ranking, tables of all variants."""
    content = (
        summary_tags(results, charts_url(store, results.comparison_id)),
        summary_values(results),
        summary_params(results),
        summary_files(results, report),
    )
    with logged_run(store, f"{results.title}: summary", *content) as run_id:
        store.client.log_inputs(run_id, [as_input(panel_of(results))])
        ranking = results.ranking.rename_axis("variant").reset_index()
        store.client.log_table(run_id, ranking.astype(object), "ranking.json")
    return run_id


def summary_files(results: Results, report: Report) -> Iterator[File]:
    """The report, its figures, the configuration, and the tables that concern all variants."""
    from foldproof.tasks.report.audit.matrices import SHARED

    yield "report.html", report.page
    yield "config.yaml", results.config_yaml
    for key, svg in report.figures.items():
        yield f"figures/{key}.svg", svg
    ranking = results.ranking.assign(verdict=[results.verdict(n) for n in results.ranking.index])
    yield "ranking.csv", ranking.rename_axis("variant").reset_index()
    yield "by_fold.csv", results.comparison.by_fold
    yield "daily_rank_ic.csv", results.comparison.daily.rename_axis("date").reset_index()
    if len(results.comparison.paths):
        yield "paths.csv", results.comparison.paths
    if len(results.tuning):
        yield "tuning.csv", results.tuning
    yield "fold_plan.csv", results.plan_audit
    yield "forecasts.parquet", partial(write_forecasts, results.forecasts)
    for name, table in further_tables(results).items():
        if len(table):
            yield f"{name}.parquet", table
    shared = [finding for subject in SHARED for finding in results.findings.get(subject, ())]
    yield "shared_findings.json", findings_json(shared)


def write_forecasts(forecasts: pd.DataFrame | Tables, file: Path) -> None:
    """Write tables of forecasts to one Parquet file, one after the other."""
    with ExitStack() as stack:
        writer: pq.ParquetWriter | None = None
        for table in tables_of(forecasts):
            # those of references are float64, those of the LSTM float32
            numbers = table.astype({"forecast": np.float64})
            content = pa.Table.from_pandas(numbers, preserve_index=False)
            writer = writer or stack.enter_context(pq.ParquetWriter(file, content.schema))
            writer.write_table(content)


def further_tables(results: Results) -> dict[str, pd.DataFrame]:
    """The tables of the decomposition and of the portfolios, by the name of their file."""
    made, held = results.decomposition, results.portfolios
    tables: dict[str, pd.DataFrame] = {}
    if made is not None:
        tables |= {
            "decomposition_by_row": made.table.reset_index(),
            "decomposition_neutral_rank_ic": made.neutral.reset_index(),
            "decomposition_by_regime": made.regimes,
            "decomposition_by_horizon_and_delay": made.decay,
        }
    if held is not None:
        tables |= {
            "portfolio_by_row": held.table,
            "portfolio_by_cost": held.costs,
            "portfolio_quantiles": held.quantiles,
            "portfolio_order": held.monotonic.reset_index(),
            "portfolio_daily_profit": held.profits.reset_index(),
            "portfolio_daily_trades": held.trades.reset_index(),
        }
    return tables


def panel_of(results: Results) -> Dataset:
    """The panel as a data set."""
    source = str(results.panel_about.get("source", ""))
    return panel_dataset(str(results.panel_summary["fingerprint"]), source, panel_shape(results))
