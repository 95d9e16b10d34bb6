"""The forest plot of a study: gains of every variant on every real panel, and pooled."""

from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from foldproof.tasks.panel_study.networks import MEASURES
from foldproof.tasks.report import style
from foldproof.tasks.report.panel_study.results import PanelStudyResults
from foldproof.tasks.report.text import label, minus

LOOKS = {"rank_ic": (style.BLUE, "o", -0.16), "neutral": (style.ORANGE, "D", 0.16)}
"""Colour, marker and place within the row of each measure."""
ROW = 0.27
"""Inches of a row."""
QUANTILE = 0.98
"""Share of the interval ends of a panel that the axis shows; longer intervals are cut."""


def forest_figure(results: PanelStudyResults) -> Figure:
    """A row per variant, a column per real panel, the pooled gains last; the margin is shaded."""
    names = results.variants
    columns = [*results.real, *(["pooled"] if len(results.pooled) else [])] or [*results.titles]
    figure, axes = style.canvas(
        1.7 + ROW * len(names), 1, len(columns), sharey=True,
        widths=[1.35 if name == "pooled" else 1.0 for name in columns],
    )  # fmt: skip
    for axis, column in zip(axes[0], columns, strict=True):
        if column == "pooled":
            rows = results.pooled.assign(leak="")
            title = f"Pooled over {len(results.real)} panels"
        else:
            rows = results.table[results.table["panel"] == column]
            title = results.titles[column]
        gains(axis, rows, names, results.statistics.margin)
        axis.set_title(fill(title, 18), fontsize=style.SMALL, color=style.INK, loc="left")
    style.name_rows(axes[0, 0], [label(name) for name in names])
    figure.supxlabel(
        f"Gain in mean daily rank IC over {label(results.reference)}", fontsize=style.NORMAL,
        color=style.MUTED,
    )  # fmt: skip
    style.legend_above(figure, marks(results), ncols=5)
    return figure


def gains(axis: Axes, rows: pd.DataFrame, names: list[str], margin: float) -> None:
    """The gains of one panel, or the pooled ones with their prediction intervals."""
    axis.axvspan(-margin, margin, color=style.FAINT, alpha=0.7, linewidth=0, zorder=0)
    axis.axvline(0, color=style.INK, linewidth=0.8, zorder=1)
    ends, leaking = [margin], set(rows.loc[rows["leak"] == "LEAK", "variant"])
    for measure, (usual, marker, shift) in LOOKS.items():
        own = rows[(rows["measure"] == measure) & rows["variant"].isin(names)]
        for _, row in own.iterrows():
            place = names.index(row["variant"]) + shift
            leaks = row["variant"] in leaking
            color = style.VERMILLION if leaks else usual
            if "predicted_low" in row and np.isfinite(row["predicted_low"]):
                wide = [row["predicted_low"], row["predicted_high"]]
                axis.plot(wide, [place, place], color=color, linewidth=0.8, alpha=0.5, zorder=2)
            axis.plot(
                [row["low"], row["high"]], [place, place], color=color, linewidth=1.8, alpha=0.6,
                zorder=3,
            )  # fmt: skip
            decided = row["against"] in ("better", "worse")
            axis.plot(
                row["gain"], place, color=color, marker="X" if leaks else marker, markersize=4.5,
                markerfacecolor=color if decided else style.PAPER, linestyle="none", zorder=4,
            )  # fmt: skip
        honest = own[~own["variant"].isin(leaking)]
        ends += honest[["low", "high"]].abs().to_numpy(float).ravel().tolist()
    known = [end for end in ends if np.isfinite(end)]
    reach = 1.1 * float(np.quantile(known, QUANTILE))
    axis.set_xlim(-reach, reach)
    tick = rounded_down(0.8 * reach)
    axis.set_xticks([-tick, 0, tick], [minus(f"{-tick:g}"), "0", f"{tick:g}"])
    style.grid(axis)


def rounded_down(value: float) -> float:
    """The largest number of one digit that is at most ``value``, which is above zero."""
    unit = 10.0 ** np.floor(np.log10(value))
    return float(f"{np.floor(value / unit) * unit:.12g}")


def marks(results: PanelStudyResults) -> list[Line2D | Patch]:
    """The legend."""
    shown = set(results.table["measure"])
    found: list[Line2D | Patch] = [
        Line2D([], [], color=color, marker=marker, markersize=5, linewidth=1.8, label=MEASURES[key],
               markerfacecolor=style.PAPER)
        for key, (color, marker, _) in LOOKS.items() if key in shown
    ]  # fmt: skip
    found.append(
        Line2D([], [], color=style.MUTED, marker="o", markersize=5, linestyle="none",
               label="filled: better or worse (Holm)")
    )  # fmt: skip
    if (results.table["leak"] == "LEAK").any():
        found.append(
            Line2D([], [], color=style.VERMILLION, marker="X", markersize=5, linestyle="none",
                   label="leaks on this panel")
        )  # fmt: skip
    found.append(Patch(color=style.FAINT, label=f"margin ±{results.statistics.margin:g}"))
    return found
