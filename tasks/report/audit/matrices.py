"""Leak matrices: tests (columns) by stage, audited subject or compared variant (rows)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import ceil
from textwrap import wrap

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from foldproof.tasks.diagnose.findings.catalogue import DIAGNOSTICS
from foldproof.tasks.diagnose.findings.finding import Finding, LeakReport, Verdict, overall
from foldproof.tasks.diagnose.findings.sheet import stage_of, stages_of, title_of
from foldproof.tasks.report import style
from foldproof.tasks.report.audit.text import largest, subject_name
from foldproof.tasks.report.results import Results

SHARED = ("features", "folds")
"""Subjects of findings that concern every variant."""
COLORS: Mapping[str, tuple[str, str, str | None]] = {
    "LEAK": (style.VERMILLION, style.PAPER, None),
    "UNKNOWN": ("#f5d67a", style.INK, "////"),
    "CLEAN": ("#cfe6f5", style.INK, None),
    "informs": ("#eef0f3", style.MUTED, None),
    "": (style.PAPER, style.MUTED, None),
}
"""Background, ink and hatch by result; they differ in lightness and hatch, not in hue alone."""
HEAD, ROW, COLUMN = 0.75, 0.42, 1.06
"""Inches: the heads of a panel, a row, the narrowest column."""
LETTER, LINE = 0.085, 34
"""Inches per letter of a row's name; letters per line of it."""
FEWEST = 6
"""Columns of a panel at least, so that cells do not become too wide."""
PLAIN = ("count", "fraction", "correlation", "AUC")
"""Units that are left out of a cell."""


def stage_matrix(report: LeakReport) -> Figure:
    """Tests by stage, in the order of the pipeline. A cell shows the worst finding that counts."""
    stages = stages_of(report.findings)
    return matrix({s: [f for f in report.findings if stage_of(f.stage) == s] for s in stages})


def subject_matrix(reports: Sequence[LeakReport]) -> Figure:
    """Tests by audited subject."""
    return matrix({subject_name(report.subject): report.findings for report in reports})


def variant_matrix(results: Results) -> Figure:
    """Tests by variant of a comparison, then by what all variants share."""
    shared = {name: f"{name} (all variants)" for name in SHARED}
    found = {
        shared.get(name) or results.row_name(name): results.findings[name]
        for name in subjects_of(results)
    }
    own = {f.test for name in results.variants for f in results.findings.get(name, ())}

    def absent(subject: str, test: str) -> str:
        return "not run" if test in own and subject not in shared.values() else ""

    return matrix(found, absent)


def subjects_of(results: Results) -> list[str]:
    """Keys of the findings: variants in the order of the ranking, then what they share."""
    return [name for name in (*results.ranking.index, *SHARED) if name in results.findings]


def matrix(
    found: Mapping[str, Sequence[Finding]],
    absent: Callable[[str, str], str] = lambda row, test: "",
) -> Figure:
    """The findings of each row by test, in as many panels as needed for the width.

    Tests are in the order of the catalogue, others after them. A panel leaves out rows without any
    result in it. ``absent`` is the text of an empty cell, from its row and test.
    """
    known = dict.fromkeys(f.test for own in found.values() for f in own)
    tests = [t for t in DIAGNOSTICS if t in known] + [t for t in known if t not in DIAGNOSTICS]
    room = columns_of(list(found), len(tests))
    shares = [tests[at : at + room] for at in range(0, len(tests), room)] or [[]]
    panels = [
        ([name for name, own in found.items() if any(f.test in share for f in own)], share)
        for share in shares
    ]
    heights = [HEAD + ROW * max(len(kept), 1) for kept, _ in panels]
    figure, axes = style.canvas(sum(heights), len(panels), heights=heights)
    for axis, (kept, share) in zip(axes[:, 0], panels, strict=True):
        for row, name in enumerate(kept):
            for column, test in enumerate(share):
                result, text = cell_of([f for f in found[name] if f.test == test])
                draw_cell(axis, row, column, result, text or absent(name, test))
        _name_sides(axis, kept, share, room)
    return figure


def columns_of(rows: list[str], tests: int) -> int:
    """Columns per panel: as many as fit beside the row names, evenly spread over the panels."""
    longest = max((len(line) for name in rows for line in wrapped(name).split("\n")), default=0)
    most = int((style.WIDTH - longest * LETTER) / COLUMN)
    even = ceil(tests / ceil(tests / most)) if tests else 0
    return max(even, FEWEST)


def wrapped(name: str) -> str:
    """A long name in several lines."""
    return "\n".join(wrap(name, LINE)) or name


def cell_of(found: Sequence[Finding]) -> tuple[str, str]:
    """Key of ``COLORS`` and the text of a cell: the worst finding that counts; a leak's size."""
    if not found:
        return "", ""
    counting = [f for f in found if f.counts]
    if not counting:
        verdict = overall(replace(f, counts=True) for f in found)
        worst = "symptom" if verdict is Verdict.LEAK else verdict.lower()
        return "informs", f"info only:\n{worst}"
    note = " †" if any(not f.counts and f.verdict is Verdict.LEAK for f in found) else ""
    verdict = overall(counting)
    if verdict is not Verdict.LEAK:
        return verdict, f"{verdict.lower()}{note}"
    size = size_text(largest([f for f in counting if f.verdict is Verdict.LEAK]))
    return verdict, f"LEAK{note}\n{size}" if size else f"LEAK{note}"


def size_text(finding: Finding) -> str:
    """A value with its unit, short enough for a cell."""
    if finding.value != finding.value:
        return ""
    return f"{short(finding.value)} {unit_of(finding.statistic)}".strip()


def unit_of(statistic: str) -> str:
    """The unit in brackets at the end of a statistic; empty if long or self-evident."""
    _, bracket, unit = statistic.rstrip("]").rpartition("[")
    unit = unit.replace("cross-sectional ", "")
    return unit if bracket and len(unit) <= 8 and unit not in PLAIN else ""


def short(value: float) -> str:
    """Three digits, with an exponent only if needed."""
    if value == value and 0.001 <= abs(value) < 1e5:
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{value:.2g}"


def draw_cell(axis: Axes, row: int, column: int, result: str, text: str) -> None:
    """One cell of a matrix whose cells are 1 x 1; ``result`` is a key of ``COLORS``."""
    ground, ink, hatch = COLORS[result]
    edge = "#e0b93f" if hatch else ground
    place, size = (column - 0.49, row - 0.45), (0.98, 0.9)
    axis.add_patch(
        Rectangle(place, *size, facecolor=ground, edgecolor=edge, hatch=hatch, linewidth=0)
    )
    axis.text(
        column, row, text, color=ink, fontsize=style.SMALL, ha="center", va="center",
        fontweight="bold" if result == Verdict.LEAK else "normal",
    )  # fmt: skip


def _name_sides(axis: Axes, rows: list[str], tests: list[str], columns: int) -> None:
    """Rows at the left, tests on top (number and title), faint lines between rows."""
    axis.set_xlim(-0.5, columns - 0.5)
    axis.spines["bottom"].set_visible(False)
    lines = [row + 0.5 for row in range(len(rows) - 1)]
    axis.hlines(lines, -0.5, len(tests) - 0.5, style.FAINT, linewidth=0.7)
    axis.xaxis.tick_top()
    heads = [title_of(test).replace(" ", "\n", 1) for test in tests]
    axis.set_xticks(range(len(tests)), heads, fontsize=style.NORMAL)
    style.name_rows(axis, [wrapped(name) for name in rows])
    axis.tick_params(axis="y", labelsize=style.NORMAL)
