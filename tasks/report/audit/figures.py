"""The figures of a leak audit: which test answered what, at which stage or on which subject."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import ceil
from textwrap import wrap

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from foldproof.tasks.diagnose.findings.catalogue import DIAGNOSTICS
from foldproof.tasks.diagnose.findings.finding import Finding, LeakReport, Verdict, overall
from foldproof.tasks.diagnose.findings.sheet import stage_of, stages_of, title_of
from foldproof.tasks.report.audit.matrix import answer_of, draw_cell
from foldproof.tasks.report.style import FAINT, NORMAL, WIDTH, canvas

HEAD, ROW, COLUMN = 0.75, 0.46, 1.06
"""Inches: heads of a panel, a row, and what a column takes at least."""
LETTER, LINE = 0.085, 34
"""Inches that a letter of a row's name takes; letters in a line of it."""
FEWEST = 6
"""Columns that there is room for at least, so that few tests do not make wide cells."""
PLAIN = ("count", "fraction", "correlation", "AUC")
"""Units that a number does without in a cell."""

Pick = Callable[[str, str], list[Finding]]
"""Row and test -> the findings of a cell."""


def stage_matrix(report: LeakReport) -> Figure:
    """Stages, in the order in which data pass (rows) x tests that answered (columns).

    A cell shows the worst finding that counts; an empty one, that the test did not answer there.
    """

    def cell(stage: str, test: str) -> list[Finding]:
        return [f for f in report.findings if f.test == test and stage_of(f.stage) == stage]

    return matrix(stages_of(report.findings), tests_of([report]), cell)


def subject_matrix(reports: Sequence[LeakReport]) -> Figure:
    """Subjects (rows) x tests that answered on any of them (columns)."""
    found = {report.subject: report.findings for report in reports}

    def cell(subject: str, test: str) -> list[Finding]:
        return [f for f in found[subject] if f.test == test]

    return matrix(list(found), tests_of(reports), cell)


def tests_of(reports: Sequence[LeakReport]) -> list[str]:
    """Tests that answered, in the order of the catalogue; others after them."""
    met = {f.test: None for report in reports for f in report.findings}
    return [t for t in DIAGNOSTICS if t in met] + [t for t in met if t not in DIAGNOSTICS]


def matrix(rows: list[str], tests: list[str], pick: Pick) -> Figure:
    """Answers of ``tests`` on ``rows``, in as many panels as the tests need.

    A panel leaves out rows on which none of its tests answered.
    """
    room = columns_of(rows, len(tests))
    shares = [tests[at : at + room] for at in range(0, len(tests), room)] or [[]]
    panels = [(rows_of(rows, share, pick), share) for share in shares]
    heights = [HEAD + ROW * max(len(kept), 1) for kept, _ in panels]
    figure, axes = canvas(sum(heights), len(panels), heights=heights)
    for axis, (kept, share) in zip(axes[:, 0], panels, strict=True):
        for row, name in enumerate(kept):
            for column, test in enumerate(share):
                draw_cell(axis, row, column, *cell_of(pick(name, test)))
        name_sides(axis, kept, share, room)
    return figure


def columns_of(rows: list[str], tests: int) -> int:
    """Columns that leave every test's name room beside those of the rows, panels alike."""
    longest = max((len(line) for name in rows for line in wrapped(name).split("\n")), default=0)
    most = int((WIDTH - longest * LETTER) / COLUMN)
    even = ceil(tests / ceil(tests / most)) if tests else 0
    return max(even, FEWEST)


def rows_of(rows: list[str], tests: list[str], pick: Pick) -> list[str]:
    """Rows on which one of the tests answered."""
    return [name for name in rows if any(pick(name, test) for test in tests)]


def wrapped(name: str) -> str:
    """A long name in several lines."""
    return "\n".join(wrap(name, LINE)) or name


def cell_of(found: Sequence[Finding]) -> tuple[str, str]:
    """Key of ``leaks.COLORS`` and two lines at most: the answer, and how large a leak is."""
    answer, text = answer_of(found)
    if answer == "informs":
        return answer, f"informs:\n{worst_of(found)}"
    if answer != Verdict.LEAK:
        return answer, text
    leaks = [f for f in found if f.counts and f.verdict is Verdict.LEAK]
    note = " †" if text.endswith("†") else ""
    size = size_text(largest(leaks))
    return answer, f"LEAK{note}\n{size}" if size else f"LEAK{note}"


def worst_of(findings: Sequence[Finding]) -> str:
    """The worst answer of findings that inform only, in words."""
    verdict = overall(replace(finding, counts=True) for finding in findings)
    return "a symptom" if verdict is Verdict.LEAK else verdict.lower()


def largest(findings: Sequence[Finding]) -> Finding:
    """The one with the largest value; one without a value last."""
    return max(findings, key=lambda f: f.value if f.value == f.value else float("-inf"))


def size_text(finding: Finding) -> str:
    """A value with its unit, short enough for a cell."""
    if finding.value != finding.value:
        return ""
    unit = unit_of(finding.statistic)
    return f"{short(finding.value)} {unit}".strip()


def unit_of(statistic: str) -> str:
    """What stands in the brackets at a statistic's end, where it is short and says something."""
    _, bracket, unit = statistic.rstrip("]").rpartition("[")
    unit = unit.replace("cross-sectional ", "")
    return unit if bracket and len(unit) <= 8 and unit not in PLAIN else ""


def short(value: float) -> str:
    """Three digits, without an exponent where a reader can do without."""
    if value == value and 0.001 <= abs(value) < 1e5:
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{value:.2g}"


def name_sides(axis: Axes, rows: list[str], tests: list[str], columns: int) -> None:
    """Rows at the left, tests on top; faint lines keep empty cells apart."""
    axis.set_xlim(-0.5, columns - 0.5)
    axis.set_ylim(max(len(rows), 1) - 0.5, -0.5)
    axis.spines["bottom"].set_visible(False)
    axis.hlines(
        [row + 0.5 for row in range(len(rows) - 1)], -0.5, len(tests) - 0.5, FAINT, linewidth=0.7
    )
    axis.xaxis.tick_top()
    axis.set_xticks(range(len(tests)), [head_of(test) for test in tests], fontsize=NORMAL)
    axis.set_yticks(range(len(rows)), [wrapped(name) for name in rows], fontsize=NORMAL)


def head_of(test: str) -> str:
    """Title of a test, its first word on a line of its own."""
    return title_of(test).replace(" ", "\n", 1)
