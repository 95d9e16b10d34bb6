"""The report: one self-contained HTML page."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from markupsafe import Markup

from foldproof.tasks.attribute.methods.catalogue import ATTRIBUTIONS, DEFAULT
from foldproof.tasks.diagnose.findings.finding import Finding, Verdict
from foldproof.tasks.diagnose.findings.sheet import title_of
from foldproof.tasks.report.attribution.answer import attribution_facts
from foldproof.tasks.report.attribution.checks import checks_table
from foldproof.tasks.report.audit.matrices import subjects_of
from foldproof.tasks.report.audit.text import grouped, witness_text
from foldproof.tasks.report.comparison.answers import QUESTIONS, answers
from foldproof.tasks.report.comparison.figures import figures_of
from foldproof.tasks.report.decomposition.rows import decomposition_table, removed
from foldproof.tasks.report.kinds import kind_of
from foldproof.tasks.report.portfolio.table import heads, portfolio_table
from foldproof.tasks.report.results import Results
from foldproof.tasks.report.template import Report, fill
from foldproof.tasks.report.text import label, minus, plain
from foldproof.tasks.report.vector import embedded, vector

TITLES = {"unlabelled": "rows without a label (delisted or no price), not scored"}
"""Titles of the panel's facts that need one."""
FORMS = {
    "rank_ic_seed": "+.4f", "seed_sd": ".4f", "path_sd": ".4f", "path_low": "+.4f",
    "path_high": "+.4f", "hac_t": "+.2f", "rank_icir": "+.3f", "ic": "+.4f",
    "mse_ratio": ".4f", "hit_rate": ".3f", "quantile_spread": "+.5f", "coverage": ".1%",
}  # fmt: skip
"""Format of the columns of the ranking; the template has their titles and meanings."""


def report_of(results: Results) -> Report:
    """The page and every figure that applies."""
    figures = {key: vector(figure, key) for key, figure in figures_of(results).items()}
    return Report(page_of(results, figures), figures)


def page_of(results: Results, figures: Mapping[str, bytes]) -> str:
    """The page, the answers first. Text from data and configuration is escaped."""
    plan = results.plan_audit.rename(columns=lambda column: str(column).replace("_", " "))
    return fill(
        "page.html",
        results=results,
        answers=list(zip(QUESTIONS, answers(results), strict=True)),
        image=figures,
        embedded=embedded,
        ranking=[_row(results, str(name), entry) for name, entry in results.ranking.iterrows()],
        findings=not_clean(results),
        decomposed=decomposition_table(results),
        removed=removed,
        books=portfolio_table(results),
        book_heads=heads(results.portfolios) if results.portfolios else [],
        attribution=attribution_facts(results),
        checks=checks_table(results),
        label=label,
        plain=plain,
        title_of=title_of,
        witness_text=witness_text,
        chosen_settings=Markup(_chosen(results).to_html(index=False, border=0)),
        plan_audit=Markup(plan.to_html(index=False, border=0)),
        identity={
            TITLES.get(key, key): _shortened(value) for key, value in results.panel_summary.items()
        }
        | {
            "plan": results.plan,
            "comparison": results.comparison_id,
            "code version": results.code_version,
            "LSTM engine": results.engine,
        },
        slopes=[ATTRIBUTIONS[key].title for key in DEFAULT[1:]],
    )


def _chosen(results: Results) -> pd.DataFrame:
    """The chosen setting of each variant with its rank IC on the tuning folds."""
    table = results.tuning
    if table.empty:
        return table
    own = table[table["chosen"]].drop(columns="chosen")
    own = own.assign(variant=own["variant"].map(label), rank_ic=own["rank_ic"].round(4))
    return own.rename(columns=lambda column: str(column).replace("_", " "))


def _row(results: Results, name: str, entry: pd.Series) -> dict[str, Any]:
    """A row of the ranking table."""
    cells = {key: _number(entry.get(key), form) for key, form in FORMS.items()}
    cells["rank_ic"], cells["difference"] = str(results.rank_ic(name)), str(results.gain(name))
    against = entry.get("against")
    cells["against"] = against if isinstance(against, str) else ""
    cells["in_confidence_set"] = "yes" if name in results.kept else ""
    kind = kind_of(results, name)
    return {
        "key": name,
        "name": results.row_name(name),
        "kind": kind if kind in ("leak", "reference") else results.verdict(name).lower(),
        "cells": cells,
    }


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


def _shortened(value: Any) -> str:
    """Long lists by their length and first entries."""
    if not isinstance(value, list | tuple):
        return str(value)
    shown = ", ".join(str(entry) for entry in value[:24])
    return f"{len(value)}: {shown}" + (", ..." if len(value) > 24 else "")
