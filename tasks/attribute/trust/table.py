"""The checks of a variant's attribution as a table."""

from dataclasses import asdict

import pandas as pd

from tasks.attribute.methods import MAIN
from tasks.attribute.tables import COLUMNS, UNIT
from tasks.attribute.trust.check import Check, check
from tasks.attribute.trust.stability import stabilities
from tasks.attribute.trust.unit import trust_unit
from tasks.data.panel import Panel
from tasks.train import TrainedUnit


def checked(trained: TrainedUnit, panel: Panel, importance: pd.DataFrame) -> pd.DataFrame:
    """What one unit tells of its integrated gradients, and several of how stable they are.

    Args:
        trained: The unit that is checked, the newest.
        panel: The panel that it was trained on.
        importance: The table of this name of all units of the variant.
    """
    own = importance[importance["method"] == MAIN]
    stable = [one for found in stabilities(own).values() for one in found]
    unit = trained.unit
    who = dict(zip(UNIT, (unit.variant, unit.fold.number, unit.seed), strict=True))
    rows = [who | row_of(one) for one in (*told(trained, panel), *stable)]
    return pd.DataFrame(rows, columns=list(COLUMNS["checks"]))


def told(trained: TrainedUnit, panel: Panel) -> tuple[Check, ...]:
    """The checks of one unit; where a block is too thin for them, why completeness is untold."""
    try:
        return trust_unit(trained, panel)
    except ValueError as error:
        nan = float("nan")
        return (check("completeness", nan, nan, None, str(error)),)


def row_of(one: Check) -> dict[str, object]:
    """A check under the table's names."""
    row = asdict(one)
    return {"check": row.pop("name"), **row}
