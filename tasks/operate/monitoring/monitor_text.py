"""Monitoring as text: lines for the screen and a page of Markdown."""

import math

from foldproof.tasks.markdown import escaped, markdown_table
from foldproof.tasks.operate.monitoring.monitor import ALARMS, Monitoring, top

LISTED = 10
"""Features in the table of the page."""


def lines(found: Monitoring) -> list[str]:
    """The version, then realised rank IC, drift of features and of attribution, missed nights."""
    name, value = str(found.shift.index[0]), float(found.shift.iloc[0])
    return [
        f"version {found.version} ({found.variant}) of {found.model} on the night of {found.night}",
        realised_text(found),
        f"drift of features: population stability index {value:.2f} at most ({name})",
        attribution_text(found),
        missed_text(found),
    ]


def realised_text(found: Monitoring) -> str:
    """The mean realised rank IC with its interval."""
    mean = found.realised
    if not mean.dates:
        return "realised rank IC: no score of this version has a label yet"
    text = f"realised rank IC: {mean.mean:+.4f} over its newest {mean.dates} dates with labels"
    if math.isnan(mean.p):
        return f"{text}; an interval needs {mean.needed} dates"
    return f"{text} ({mean.low:+.4f} to {mean.high:+.4f})"


def attribution_text(found: Monitoring) -> str:
    """The features that carry the forecasts now, and the agreement with training."""
    if math.isnan(found.tau):
        return "drift of attribution: unknown, there is no complete window now or in training"
    return (
        f"drift of attribution: Kendall's tau {found.tau:+.2f} between the importance of features "
        f"now ({top(found.importance)}) and on {found.source} ({top(found.reference)})"
    )


def missed_text(found: Monitoring) -> str:
    """The newest nights without a score."""
    if math.isnan(found.missed):
        return "missed nights: no night has a score yet"
    before = f", and {found.gap} between the two newest scores" if found.gap else ""
    return f"missed nights: {found.missed:g} in a row up to this one have no score{before}"


def alert_lines(found: Monitoring) -> list[str]:
    """One line per alert."""
    return [f"ALERT {ALARMS[name].title}: {text}" for name, text in found.alerts.items()]


def page(found: Monitoring) -> str:
    """The alerts first, then the other lines, then the features that moved most."""
    title, *state = lines(found)
    alerts = [f"- **{escaped(line)}**" for line in alert_lines(found)] or ["No alert."]
    rows = []
    for name, value in found.shift[:LISTED].items():
        shares = (which.get(str(name)) for which in (found.importance, found.reference))
        now, then = ("-" if share is None else f"{share:.1%}" for share in shares)
        rows.append((str(name), f"{value:.3f}", now, then))
    table = markdown_table(("feature", "stability index", "importance now", "in training"), rows)
    body = [*alerts, "", *(f"- {escaped(line)}" for line in state)]
    return "\n".join([escaped(title), "", *body, "", table])
