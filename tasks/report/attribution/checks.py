"""The checks of each variant's attribution, as a table of the page."""

from typing import Any

import pandas as pd

from foldproof.tasks.attribute.trust.catalogue import TRUST
from foldproof.tasks.report.results import Results
from foldproof.tasks.report.text import label, minus


def checks_table(results: Results) -> dict[str, Any]:
    """A row per variant in the order of the ranking, a column per check that any of them has.

    Returns:
        heads: title and rule of each column; rows: name of the variant and its cells, each with
        value, result, detail and whether it fails. Without checks, no rows.
    """
    checks = results.attribution.newest.checks
    names = [name for name in TRUST if name in set(checks["check"])]
    found = {(row.variant, row.check): row for row in checks.itertuples()}
    checked = set(checks["variant"])
    return {
        "heads": [TRUST[name] for name in names],
        "rows": [
            {"name": label(one), "cells": [_cell(found.get((one, name))) for name in names]}
            for one in results.ranking.index
            if one in checked
        ],
    }


def _cell(row: Any) -> dict[str, Any]:
    """The value of a check, and its result with the threshold."""
    if row is None:
        return {"value": "–", "result": "", "detail": "not run", "fails": False}
    result = "undecided" if row.passed is None else "passes" if row.passed else "fails"
    known = not (pd.isna(row.value) or pd.isna(row.mark))
    return {
        "value": _short(row.value) if known else "–",
        "result": f"{result} (threshold {_short(row.mark)})" if known else result,
        "detail": row.detail,
        "fails": result == "fails",
    }


def _short(value: float) -> str:
    return minus(f"{value:.2g}")
