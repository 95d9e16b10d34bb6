"""The report: one HTML page that needs nothing beside it."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from foldproof.tasks.diagnose.findings.finding import Finding, Verdict
from foldproof.tasks.report.attribution.checks import checks_table
from foldproof.tasks.report.audit.matrix import subjects_of
from foldproof.tasks.report.comparison.figures import FIGURES, figures_of
from foldproof.tasks.report.comparison.glossary import COLUMNS, GLOSSARY
from foldproof.tasks.report.comparison.words import QUESTIONS, answers
from foldproof.tasks.report.results import Results, is_reference, label
from foldproof.tasks.report.style import render
from foldproof.tasks.report.template import Report, embedded, fill


def report_of(results: Results) -> Report:
    """Draw every figure that applies, and the page around them."""
    figures = {key: render(figure) for key, figure in figures_of(results).items()}
    return Report(page_of(results, figures), figures)


def page_of(results: Results, figures: Mapping[str, bytes]) -> str:
    """The page, the answers first. Text from data and configuration is escaped."""
    return fill(
        "page.html",
        results=results,
        answers=list(zip(QUESTIONS, answers(results), strict=True)),
        image={key: embedded(FIGURES[key].title, png) for key, png in figures.items()},
        figures=FIGURES,
        columns={key: term for key, term in COLUMNS.items() if key in results.ranking.columns},
        ranking=[_row(results, str(name), entry) for name, entry in results.ranking.iterrows()],
        findings=worth_reading(results),
        checks=checks_table(results),
        variants=results.variants,
        label=label,
        audit=_cells(results.plan_audit),
        facts=_facts(results),
        glossary={**GLOSSARY, **{term.title: term.meaning for term in COLUMNS.values()}},
    )


def _row(results: Results, name: str, entry: pd.Series) -> dict[str, Any]:
    """A row of the ranking table as text."""
    reference = is_reference(name)
    cells = {key: _number(entry.get(key), term.form) for key, term in COLUMNS.items() if term.form}
    cells["rank_ic"] = str(results.rank_ic(name))
    cells["difference"] = str(results.gain(name))
    cells["in_confidence_set"] = "yes" if name in results.kept else ""
    verdict = results.verdict(name)
    kind = "reference" if reference else verdict.lower()
    return {
        "name": label(name),
        "title": "" if reference else results.variants[name].title,
        "kind": "leak" if results.is_control(name) else kind,
        "control": results.is_control(name),
        "verdict": verdict,
        "cells": cells,
    }


def _number(value: Any, form: str) -> str:
    if value is None or value != value:
        return "–"
    return format(value, form).replace("-", "\N{MINUS SIGN}")


def worth_reading(results: Results) -> list[tuple[str, Finding, int]]:
    """Every finding that is not clean: who, what, and on how many units it came out so.

    Findings that differ only in size are one entry, the largest.
    """
    entries: dict[tuple[str, str, str, bool], list[Finding]] = {}
    for subject in subjects_of(results):
        for finding in results.findings[subject]:
            if finding.verdict is not Verdict.CLEAN:
                key = (subject, finding.test, finding.stage, finding.counts)
                entries.setdefault((*key[:3], key[3]), []).append(finding)
    return [(key[0], _largest(found), len(found)) for key, found in entries.items()]


def _largest(found: list[Finding]) -> Finding:
    return max(found, key=lambda f: f.value if f.value == f.value else float("-inf"))


def _cells(table: pd.DataFrame) -> dict[str, Any]:
    """A table as heads and rows of text; dates without their time."""
    text = table.copy()
    for column in text.columns:
        if pd.api.types.is_datetime64_any_dtype(text[column]):
            text[column] = text[column].dt.strftime("%Y-%m-%d")
    heads = [str(column).replace("_", " ") for column in text.columns]
    return {"heads": heads, "rows": text.astype(str).to_numpy().tolist()}


def _facts(results: Results) -> dict[str, str]:
    """What identifies the computation."""
    summary = {key: _counted(value) for key, value in results.panel_summary.items()}
    return summary | {
        "plan": results.plan,
        "comparison": results.comparison_id,
        "code version": results.code_version,
    }


def _counted(value: Any) -> str:
    """Long lists by their length and first entries."""
    if not isinstance(value, list | tuple):
        return str(value)
    shown = ", ".join(str(entry) for entry in value[:24])
    return f"{len(value)}: {shown}" + (", ..." if len(value) > 24 else "")
