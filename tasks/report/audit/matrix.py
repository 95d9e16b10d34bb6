"""The leak matrix: what every test answered on every variant."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from foldproof.tasks.diagnose.findings.finding import Finding, Verdict
from foldproof.tasks.report.results import Results, label
from foldproof.tasks.report.style import INK, MUTED, NORMAL, PAPER, SMALL, VERMILLION, canvas

SHARED = ("features", "folds")
"""Subjects of findings that concern every variant."""

COLORS: Mapping[str, tuple[str, str, str | None]] = MappingProxyType(
    {
        "LEAK": (VERMILLION, PAPER, None),
        "UNKNOWN": ("#f5d67a", INK, "////"),
        "CLEAN": ("#cfe6f5", INK, None),
        "informs": ("#eef0f3", MUTED, None),
        "": (PAPER, MUTED, None),
    }
)
"""Ground, ink and hatch by answer: they differ in lightness and hatch too, not in hue alone."""

WORST_FIRST = (Verdict.LEAK, Verdict.UNKNOWN, Verdict.CLEAN)


def answer_of(findings: Iterable[Finding]) -> tuple[str, str]:
    """Key of ``COLORS`` and the text of a cell: the worst finding that counts, over all folds."""
    found = list(findings)
    counted = [finding for finding in found if finding.counts]
    note = " †" if any(not f.counts and f.verdict is Verdict.LEAK for f in found) else ""
    for verdict in WORST_FIRST:
        worst = [finding for finding in counted if finding.verdict is verdict]
        if worst:
            text = _cell_text(verdict, max(worst, key=lambda f: _size(f.value)))
            return verdict.value, text + note
    return ("informs", "informs") if found else ("", "")


def _size(value: float) -> float:
    return value if value == value else -1.0


def _cell_text(verdict: Verdict, worst: Finding) -> str:
    shown = verdict is Verdict.LEAK and worst.value == worst.value
    return f"{verdict} {worst.value:.2g}" if shown else verdict.value.lower()


def tests_of(results: Results) -> list[str]:
    """Every test that answered: the variants' own first, then those that all variants share."""
    return list(dict.fromkeys(f.test for s in subjects_of(results) for f in results.findings[s]))


def subjects_of(results: Results) -> list[str]:
    """What was tested: the variants in the order of the ranking, then what they share."""
    names = [*results.ranking.index, *SHARED]
    return [name for name in names if name in results.findings]


def leak_matrix(results: Results) -> Figure:
    """Subjects (rows) x tests (columns); a leak shows its measured size."""
    subjects = subjects_of(results)
    tests = tests_of(results)
    own = {f.test for name in results.variants for f in results.findings.get(name, ())}
    figure, axes = canvas(1.0 + 0.3 * len(subjects))
    axis = axes[0, 0]
    for row, subject in enumerate(subjects):
        for column, test in enumerate(tests):
            found = [f for f in results.findings[subject] if f.test == test]
            answer, text = answer_of(found)
            expected = subject not in SHARED and test in own
            draw_cell(axis, row, column, answer, text or "not run" * expected)
    _name_sides(axis, results, subjects, tests)
    return figure


def draw_cell(axis: Axes, row: int, column: int, answer: str, text: str) -> None:
    """One answer, a key of ``COLORS``, at a place of a matrix whose cells are 1 x 1."""
    ground, ink, hatch = COLORS[answer]
    edge = "#e0b93f" if hatch else ground
    place, size = (column - 0.49, row - 0.45), (0.98, 0.9)
    axis.add_patch(
        Rectangle(place, *size, facecolor=ground, edgecolor=edge, hatch=hatch, linewidth=0)
    )
    weight = "bold" if answer == Verdict.LEAK else "normal"
    axis.text(
        column, row, text, color=ink, fontsize=SMALL, ha="center", va="center", fontweight=weight
    )


def _name_sides(axis: Axes, results: Results, subjects: list[str], tests: list[str]) -> None:
    """Subjects at the left, tests on top."""
    axis.set_xlim(-0.5, len(tests) - 0.5)
    axis.set_ylim(len(subjects) - 0.5, -0.5)
    axis.spines["bottom"].set_visible(False)
    axis.xaxis.tick_top()
    axis.set_xticks(range(len(tests)), [t.replace("_", "\n", 1) for t in tests], fontsize=NORMAL)
    axis.set_yticks(range(len(subjects)), [_subject(results, name) for name in subjects])


def _subject(results: Results, name: str) -> str:
    if name in SHARED:
        return f"{name} (all variants)"
    return f"{label(name)} (control)" if results.is_control(name) else label(name)
