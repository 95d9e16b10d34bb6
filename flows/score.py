"""Score tonight's rows with the champion, unless a check refuses them."""

from contextlib import AbstractContextManager
from pathlib import Path
from tempfile import TemporaryDirectory

from prefect import flow

from foldproof.conf.schema import Experiment
from foldproof.flows.paths import SCORES
from foldproof.flows.screens.comparison import Screen
from foldproof.tasks.operate.checks import Result
from foldproof.tasks.operate.night import required
from foldproof.tasks.operate.scoring import Scoring, sentence, told
from foldproof.tasks.operate.task import keep_scores, score_rows, show_checks
from foldproof.tasks.track.store import open_store
from foldproof.tasks.track.task import champion_of, log_night


@flow(name="score", description=__doc__)
def score(experiment: Experiment) -> Scoring:
    """Champion from the registry, rows up to the night, scores, checks, file, tracker."""
    tonight = experiment.tonight()
    with TemporaryDirectory() as folder:
        found = champion_of(tonight.tracking, tonight.operation.model, Path(folder))
        champion = required(found, tonight.operation.model)
        scoring = score_rows(champion, tonight.data, tonight.operation)
    file = keep_scores(scoring, SCORES.resolve())
    show_checks(scoring)
    log_night(tonight.tracking, scoring, file)
    say(scoring, file, Screen())
    return scoring


def say(scoring: Scoring, file: Path | None, screen: Screen) -> None:
    """The night on the screen."""
    screen.say(sentence(scoring))
    for one in scoring.beyond(Result.WARN):
        screen.say(f"warning: {told(one)}")
    if file is not None:
        screen.say(f"scores: {file}")


def run_score(experiment: Experiment, api: AbstractContextManager[None]) -> Scoring:
    """Check that there is a store, then run the flow."""
    open_store(experiment.tracking)
    with api:
        return score(experiment)
