"""Reports of comparisons and audits: HTML pages, figures and text."""

from foldproof.tasks.report.answer import Answer
from foldproof.tasks.report.attribution.figures import heatmap_of
from foldproof.tasks.report.audit.page import audit_page, audit_report
from foldproof.tasks.report.audit.text import verdict_sentence
from foldproof.tasks.report.comparison.answers import QUESTIONS, answers, summary_markdown
from foldproof.tasks.report.comparison.figures import FIGURES, ReportFigure, figures_of
from foldproof.tasks.report.comparison.page import page_of, report_of
from foldproof.tasks.report.results import Results
from foldproof.tasks.report.style import render
from foldproof.tasks.report.template import Report

__all__ = [
    "FIGURES",
    "QUESTIONS",
    "Answer",
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
