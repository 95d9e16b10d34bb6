"""The report: one self-contained HTML page."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from foldproof.tasks.attribute.methods.catalogue import ATTRIBUTIONS, DEFAULT
from foldproof.tasks.diagnose.findings.finding import Finding, Verdict
from foldproof.tasks.diagnose.findings.sheet import title_of
from foldproof.tasks.report.attribution.answer import attribution_facts
from foldproof.tasks.report.attribution.checks import checks_table
from foldproof.tasks.report.audit.matrices import subjects_of
from foldproof.tasks.report.audit.text import grouped, witness_text
from foldproof.tasks.report.comparison.answers import QUESTIONS, answers, luck_facts
from foldproof.tasks.report.comparison.figures import FIGURES, figures_of
from foldproof.tasks.report.comparison.glossary import COLUMNS
from foldproof.tasks.report.results import Estimate, Results
from foldproof.tasks.report.style import render
from foldproof.tasks.report.template import Report, embedded, fill
from foldproof.tasks.report.text import is_reference, label, minus, plain


def report_of(results: Results) -> Report:
    """The page and every figure that applies."""
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
        luck=luck_facts(results),
        findings=not_clean(results),
        attribution=attribution_facts(results),
        checks=checks_table(results),
        label=label,
        plain=plain,
        title_of=title_of,
        witness_text=witness_text,
        audit=_cells(results.plan_audit),
        facts=_facts(results),
        slopes=[ATTRIBUTIONS[key].title for key in DEFAULT[1:]],
    )


def _row(results: Results, name: str, entry: pd.Series) -> dict[str, Any]:
    """A row of the ranking table; a cell is a number and its interval."""
    verdict, control = results.verdict(name), results.is_control(name)
    cells = {
        key: (_number(entry.get(key), term.form), "") for key, term in COLUMNS.items() if term.form
    }
    cells["rank_ic"] = _parts(results.rank_ic(name))
    cells["difference"] = _parts(results.gain(name))
    cells["in_confidence_set"] = "yes" if name in results.kept else "", ""
    reference = is_reference(name)
    return {
        "name": label(name),
        "title": "" if reference else results.variants[name].title,
        "kind": "leak" if control else "reference" if reference else verdict.lower(),
        "control": control,
        "verdict": verdict,
        "cells": cells,
    }


def _parts(estimate: Estimate) -> tuple[str, str]:
    """The number, and its interval."""
    value, _, interval = str(estimate).partition(" ")
    return value, interval


def _number(value: Any, form: str) -> str:
    return "–" if value is None or value != value else minus(format(value, form))


def not_clean(results: Results) -> list[tuple[str, Finding, int]]:
    """Every finding that is not clean, with its subject and how many units share it.

    Findings that differ in size only are one entry, the largest.
    """
    return [
        (subject, finding, count)
        for subject in subjects_of(results)
        for finding, count in grouped(
            (f for f in results.findings[subject] if f.verdict is not Verdict.CLEAN),
            lambda f: (f.test, f.stage, f.counts),
        )
    ]


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
    summary = {key: _shortened(value) for key, value in results.panel_summary.items()}
    return summary | {
        "plan": results.plan,
        "comparison": results.comparison_id,
        "code version": results.code_version,
    }


def _shortened(value: Any) -> str:
    """Long lists by their length and first entries."""
    if not isinstance(value, list | tuple):
        return str(value)
    shown = ", ".join(str(entry) for entry in value[:24])
    return f"{len(value)}: {shown}" + (", ..." if len(value) > 24 else "")
