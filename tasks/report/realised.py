"""Realised rank IC of past scores by date, with the model versions that made them."""

from itertools import groupby

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from foldproof.tasks.operate.monitoring.monitor import Monitoring
from foldproof.tasks.operate.monitoring.monitor_text import realised_text
from foldproof.tasks.report import style

COLOURS = (style.BLUE, style.ORANGE, style.GREEN, style.PURPLE, style.SKY)
"""Colours of the versions, in turn; with more versions, the labels at the top tell them apart."""
LABEL_ROOM = 0.03
"""Width of a version's label, as a share of the dates shown."""


def realised_figure(monitoring: Monitoring, dates: int) -> Figure:
    """Daily rank IC as bars coloured by version, its mean over the newest ``dates`` as a line.

    Dates are equally spaced: there are no gaps at weekends.
    """
    figure, axis = style.one_axis(3.4)
    daily = monitoring.daily
    if daily.empty:
        axis.text(
            0.5, 0.5, "no labels yet", transform=axis.transAxes, ha="center", color=style.MUTED
        )
    else:
        _bars(axis, daily)
        mean = daily["rank_ic"].astype(float).rolling(dates, min_periods=max(1, dates // 3)).mean()
        if np.isfinite(mean).any():
            axis.plot(
                range(len(daily)), mean, color=style.INK, linewidth=1.6,
                label=f"mean of {dates} dates",
            )  # fmt: skip
        style.legend(axis, "upper left", bbox_to_anchor=(1.0, 1.0), labelcolor=style.INK)
        style.name_dates(axis, [f"{day:%Y-%m-%d}" for day in daily["date"]])
        axis.set_xlim(-1, max(len(daily), 20))
    axis.axhline(0, color=style.INK, linewidth=0.8)
    style.grid(axis, "y")
    style.describe(axis, f"{monitoring.model}: realised rank IC of past scores", y="rank IC")
    alert = f"   ALERT: {', '.join(monitoring.alerts)}" if monitoring.alerts else ""
    figure.supxlabel(
        realised_text(monitoring) + alert, x=0.01, ha="left", fontsize=style.SMALL,
        color=style.VERMILLION if alert else style.MUTED,
    )  # fmt: skip
    return figure


def _bars(axis: Axes, daily: pd.DataFrame) -> None:
    """A bar per date, and a label where another version takes over; colliding labels step down."""
    versions = list(dict.fromkeys(daily["version"]))
    for number, version in enumerate(versions):
        at = np.flatnonzero(daily["version"] == version)
        axis.bar(
            at, daily["rank_ic"].to_numpy()[at], width=0.9, alpha=0.45,
            color=COLOURS[number % len(COLOURS)],
            label=f"version {version}" if len(versions) <= len(COLOURS) else None,
        )  # fmt: skip
    room = LABEL_ROOM * len(daily)
    before, line = -np.inf, 0
    for version, group in groupby(range(len(daily)), lambda place: daily["version"].iloc[place]):
        begins = next(group)
        line = line + 1 if begins - before < room else 0
        before = begins
        axis.axvline(begins, color=style.FAINT, linewidth=1.0, zorder=0)
        axis.annotate(
            f"v{version}", (begins, 1.0), xycoords=("data", "axes fraction"),
            xytext=(2, -8 - 10 * line), textcoords="offset points", fontsize=style.SMALL,
            color=style.MUTED,
        )  # fmt: skip
