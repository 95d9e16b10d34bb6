"""The Prefect task of this step: figures and page, and the short form that Prefect's UI shows."""

from collections.abc import Sequence

from prefect import task
from prefect.artifacts import create_markdown_artifact

from tasks.attribute.explain import Explanation
from tasks.diagnose.finding import LeakReport
from tasks.operate.watch import Watch
from tasks.operate.watch_words import page
from tasks.report.audit_page import audit_report
from tasks.report.batch_norm import batch_norm_figure
from tasks.report.explanation import explanation_figure, explanation_text
from tasks.report.page import Report, report_of
from tasks.report.prices import prices_figure
from tasks.report.realised import realised_figure
from tasks.report.results import Results
from tasks.report.study import StudyResults
from tasks.report.style import render
from tasks.report.words import summary_markdown


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
def draw_watch(seen: Watch, dates: int) -> Report:
    """What was seen as Markdown, and the figure of realised rank IC."""
    return Report(page(seen), {"realised": render(realised_figure(seen, dates))})
