"""The Prefect tasks of this step: what the champion forecasts, the gate, and its decision shown."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from prefect import task
from prefect.artifacts import create_markdown_artifact

from tasks.data import DataSpec, load, load_raw
from tasks.operate.decision import Challenger, Decision, Incumbent
from tasks.operate.evidence import Champion, champion_forecasts, stretch_of
from tasks.operate.gate import decide
from tasks.operate.record import Settled
from tasks.operate.spec import GateSpec
from tasks.split import Fold
from tasks.timing import Timed, timed
from tasks.train.served import read_served


@task(name="forecast with champion")
def forecast_champion(
    champion: Champion, data: DataSpec, panel: Path, folds: tuple[Fold, ...]
) -> Timed[pd.DataFrame]:
    """The champion's own forecasts of the stretch, from raw rows, out of its sample only."""

    def forecasts() -> pd.DataFrame:
        served = read_served(champion.weights, champion.notes)
        rows = stretch_of(folds)
        return champion_forecasts(served, load_raw(data), load(panel), champion, rows)

    return timed(forecasts)


@task(name="decide")
def decide_champion(
    challengers: Sequence[Challenger],
    champion: Incumbent | None,
    spec: GateSpec,
    horizon: int,
    stale: int,
) -> Decision:
    """Who is champion tomorrow, and why."""
    return decide(challengers, champion, spec, horizon, stale)


@task(name="show decision in prefect")
def show_decision(settled: Settled) -> None:
    """The decision as an artifact of the flow run."""
    create_markdown_artifact(
        f"{settled.sentence}\n\n{settled.page}",
        key=f"retraining-{settled.retraining_id}",
        description=settled.sentence,
    )
