"""The Prefect tasks of this step: pages, figures, and the summary in Prefect's UI.

The figures are imported by the tasks that draw them, because a command that finds its results in
the tracking store draws none.
"""

from collections.abc import Sequence

from prefect import task
from prefect.artifacts import create_markdown_artifact

from foldproof.tasks.attribute.explain import Explanation
from foldproof.tasks.diagnose.findings.finding import LeakReport
from foldproof.tasks.operate.monitoring.monitor import Monitoring
from foldproof.tasks.operate.monitoring.monitor_text import page
from foldproof.tasks.report.batch_study.results import StudyResults
from foldproof.tasks.report.comparison.answers import summary_markdown
from foldproof.tasks.report.panel_study.results import PanelStudyResults
from foldproof.tasks.report.results import Results
from foldproof.tasks.report.template import Report


@task(name="draw report")
def draw_report(results: Results) -> Report:
    """The report page and its figures."""
    from foldproof.tasks.report.comparison.page import report_of

    return report_of(results)


@task(name="show in prefect")
def show_summary(results: Results, link: str) -> None:
    """Answers, ranking and the link to MLflow as an artifact of the flow run."""
    create_markdown_artifact(
        summary_markdown(results, link),
        key=f"comparison-{results.comparison_id}",
        description=results.title,
    )


@task(name="draw audit")
def draw_audit(reports: Sequence[LeakReport], title: str) -> Report:
    """The page of a leak audit and its pictures."""
    from foldproof.tasks.report.audit.page import audit_report

    return audit_report(reports, title)


@task(name="draw study")
def draw_study(results: StudyResults) -> dict[str, bytes]:
    """The figure of a batch study, as PNG by name."""
    from foldproof.tasks.report.batch_study.figure import batch_norm_figure
    from foldproof.tasks.report.style import render

    return {"batch_norm": render(batch_norm_figure(results))}


@task(name="draw study of panels")
def draw_panel_study(results: PanelStudyResults) -> Report:
    """The page of a study on several panels and its figure."""
    from foldproof.tasks.report.panel_study.page import study_report

    return study_report(results)


@task(name="draw explanation")
def draw_explanation(one: Explanation) -> Report:
    """Text and tables as Markdown, and the figures."""
    from foldproof.tasks.report.attribution.explained_days import days_figure
    from foldproof.tasks.report.attribution.explanation import explanation_figure, explanation_text
    from foldproof.tasks.report.style import render

    figures = {"explanation": render(explanation_figure(one))}
    if one.prices:
        figures["prices"] = render(days_figure(one, one.prices))
    return Report(explanation_text(one), figures)


@task(name="draw monitoring")
def draw_monitoring(monitoring: Monitoring, dates: int) -> Report:
    """The results of monitoring as Markdown, and the figure of realised rank IC."""
    from foldproof.tasks.report.realised import realised_figure
    from foldproof.tasks.report.style import render

    return Report(page(monitoring), {"realised": render(realised_figure(monitoring, dates))})
