"""What past scores were worth: realised rank IC by date, with the versions that scored."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import date2num
from matplotlib.figure import Figure

from foldproof.tasks.operate.monitor import Monitoring
from foldproof.tasks.operate.monitor_text import realised_text
from foldproof.tasks.report.style import (
    BLUE,
    FAINT,
    GREEN,
    INK,
    MUTED,
    ORANGE,
    PURPLE,
    SKY,
    SMALL,
    VERMILLION,
    canvas,
    describe,
    grid,
)

COLOURS = (BLUE, ORANGE, GREEN, PURPLE, SKY)
"""Of the versions, in turn; with more versions than colours, only the marks above name them."""

LABEL_ROOM = 0.03
"""Width of a version's label, as a share of the dates shown."""


def realised_figure(seen: Monitoring, dates: int) -> Figure:
    """Daily rank IC as bars coloured by version, its mean over the newest ``dates`` as a line."""
    figure, axes = canvas(3.4)
    axis = axes[0, 0]
    if seen.daily.empty:
        axis.text(0.5, 0.5, "no labels yet", transform=axis.transAxes, ha="center", color=MUTED)
    else:
        _bars(axis, seen.daily)
        _rolling(axis, seen.daily, dates)
    axis.axhline(0, color=INK, linewidth=0.8)
    grid(axis, "y")
    describe(axis, f"{seen.model}: realised rank IC of past scores", y="rank IC")
    figure.supxlabel(
        realised_text(seen) + (f"   ALERT: {', '.join(seen.alerts)}" if seen.alerts else ""),
        x=0.01, ha="left", fontsize=SMALL, color=VERMILLION if seen.alerts else MUTED,
    )  # fmt: skip
    return figure


def _bars(axis: Axes, daily: pd.DataFrame) -> None:
    """A bar a date; a label where a version begins to score, below the one that it would cover."""
    versions = list(dict.fromkeys(daily["version"]))
    for number, version in enumerate(versions):
        own = daily[daily["version"] == version]
        colour = COLOURS[number % len(COLOURS)]
        label = f"version {version}" if len(versions) <= len(COLOURS) else None
        axis.bar(own["date"], own["rank_ic"], width=1.0, color=colour, alpha=0.45, label=label)
    room = LABEL_ROOM * (daily["date"].max() - daily["date"].min())
    before, line = None, 0
    for version, begins in _takeovers(daily):
        line = line + 1 if before is not None and begins - before < room else 0
        before = begins
        axis.axvline(date2num(begins), color=FAINT, linewidth=1.0, zorder=0)
        axis.annotate(
            f"v{version}", (begins, 1.0), xycoords=("data", "axes fraction"),
            xytext=(2, -8 - 10 * line), textcoords="offset points", fontsize=SMALL, color=MUTED,
        )  # fmt: skip


def _takeovers(daily: pd.DataFrame) -> Iterator[tuple[str, pd.Timestamp]]:
    """Each version with the date on which it begins, and begins again, to score."""
    before = None
    for date, version in zip(daily["date"], daily["version"], strict=True):
        if version != before:
            yield str(version), date
        before = version


def _rolling(axis: Axes, daily: pd.DataFrame, dates: int) -> None:
    """Mean over the newest ``dates``, whoever scored; not before a third of them are there."""
    least = max(1, dates // 3)
    mean = daily["rank_ic"].astype(float).rolling(dates, min_periods=least).mean()
    if np.isfinite(mean).any():
        axis.plot(daily["date"], mean, color=INK, linewidth=1.6, label=f"mean of {dates} dates")
    axis.legend(
        loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=SMALL, labelcolor=INK
    )
