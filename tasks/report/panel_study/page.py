"""The page of a study on several panels: answer, forest plot, tables, plan."""

from typing import Any

import pandas as pd

from foldproof.tasks.panel_study.networks import MEASURES
from foldproof.tasks.panel_study.variance import COMPONENTS
from foldproof.tasks.report.panel_study.answer import HEADS, study_answers
from foldproof.tasks.report.panel_study.figure import forest_figure
from foldproof.tasks.report.panel_study.results import PanelStudyResults, ordered
from foldproof.tasks.report.template import Report, fill
from foldproof.tasks.report.text import label, number
from foldproof.tasks.report.vector import embedded, vector

FOREST = "forest"
"""Key of the forest plot."""
FIXED = (
    "panel", "role", "measure", "variant", "value", "gain", "error", "low", "high", "against", "p",
    "p_equivalent", "detectable", "leak", "seeds", "dates", "stocks", "mean_epochs",
)  # fmt: skip
"""Columns of the table of panels that are not chosen settings."""


def study_report(results: PanelStudyResults) -> Report:
    """One self-contained HTML page and its figure."""
    picture = vector(forest_figure(results), FOREST)
    page = fill(
        "study.html",
        title=results.title,
        question=results.question,
        answers=[*zip(HEADS, study_answers(results), strict=True)],
        plan=results.plan,
        missing=results.missing,
        forest=picture,
        embedded=embedded,
        measures=MEASURES,
        pooled=[pooled_row(row) for _, row in ordered(results.pooled).iterrows()],
        controls=[control_row(row) for _, row in results.controls.iterrows()],
        panels=[panel_section(results, name) for name in results.titles],
        components=component_rows(results),
        titles=results.titles,
        reference=label(results.reference),
        apart=results.on_own_batches,
        margin=f"{results.statistics.margin:g}",
        level=f"{results.statistics.level:.0%}",
        seeds=results.seeds,
        cpu={name: f"{seconds / 60:.1f}" for name, seconds in results.cpu.items()},
        config=results.config_yaml,
        code=results.code_version[:12],
    )
    return Report(page, {FOREST: picture})


def interval(row: pd.Series, low: str = "low", high: str = "high") -> str:
    """An interval in brackets; a dash where there is none."""
    known = pd.notna(row.get(low)) and pd.notna(row.get(high))
    return f"[{number(row[low])}, {number(row[high])}]" if known else "–"


def text(value: Any) -> str:
    """A text; a dash for a missing one."""
    return "–" if pd.isna(value) else str(value)


def pooled_row(row: pd.Series) -> dict[str, str]:
    """A row of the pooled table as texts."""
    return {
        "measure": MEASURES[row["measure"]], "variant": label(row["variant"]),
        "panels": str(row["panels"]), "gain": number(row["gain"]), "interval": interval(row),
        "predicted": interval(row, "predicted_low", "predicted_high"),
        "tau": number(row["tau"], ".4f"), "i2": number(row["i2"], ".0%"),
        "against": text(row["against"]), "detectable": number(row["detectable"], ".4f"),
    }  # fmt: skip


def control_row(row: pd.Series) -> dict[str, str]:
    """A row of the controls as texts."""
    undecided = row["reason"].partition(":")[0]
    state = undecided if pd.isna(row["holds"]) else "yes" if row["holds"] else "no"
    return {
        "title": row["title"], "asked": "recovered" if row["role"] == "planted" else "flat",
        "holds": state, "best": "–" if pd.isna(row["best"]) else label(row["best"]),
        "gain": number(row["gain"]), "interval": interval(row), "reason": row["reason"],
    }  # fmt: skip


def panel_section(results: PanelStudyResults, name: str) -> dict[str, Any]:
    """A panel's table, both measures of a variant in one row, and the way to its report."""
    own = results.table[results.table["panel"] == name]
    plain = own[own["measure"] == "rank_ic"].sort_values("value", ascending=False)
    neutral = own[own["measure"] == "neutral"].set_index("variant")
    settings = [str(column) for column in own if column not in FIXED]
    rows = []
    for _, row in plain.iterrows():
        after = neutral.loc[row["variant"]] if row["variant"] in neutral.index else pd.Series()
        rows.append({
            "variant": label(row["variant"]), "leak": text(row["leak"]),
            "cells": [
                number(row["value"]), number(row["gain"]), interval(row), text(row["against"]),
                number(row["detectable"], ".4f"), number(after.get("value")),
                number(after.get("gain")), interval(after), text(after.get("against")),
                text(row["leak"]), number(row["mean_epochs"], ".1f"),
                *(number(row[column], "g") for column in settings),
            ],
        })  # fmt: skip
    first = plain.iloc[0]
    return {
        "name": name, "title": results.titles[name], "role": str(results.roles[name]),
        "stocks": first["stocks"], "dates": first["dates"], "rows": rows, "settings": settings,
        "run": results.links[name][0] if name in results.links else "",
        "link": results.links[name][1] if name in results.links else "",
    }  # fmt: skip


def component_rows(results: PanelStudyResults) -> list[dict[str, Any]]:
    """By component: its meaning, and by panel its sd and both shares."""
    found = []
    for key, meaning in COMPONENTS.items():
        own = results.components[results.components["component"] == key].set_index("panel")
        cells = [
            f"{number(own.at[name, 'sd'], '.4f')} ({number(own.at[name, 'share'], '.1%')}; "
            f"{number(own.at[name, 'share_of_gain'], '.0%')})"
            for name in results.titles
        ]
        found.append({"title": key, "meaning": meaning, "cells": cells})
    return found
