"""The witness of a leak as a picture: a series around a cut, and the value that moved."""

from math import isfinite

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from foldproof.tasks.diagnose.findings.finding import Excerpt, Finding, Verdict, Witness
from foldproof.tasks.report.audit.figures import short
from foldproof.tasks.report.style import (
    BLUE,
    INK,
    MUTED,
    NORMAL,
    PAPER,
    SMALL,
    VERMILLION,
    canvas,
    describe,
)

SHADE = "#eef0f3"
"""Ground of what is no evidence."""
WIDE, HIGH = 8.6, 3.1
"""Inches."""


def witness_picture(finding: Finding) -> Figure | None:
    """The series as it is and as it comes out when the future changes; None without a glimpse.

    Only what lies left of the cut is evidence. What is right of it may be what was changed: it is
    shaded, and the vertical scale is that of the left.
    """
    witness = finding.witness
    glimpse = witness.excerpt if witness else None
    if finding.verdict is not Verdict.LEAK or witness is None or not (glimpse and glimpse.dates):
        return None
    past = past_of(glimpse, witness.cut)
    figure, axes = canvas(HIGH, width=WIDE)
    axis = axes[0, 0]
    shade_future(axis, past, len(glimpse.dates), witness.cut)
    draw_series(axis, np.array(glimpse.before), np.array(glimpse.after), past)
    scale(axis, [*glimpse.before[:past], *glimpse.after[:past]])
    mark_move(axis, glimpse, shown_move(glimpse, witness, past))
    if witness.date not in glimpse.dates:
        note_earlier(axis, witness)
    name_dates(axis, glimpse)
    describe(axis, headline(finding, witness), y=witness.column)
    figure.legend(loc="outside lower left", ncols=2, frameon=False, fontsize=SMALL, reverse=True)
    return figure


def shown_move(glimpse: Excerpt, witness: Witness, past: int) -> int | None:
    """Place of the witness, or of the largest move shown if it is dated earlier; None if none."""
    if witness.date in glimpse.dates:
        return glimpse.dates.index(witness.date)
    before, after = np.array(glimpse.before[:past]), np.array(glimpse.after[:past])
    with np.errstate(invalid="ignore"):  # two infinities of one sign did not move
        moves = np.nan_to_num(np.abs(after - before), nan=0.0)
    if not moves.any():
        moves = (np.isnan(before) != np.isnan(after)).astype(float)
    return int(moves.argmax()) if moves.any() else None


def past_of(glimpse: Excerpt, cut: str) -> int:
    """How many of the dates shown lie up to the cut."""
    return sum(date <= cut for date in glimpse.dates)


def headline(finding: Finding, witness: Witness) -> str:
    """Who looks ahead where, read without the text around the picture."""
    ahead = ""
    if finding.ahead:
        ahead = f", at least {finding.ahead} trading day{'s' * (finding.ahead > 1)} ahead"
    who = " ".join(part for part in (witness.symbol, witness.column) if part)
    return f"{who} ({finding.stage}) reads the future{ahead}"


def shade_future(axis: Axes, past: int, count: int, cut: str) -> None:
    """The cut, and what lies after it."""
    border = past - 0.5
    axis.axvline(border, color=INK, linewidth=1.2)
    axis.axvspan(border, max(count - 0.5, border + 0.5), color=SHADE, linewidth=0)
    label(axis, border - 0.2, f"cut {cut}", "right")
    label(axis, border + 0.2, "after the cut:\nno evidence", "left")


def label(axis: Axes, place: float, text: str, side: str) -> None:
    """Quiet words at the top edge."""
    axis.text(
        place, 0.99, text, ha=side, va="top", fontsize=SMALL, color=MUTED,
        transform=axis.get_xaxis_transform(),
    )  # fmt: skip


def draw_series(axis: Axes, before: np.ndarray, after: np.ndarray, past: int) -> None:
    """Both runs, (n,) each; pale after the cut."""
    runs = (
        (
            after,
            VERMILLION,
            "s",
            "what the same code makes when only what becomes known after the cut changes",
        ),
        (before, BLUE, "o", "as it is"),
    )
    for values, color, marker, name in runs:
        line, later = axis.plot(values[:past], label=name, zorder=3), len(values) - past
        line += axis.plot(past + np.arange(later), values[past:], alpha=0.25, zorder=2)
        for part in line:
            part.set(color=color, linewidth=1.4, marker=marker, markersize=3.2)


def scale(axis: Axes, values: list[float]) -> None:
    """Limits that hold the evidence, with room for the labels above it."""
    known = [value for value in values if isfinite(value)]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    room = (high - low) or abs(high) or 1.0
    axis.set_ylim(low - 0.12 * room, high + 0.32 * room)


def mark_move(axis: Axes, glimpse: Excerpt, place: int | None) -> None:
    """An arrow from a value to what it becomes, and both in figures."""
    if place is None:
        return
    pair = glimpse.before[place], glimpse.after[place]
    ends = [value for value in pair if isfinite(value)]
    if len(ends) == 2:
        arrow = {"arrowstyle": "-|>", "color": INK, "linewidth": 1.3, "shrinkA": 3, "shrinkB": 3}
        axis.annotate("", (place, ends[1]), (place, ends[0]), arrowprops=arrow, zorder=5)
    for value in ends:
        axis.plot(place, value, "o", markersize=9, color=INK, fillstyle="none", zorder=5)
    left = place > len(glimpse.dates) / 3
    axis.annotate(
        f"{glimpse.dates[place]}\n{becomes(*pair)}", (place, ends[-1] if ends else 0.5),
        (-12 if left else 12, 0), textcoords="offset points", ha="right" if left else "left",
        va="center", fontsize=NORMAL, fontweight="bold", color=VERMILLION, zorder=6, bbox=CLEAR,
    )  # fmt: skip


def note_earlier(axis: Axes, witness: Witness) -> None:
    """The witness in words where its date is not shown."""
    axis.text(
        0.01, 0.99,
        f"It moves most on {witness.date}, not shown: {becomes(witness.before, witness.after)}",
        color=VERMILLION, fontsize=NORMAL, ha="left", va="top", transform=axis.transAxes,
        zorder=6, bbox=CLEAR,
    )  # fmt: skip


def becomes(before: float, after: float) -> str:
    """A value, and what it becomes."""
    return f"{number(before)} becomes {number(after)}"


CLEAR = {"facecolor": PAPER, "edgecolor": "none", "alpha": 0.85, "pad": 1.5}
"""Keeps a label readable on lines."""


def number(value: float) -> str:
    """A value, or that there is none."""
    return short(value).replace("-", "\N{MINUS SIGN}") if isfinite(value) else "missing"


def name_dates(axis: Axes, glimpse: Excerpt) -> None:
    """Some six dates, the first one with its year."""
    shown = np.unique(np.linspace(0, len(glimpse.dates) - 1, 6).round().astype(int))
    axis.set_xticks(shown, [glimpse.dates[place] for place in shown])
    axis.set_xlim(-0.7, len(glimpse.dates) - 0.3)
