"""Shares of importance, the best attributed candidate, failed checks: data of figures and text."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from foldproof.tasks.attribute.methods.catalogue import MAIN
from foldproof.tasks.attribute.trust.catalogue import TRUST
from foldproof.tasks.report.results import Results, is_true
from foldproof.tasks.report.text import names


def shares(lagged: pd.DataFrame, order: Sequence[str] | None = None) -> pd.DataFrame:
    """Share of the absolute attribution (percent) by feature (rows) and lag (columns, newest last).

    Args:
        lagged: Rows of one method: feature, lag, absolute; averaged over folds and seeds.
        order: Features from the top down; by default by their gross share.
    """
    table = lagged.pivot_table(index="feature", columns="lag", values="absolute", aggfunc="mean")
    table = 100 * table / table.to_numpy().sum()
    by_feature = table.sum(axis=1).sort_values(ascending=False)
    rows = list(by_feature.index if order is None else order)
    return table.loc[rows, sorted(table.columns, reverse=True)]


def importance_shares(importance: pd.DataFrame, *keys: str) -> pd.DataFrame:
    """Each feature's share (percent) of the importance within every combination of ``keys``."""
    means = importance.groupby([*keys, "feature"])["importance"].mean().unstack("feature")
    return 100 * means.div(means.sum(axis=1), axis=0)


def ranked_features(importance: pd.DataFrame, variant: str) -> pd.Series:
    """Each feature's share (percent) of the importance by the main method, largest first."""
    own = importance[(importance["variant"] == variant) & (importance["method"] == MAIN)]
    return importance_shares(own, "variant").T[variant].sort_values(ascending=False)


def best_attributed(results: Results) -> str | None:
    """The best candidate that was attributed; None if there is none."""
    known = set(results.attribution.importance["variant"])
    return next((name for name in results.candidates if name in known), None)


def of_best(results: Results, table: pd.DataFrame) -> pd.DataFrame:
    """The rows of the best attributed candidate."""
    return table[table["variant"] == best_attributed(results)]


def failed_checks(checks: pd.DataFrame) -> list[str]:
    """Titles of the failed checks in a table of checks."""
    given = zip(checks["check"], checks["passed"], strict=True)
    return [TRUST[name].title for name, passed in given if passed is not None and not passed]


def drifted(drift: pd.DataFrame) -> pd.DataFrame:
    """The rows of a table of drift that raise an alert."""
    return drift[np.array([is_true(alert) for alert in drift["alert"]], dtype=bool)]


def undifferentiable(results: Results) -> dict[str, str]:
    """Variants that could be attributed to features only, and why; empty if there are none."""
    stopped = results.attribution.newest.to_prices
    stopped = stopped[stopped["stops"] != ""]
    reasons = stopped.groupby("stops", sort=False)["variant"].unique()
    text = "; ".join(f"{names(variants)} ({why})" for why, variants in reasons.items())
    return {"Attributed to features only": text} if text else {}
