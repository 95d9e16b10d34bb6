"""The Prefect task of this step: figures and page, and the short form that Prefect's UI shows."""

from collections.abc import Sequence

from prefect import task
from prefect.artifacts import create_markdown_artifact

from foldproof.tasks.attribute.explain import Explanation
from foldproof.tasks.diagnose.findings.finding import LeakReport
from foldproof.tasks.operate.monitor import Monitoring
from foldproof.tasks.operate.monitor_text import page
from foldproof.tasks.report.attribution.explanation import explanation_figure, explanation_text
from foldproof.tasks.report.attribution.returns import prices_figure
from foldproof.tasks.report.audit.page import audit_report
from foldproof.tasks.report.batch_study.figure import batch_norm_figure
from foldproof.tasks.report.batch_study.results import StudyResults
from foldproof.tasks.report.comparison.page import report_of
from foldproof.tasks.report.comparison.words import summary_markdown
from foldproof.tasks.report.realised import realised_figure
from foldproof.tasks.report.results import Results
from foldproof.tasks.report.style import render
from foldproof.tasks.report.template import Report


@task(name="draw report")
def draw_report(results: Results) -> Report:
    """Every figure and the self-contained page."""
    return report_of(results)


@task(name="show in prefect")
def show_summary(results: Results, link: str) -> None:
    """Ranking, verdicts and the link to MLflow as an artifact of the flow run."""
    create_markdown_artifact(
        summary_markdown(results, link),
        key=f"comparison-{results.comparison_id}",
        description=results.title,
    )


@task(name="draw audit")
def draw_audit(reports: Sequence[LeakReport], title: str) -> Report:
    """The page of a leak audit and its pictures."""
    return audit_report(reports, title)


@task(name="draw study")
def draw_study(results: StudyResults) -> dict[str, bytes]:
    """The one figure of a study of batch statistics, as PNG by name."""
    return {"batch_norm": render(batch_norm_figure(results))}


@task(name="draw explanation")
def draw_explanation(one: Explanation) -> Report:
    """Sentence and tables as Markdown, and the figures."""
    figures = {"explanation": render(explanation_figure(one))}
    if one.prices:
        figures["prices"] = render(prices_figure(one, one.prices))
    return Report(explanation_text(one), figures)


@task(name="draw monitoring")
def draw_watch(seen: Monitoring, dates: int) -> Report:
    """What was seen as Markdown, and the figure of realised rank IC."""
    return Report(page(seen), {"realised": render(realised_figure(seen, dates))})
