"""Whether to believe each attribution: its checks as a table of the page."""

from typing import Any

import pandas as pd

from foldproof.tasks.attribute.trust.catalogue import TRUST
from foldproof.tasks.report.results import Results, label


def checks_table(results: Results) -> dict[str, Any]:
    """A row a variant in the order of the ranking, a column a check that any of them has.

    Returns:
        heads: title and meaning of each column; rows: name of the variant and its cells, each with
        the value against its pass mark, the answer and what was seen. Without checks, no rows.
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


def _cell(row: Any) -> dict[str, str]:
    """Value against its mark; the answer decides how it looks."""
    if row is None:
        return {"text": "–", "answer": "", "detail": "not made"}
    answer = "untold" if row.passed is None else "passes" if row.passed else "fails"
    known = not (pd.isna(row.value) or pd.isna(row.mark))
    text = f"{_short(row.value)} / {_short(row.mark)}" if known else "–"
    return {"text": text, "answer": answer, "detail": row.detail}


def _short(value: float) -> str:
    return f"{value:.2g}".replace("-", "\N{MINUS SIGN}")
