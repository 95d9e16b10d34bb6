"""Say and draw what a comparison or an audit found: an HTML page, its figures, its words."""

from tasks.report.attributions import heatmap_of
from tasks.report.audit_page import audit_page, audit_report
from tasks.report.audit_words import verdict_sentence
from tasks.report.figures import FIGURES, ReportFigure, figures_of
from tasks.report.page import Report, page_of, report_of
from tasks.report.results import Results
from tasks.report.style import render
from tasks.report.words import QUESTIONS, answers, summary_markdown

__all__ = [
    "FIGURES",
    "QUESTIONS",
    "Report",
    "ReportFigure",
    "Results",
    "answers",
    "audit_page",
    "audit_report",
    "figures_of",
    "heatmap_of",
    "page_of",
    "render",
    "report_of",
    "summary_markdown",
    "verdict_sentence",
]
