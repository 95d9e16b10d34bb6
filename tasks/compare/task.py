"""The Prefect task of this step."""

import pandas as pd
from prefect import task

from foldproof.tasks.compare.comparison import Comparison, compare
from foldproof.tasks.compare.spec import StatisticsSpec


@task(name="compare forecasts")
def compare_forecasts(
    forecasts: pd.DataFrame, horizon: int, spec: StatisticsSpec, outside: set[str]
) -> Comparison:
    """Scores, joint intervals, paired differences and the confidence set without ``outside``."""
    return compare(forecasts, horizon, spec, outside)
