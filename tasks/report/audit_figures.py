"""The figures of a leak audit: which test answered what, at which stage or on which subject."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tasks.diagnose.catalogue import DIAGNOSTICS
from tasks.diagnose.finding import Finding, LeakReport, Verdict, overall
from tasks.diagnose.sheet import stage_of, stages_of, title_of
from tasks.report.leaks import answer_of, draw_cell
from tasks.report.style import FAINT, NORMAL, canvas

FEWEST, MOST = 6, 10
"""Columns that a row of cells has room for at least and at most; more tests continue below."""

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
    """Answers of ``tests`` on ``rows``, in as many panels as the tests need."""
    panels = [tests[at : at + MOST] for at in range(0, len(tests), MOST)] or [[]]
    room = min(max(len(tests), FEWEST), MOST)
    height = len(panels) * (0.75 + 0.46 * max(len(rows), 1))
    figure, axes = canvas(height, len(panels))
    for axis, shown in zip(axes[:, 0], panels, strict=True):
        for row, name in enumerate(rows):
            for column, test in enumerate(shown):
                answer, text = cell_of(pick(name, test))
                draw_cell(axis, row, column, answer, text)
        name_sides(axis, rows, shown, room)
    return figure


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
    """What stands in the brackets at a statistic's end, without what specifies it."""
    _, bracket, unit = statistic.rstrip("]").rpartition("[")
    return unit.replace("cross-sectional ", "") if bracket and len(unit) <= 20 else ""


def short(value: float) -> str:
    """Three digits, without an exponent where a reader can do without."""
    if value == value and 0.001 <= abs(value) < 1e5:
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{value:.2g}"


def name_sides(axis: Axes, rows: list[str], tests: list[str], columns: int) -> None:
    """Rows at the left, tests on top with their number; faint lines keep empty cells apart."""
    axis.set_xlim(-0.5, columns - 0.5)
    axis.set_ylim(max(len(rows), 1) - 0.5, -0.5)
    axis.spines["bottom"].set_visible(False)
    axis.hlines(
        [row + 0.5 for row in range(len(rows) - 1)], -0.5, len(tests) - 0.5, FAINT, linewidth=0.7
    )
    axis.xaxis.tick_top()
    axis.set_xticks(range(len(tests)), [head_of(test) for test in tests], fontsize=NORMAL)
    axis.set_yticks(range(len(rows)), rows, fontsize=NORMAL)


def head_of(test: str) -> str:
    """Number and title of a test, a word a line."""
    number = DIAGNOSTICS[test].number if test in DIAGNOSTICS else ""
    first, _, rest = title_of(test).partition(" ")
    return "\n".join(part for part in (number, first, rest) if part)
