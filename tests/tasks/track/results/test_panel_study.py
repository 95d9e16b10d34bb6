"""A study of panels in MLflow: one run with links to those of the panels."""

from pathlib import Path

import pandas as pd

from foldproof.tasks.report.panel_study.page import study_report
from foldproof.tasks.track.results.panel_study import log_study_of_panels
from foldproof.tasks.track.store import Store
from tests.tasks.report.panel_study_example import panel_study_example

RESULTS = panel_study_example()


def test_a_study_is_one_run_that_names_its_plan_and_the_runs_of_its_panels(shared: Store) -> None:
    report = study_report(RESULTS)
    links = log_study_of_panels(shared, RESULTS, report)
    assert log_study_of_panels(shared, RESULTS, report) == links
    run = shared.client.get_run(links.summary_run_id)
    assert run.data.tags["kind"] == "study"
    assert run.data.tags["panel.real0"] == "run0"
    assert run.data.tags["plan_commit"] == "0123"
    row = RESULTS.pooled.iloc[0]
    assert run.data.metrics[f"pooled/{row['measure']} {row['variant']} gain"] == row["gain"]
    folder = Path(links.file).parent
    table = pd.read_parquet(folder / "pooled.parquet")
    pd.testing.assert_frame_equal(table, RESULTS.pooled)
    files = {"panels.csv", "controls.parquet", "components.csv", "forest.svg", "answer.md"}
    assert files <= {file.name for file in folder.iterdir()}
