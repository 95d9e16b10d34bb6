"""What monitoring saw, in words: lines for the screen and a page of Markdown."""

import math

from foldproof.tasks.operate.watch import ALARMS, Watch, first
from foldproof.tasks.statistics.mean_test import LEAST_DATES

LISTED = 10
"""Features that the page lists."""


def lines(seen: Watch) -> list[str]:
    """Who is watched and what is known of it, one sentence each."""
    return [
        f"version {seen.version} ({seen.variant}) of {seen.model} as of the night of {seen.night}",
        realised_words(seen),
        shift_words(seen),
        attribution_words(seen),
    ]


def realised_words(seen: Watch) -> str:
    """The mean realised rank IC and how sure it is."""
    found = seen.worth
    if not found.dates:
        return "realised rank IC: no score of this version has a label yet"
    text = f"realised rank IC: {found.mean:+.4f} over its newest {found.dates} dates with labels"
    if math.isnan(found.p):
        return f"{text}; an interval needs {LEAST_DATES}"
    return f"{text} ({found.low:+.4f} to {found.high:+.4f})"


def shift_words(seen: Watch) -> str:
    """The feature that moved most."""
    name, value = str(seen.shift.index[0]), float(seen.shift.iloc[0])
    return f"drift of features: population stability index {value:.2f} at most ({name})"


def attribution_words(seen: Watch) -> str:
    """Which features carry the forecasts now, and how far that agrees with training."""
    if math.isnan(seen.tau):
        return "drift of attribution: unknown, there is no whole window now or in training"
    return (
        f"drift of attribution: Kendall's tau {seen.tau:+.2f} between the importance of features "
        f"now ({first(seen.importance)}) and on {seen.source} ({first(seen.reference)})"
    )


def alert_lines(seen: Watch) -> list[str]:
    """One line an alert."""
    return [f"ALERT {ALARMS[name].title}: {text}" for name, text in seen.alerts.items()]


def page(seen: Watch) -> str:
    """Alerts first, then what is known, then the features."""
    alerts = [f"- **{line}**" for line in alert_lines(seen)] or ["No alert."]
    known = [f"- {line}" for line in lines(seen)[1:]]
    return "\n".join([lines(seen)[0], "", *alerts, "", *known, "", features_table(seen)])


def features_table(seen: Watch) -> str:
    """The features that moved most, with their importance now and in training."""
    head = "| feature | stability index | importance now | in training |\n|---|---|---|---|\n"
    rows = [
        f"| {name} | {value:.3f} | {share(seen.importance.get(str(name)))} "
        f"| {share(seen.reference.get(str(name)))} |\n"
        for name, value in seen.shift[:LISTED].items()
    ]
    return head + "".join(rows)


def share(value: float | None) -> str:
    """A share, or a dash where there is none."""
    return "-" if value is None else f"{value:.1%}"
