"""What the champion's past scores were worth, and whether features or attribution have moved."""

from contextlib import AbstractContextManager
from pathlib import Path
from tempfile import TemporaryDirectory

from prefect import flow

from foldproof.conf.schema import Experiment
from foldproof.flows.paths import MONITORING, SCORES
from foldproof.flows.screens.comparison import Screen
from foldproof.tasks.operate.night import required
from foldproof.tasks.operate.task import show_alerts, watch_champion
from foldproof.tasks.operate.watch import Watch
from foldproof.tasks.operate.watch_words import alert_lines, lines
from foldproof.tasks.report.task import draw_watch
from foldproof.tasks.track.store import open_store
from foldproof.tasks.track.task import champion_of, log_monitoring


@flow(name="monitor", description=__doc__)
def monitor(experiment: Experiment) -> Watch:
    """Champion from the registry, its past scores against labels, drift, alerts, tracker."""
    tonight = experiment.tonight()
    operation, dates = tonight.operation, tonight.operation.monitor.dates
    with TemporaryDirectory() as folder:
        champion = required(
            champion_of(tonight.tracking, operation.model, Path(folder)), operation.model
        )
        seen = watch_champion(champion, tonight.data, tonight.target, operation, SCORES.resolve())
    report = draw_watch(seen, dates)
    show_alerts(seen)
    place = log_monitoring(tonight.tracking, seen, report, dates, MONITORING.resolve())
    say(seen, place, Screen())
    return seen


def say(seen: Watch, place: Path, screen: Screen) -> None:
    """What was seen on the screen, alerts last."""
    for line in [*lines(seen), *alert_lines(seen)]:
        screen.say(line)
    screen.say(f"figure and page: {place}")


def run_monitor(experiment: Experiment, api: AbstractContextManager[None]) -> Watch:
    """Check that there is a store, then run the flow."""
    open_store(experiment.tracking)
    with api:
        return monitor(experiment)
