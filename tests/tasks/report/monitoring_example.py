"""What monitoring may find: two versions over two months."""

from collections.abc import Mapping
from datetime import date

import numpy as np
import pandas as pd

from foldproof.tasks.operate.monitoring.monitor import Monitoring
from foldproof.tasks.operate.monitoring.realised import realised_mean

TUESDAY = date(2022, 3, 8)


def example_monitoring(alerts: Mapping[str, str], night: date = TUESDAY) -> Monitoring:
    dates = pd.bdate_range("2022-01-03", "2022-03-04")
    ic = 0.1 * np.random.default_rng(0).standard_normal(len(dates))
    versions = np.where(np.arange(len(dates)) < 20, "1", "2")
    daily = pd.DataFrame({"date": dates, "version": versions, "rank_ic": ic})
    return Monitoring(
        "stocks", "2", "zscore", night, daily, realised_mean(ic[20:], 1, 0.05),
        pd.Series({"f1": 0.3, "f0": 0.1}), {"f0": 0.6, "f1": 0.4}, {"f0": 0.7, "f1": 0.3},
        "its training windows", 1.0, alerts,
    )  # fmt: skip
