"""Score the newest rows of a night with the champion, unless a check refuses the night."""

from contextlib import AbstractContextManager
from pathlib import Path
from tempfile import TemporaryDirectory

from prefect import flow

from foldproof.conf.schema import Experiment
from foldproof.flows.paths import PANELS, SCORES
from foldproof.flows.screens.comparison import Screen
from foldproof.flows.this_run import due, night_name
from foldproof.tasks.operate.checks import Result
from foldproof.tasks.operate.nightly_inputs import required
from foldproof.tasks.operate.scoring import Scoring, check_text, sentence
from foldproof.tasks.operate.task import keep_scores, score_rows, show_checks
from foldproof.tasks.track.store import open_store
from foldproof.tasks.track.task import champion_of, log_night


@flow(name="score", flow_run_name=night_name, description=__doc__)
def score(experiment: Experiment) -> Scoring:
    """Score the newest rows with the champion and check them; write a file and log."""
    night = experiment.tonight(due())
    operation = night.operation
    with TemporaryDirectory() as folder:
        champion = champion_of(night.tracking, operation.model, Path(folder))
        scoring = score_rows(
            required(champion, operation.model), night.data, operation, PANELS.resolve()
        )
    file = keep_scores(scoring, SCORES.resolve())
    show_checks(scoring)
    log_night(night.tracking, scoring, file)
    screen = Screen()
    screen.say(sentence(scoring))
    for one in scoring.beyond(Result.WARN):
        screen.say(f"warning: {check_text(one)}")
    if file is not None:
        screen.say(f"scores: {file}")
    return scoring


def run_score(experiment: Experiment, api: AbstractContextManager[None]) -> Scoring:
    """Check that the tracking store answers, then run the flow."""
    open_store(experiment.tracking)
    with api:
        return score(experiment)
