"""Compare past scores with realised returns, and features and attribution with training."""

from contextlib import AbstractContextManager
from pathlib import Path
from tempfile import TemporaryDirectory

from prefect import flow

from foldproof.conf.schema import Experiment
from foldproof.flows.flow_runs.in_part import require_sent
from foldproof.flows.flow_runs.this_run import due, night_name
from foldproof.flows.paths import MONITORING, PANELS
from foldproof.flows.screens.terminal import Terminal
from foldproof.tasks.operate.monitoring.monitor import Monitoring
from foldproof.tasks.operate.monitoring.monitor_text import alert_lines, lines
from foldproof.tasks.operate.nightly_inputs import required
from foldproof.tasks.operate.task import monitor_champion, show_alerts
from foldproof.tasks.report.task import draw_monitoring
from foldproof.tasks.track.store import open_store
from foldproof.tasks.track.task import champion_of, log_monitoring, past_scores


@flow(name="monitor", flow_run_name=night_name, description=__doc__)
def monitor(experiment: Experiment) -> Monitoring:
    """Compute realised rank IC, drift and alerts of the champion; log them and draw a page."""
    night = experiment.tonight(due())
    operation, dates = night.operation, night.operation.monitor.dates
    with TemporaryDirectory() as folder:
        champion = champion_of(night.tracking, operation.model, Path(folder))
        champion = required(champion, operation.model)
        scores = past_scores(night.tracking, operation.model)
        found = monitor_champion(
            champion, night.data, night.target, operation, scores, PANELS.resolve()
        )
    report = draw_monitoring(found, dates)
    show_alerts(found)
    place = log_monitoring(night.tracking, found, report, dates, MONITORING.resolve())
    screen = Terminal()
    for line in [*lines(found), *alert_lines(found), f"figure and page: {place}"]:
        screen.say(line)
    require_sent()
    return found


def run_monitor(experiment: Experiment, api: AbstractContextManager[None]) -> Monitoring:
    """Check that the tracking store answers, then run the flow."""
    open_store(experiment.tracking)
    with api:
        return monitor(experiment)
