"""The Prefect task of this step: all forecasts on the same cells, with intervals."""

import pandas as pd
from prefect import task

from foldproof.tasks.compare.comparison import Comparison, compare
from foldproof.tasks.compare.spec import StatisticsSpec


@task(name="compare forecasts")
def compare_forecasts(
    forecasts: pd.DataFrame, horizon: int, spec: StatisticsSpec, controls: tuple[str, ...]
) -> Comparison:
    """Scores, joint intervals, paired differences and the model confidence set."""
    return compare(
        forecasts,
        horizon,
        reference=spec.reference,
        level=spec.level,
        draws=spec.draws,
        seed=spec.seed,
        outside=controls,
    )
