"""Score the newest rows of a night with the champion, unless a check refuses the night."""

from contextlib import AbstractContextManager
from pathlib import Path
from tempfile import TemporaryDirectory

from prefect import flow

from foldproof.conf.schema import Experiment
from foldproof.flows.flow_runs.in_part import require_sent
from foldproof.flows.flow_runs.this_run import due, night_name
from foldproof.flows.paths import PANELS, SCORES
from foldproof.flows.screens.terminal import Terminal
from foldproof.tasks.operate.nightly_inputs import required
from foldproof.tasks.operate.nights.checks import Result
from foldproof.tasks.operate.nights.scoring import Scoring, check_text, sentence
from foldproof.tasks.operate.sessions import closed
from foldproof.tasks.operate.task import keep_scores, score_rows, show_checks
from foldproof.tasks.task import started
from foldproof.tasks.track.store import open_store
from foldproof.tasks.track.task import champion_of, log_night


@flow(name="score", flow_run_name=night_name, description=__doc__)
def score(experiment: Experiment) -> Scoring:
    """Score the newest rows with the champion and check them; write a file and log."""
    scoring = score_night(experiment)
    show_checks(scoring)
    return scoring


def score_night(experiment: Experiment) -> Scoring:
    """The steps of the flow; outside one they run without Prefect."""
    night = experiment.tonight(due())
    operation = night.operation
    with TemporaryDirectory() as folder:
        champion = champion_of(night.tracking, operation.model, Path(folder))
        champion = required(champion, operation.model)
        scoring = started(score_rows)(champion, night.data, operation, PANELS.resolve())
    file = started(keep_scores)(scoring, SCORES.resolve())
    log_night(night.tracking, scoring, file)
    screen = Terminal()
    screen.say(sentence(scoring))
    if holiday := closed(scoring.night, operation.calendar):
        screen.say(f"{holiday}: these are the scores of {scoring.newest}")
    for one in scoring.beyond(Result.WARN):
        screen.say(f"warning: {check_text(one)}")
    if file is not None:
        screen.say(f"scores: {file}")
    require_sent()
    return scoring


def run_score(experiment: Experiment, api: AbstractContextManager[None] | None) -> Scoring:
    """Check that the tracking store answers, then run the flow; directly if ``api`` is None."""
    open_store(experiment.tracking)
    if api is None:
        return score_night(experiment)
    with api:
        return score(experiment)
