"""The witness of a leak as a picture: a series around a cut, and the value that changed."""

from math import isfinite

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from foldproof.tasks.diagnose.findings.finding import Excerpt, Finding, Verdict, Witness
from foldproof.tasks.report import style
from foldproof.tasks.report.audit.matrices import short
from foldproof.tasks.report.audit.text import ahead_text
from foldproof.tasks.report.text import minus

SHADE = "#eef0f3"
"""Background of dates that are not evidence."""
WIDE, HIGH = 8.6, 3.1
"""Inches."""
CLEAR = {"facecolor": style.PAPER, "edgecolor": "none", "alpha": 0.85, "pad": 1.5}
"""Background that keeps a label readable on lines."""
ARROW = {"arrowstyle": "-|>", "color": style.INK, "linewidth": 1.3, "shrinkA": 3, "shrinkB": 3}


def witness_picture(finding: Finding) -> Figure | None:
    """The series on the original and on changed later data; None without an excerpt.

    Only dates up to the cut are evidence. Later values may be the changed data themselves: they are
    shaded, and do not affect the vertical scale.
    """
    witness = finding.witness
    excerpt = witness.excerpt if witness else None
    if finding.verdict is not Verdict.LEAK or witness is None or not (excerpt and excerpt.dates):
        return None
    past = sum(date <= witness.cut for date in excerpt.dates)
    figure, axis = style.one_axis(HIGH, WIDE)
    shade_future(axis, past, len(excerpt.dates), witness.cut)
    draw_series(axis, np.array(excerpt.before), np.array(excerpt.after), past)
    scale(axis, [*excerpt.before[:past], *excerpt.after[:past]])
    mark_change(axis, excerpt, shown_change(excerpt, witness, past))
    if witness.date not in excerpt.dates:
        axis.text(
            0.01, 0.99,
            f"Largest change on {witness.date}, not shown: "
            f"{becomes(witness.before, witness.after)}",
            color=style.VERMILLION, fontsize=style.NORMAL, ha="left", va="top",
            transform=axis.transAxes, zorder=6, bbox=CLEAR,
        )  # fmt: skip
    style.name_dates(axis, excerpt.dates)
    axis.set_xlim(-0.7, len(excerpt.dates) - 0.3)
    who = " ".join(part for part in (witness.symbol, witness.column) if part)
    ahead = f", {ahead_text(finding)}" if finding.ahead else ""
    title = f"{who} ({finding.stage}) depends on the future{ahead}"
    style.describe(axis, title, y=witness.column)
    style.legend(figure, "outside lower left", ncols=2, reverse=True)
    return figure


def shown_change(excerpt: Excerpt, witness: Witness, past: int) -> int | None:
    """Place of the witness; of the largest change shown if the witness is earlier; else None."""
    if witness.date in excerpt.dates:
        return excerpt.dates.index(witness.date)
    before, after = np.array(excerpt.before[:past]), np.array(excerpt.after[:past])
    with np.errstate(invalid="ignore"):  # two infinities of one sign do not differ
        changes = np.nan_to_num(np.abs(after - before), nan=0.0)
    if not changes.any():
        changes = (np.isnan(before) != np.isnan(after)).astype(float)
    return int(changes.argmax()) if changes.any() else None


def shade_future(axis: Axes, past: int, count: int, cut: str) -> None:
    """A line at the cut, and a shade after it."""
    border = past - 0.5
    axis.axvline(border, color=style.INK, linewidth=1.2)
    axis.axvspan(border, max(count - 0.5, border + 0.5), color=SHADE, linewidth=0)
    for shift, text, side in (
        (-0.2, f"cut {cut}", "right"),
        (0.2, "after the cut:\nno evidence", "left"),
    ):
        axis.text(
            border + shift, 0.99, text, ha=side, va="top", fontsize=style.SMALL, color=style.MUTED,
            transform=axis.get_xaxis_transform(),
        )  # fmt: skip


def draw_series(axis: Axes, before: np.ndarray, after: np.ndarray, past: int) -> None:
    """Both runs, (n,) each; pale after the cut."""
    for values, color, marker, name in (
        (after, style.VERMILLION, "s", "after changing data that become known later"),
        (before, style.BLUE, "o", "original data"),
    ):
        line, later = axis.plot(values[:past], label=name, zorder=3), len(values) - past
        line += axis.plot(past + np.arange(later), values[past:], alpha=0.25, zorder=2)
        for part in line:
            part.set(color=color, linewidth=1.4, marker=marker, markersize=3.2)


def scale(axis: Axes, values: list[float]) -> None:
    """Limits around the evidence, with room for the labels above it."""
    known = [value for value in values if isfinite(value)]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    room = (high - low) or abs(high) or 1.0
    axis.set_ylim(low - 0.12 * room, high + 0.32 * room)


def mark_change(axis: Axes, excerpt: Excerpt, place: int | None) -> None:
    """An arrow from the old to the new value, and both as numbers."""
    if place is None:
        return
    pair = excerpt.before[place], excerpt.after[place]
    ends = [value for value in pair if isfinite(value)]
    if len(ends) == 2:
        axis.annotate("", (place, ends[1]), (place, ends[0]), arrowprops=ARROW, zorder=5)
    for value in ends:
        axis.plot(place, value, "o", markersize=9, color=style.INK, fillstyle="none", zorder=5)
    left = place > len(excerpt.dates) / 3
    axis.annotate(
        f"{excerpt.dates[place]}\n{becomes(*pair)}", (place, ends[-1] if ends else 0.5),
        (-12 if left else 12, 0), textcoords="offset points", ha="right" if left else "left",
        va="center", fontsize=style.NORMAL, fontweight="bold", color=style.VERMILLION, zorder=6,
        bbox=CLEAR,
    )  # fmt: skip


def becomes(*pair: float) -> str:
    """The old and the new value; ``missing`` for one that is not finite."""
    old, new = (minus(short(value)) if isfinite(value) else "missing" for value in pair)
    return f"{old} becomes {new}"
