"""Log a study on several panels as one run that links the runs of the panels' comparisons."""

from collections.abc import Iterator

from foldproof.tasks.report.panel_study.answer import study_markdown
from foldproof.tasks.report.panel_study.results import PanelStudyResults
from foldproof.tasks.report.template import Report
from foldproof.tasks.track.entries import NOTE, Value, flat, seconds
from foldproof.tasks.track.files import File
from foldproof.tasks.track.runs import log_once
from foldproof.tasks.track.store import Links, Store


def log_study_of_panels(store: Store, results: PanelStudyResults, report: Report) -> Links:
    """Write the run unless it exists; return where it is."""
    settings = flat(results.config, without=("tracking", "compute"))
    return log_once(
        store, results.title, panel_study_tags(results), panel_study_values(results), settings,
        panel_study_files(results, report), table=results.pooled,
    )  # fmt: skip


def panel_study_tags(results: PanelStudyResults) -> dict[str, str]:
    """Tags that identify the run, its plan and the panels' runs; the answer as description."""
    return {
        "comparison": results.study_id,
        "kind": "study",
        "title": results.title,
        "plan": results.plan,
        "plan_commit": results.commit,
        "code_version": results.code_version,
        **{f"panel.{name}": run for name, (run, _) in results.links.items()},
        NOTE: study_markdown(results),
    }


def panel_study_values(results: PanelStudyResults) -> Iterator[Value]:
    """Pooled gains and those of each panel, with intervals; shares of variance; seconds."""
    for section, table in (("pooled", results.pooled), ("", results.table)):
        for _, row in table.iterrows():
            name = f"{section or row['panel']}/{row['measure']} {row['variant']}"
            for part in ("gain", "low", "high", "detectable"):
                yield f"{name} {part}", float(row[part]), 0
    for _, row in results.components.iterrows():
        yield f"variance/{row['panel']} {row['component']}", float(row["share"]), 0
    for name, spent in results.cpu.items():
        yield f"cpu_seconds/{name}", spent, 0
    yield from seconds(results.seconds)


def panel_study_files(results: PanelStudyResults, report: Report) -> Iterator[File]:
    """The page, the figure, the answer, the configuration, and each table as Parquet and CSV."""
    yield "report.html", report.page
    for name, svg in report.figures.items():
        yield f"{name}.svg", svg
    yield "answer.md", study_markdown(results)
    yield "config.yaml", results.config_yaml
    tables = {
        "panels": results.table, "pooled": results.pooled, "controls": results.controls,
        "components": results.components,
    }  # fmt: skip
    for name, table in tables.items():
        yield f"{name}.csv", table
        yield f"{name}.parquet", table
