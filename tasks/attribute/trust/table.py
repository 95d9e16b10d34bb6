"""The checks of a variant's attribution as a table."""

from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial

import pandas as pd

from tasks.attribute.methods import MAIN
from tasks.attribute.spec import AttributionSpec
from tasks.attribute.tables import COLUMNS, UNIT
from tasks.attribute.trust.check import Check, check
from tasks.attribute.trust.retrained import labels_check, noise_check
from tasks.attribute.trust.stability import stabilities
from tasks.attribute.trust.unit import trust_unit
from tasks.data.panel import Panel
from tasks.train import TrainedUnit


def checked(
    trained: TrainedUnit,
    panel: Panel,
    importance: pd.DataFrame,
    spec: AttributionSpec = AttributionSpec(),  # noqa: B008  # frozen
) -> pd.DataFrame:
    """What one unit tells of its integrated gradients, and several of how stable they are.

    Args:
        trained: The unit that is checked, the newest.
        panel: The panel that it was trained on.
        importance: The table of this name of all units of the variant.
        spec: Which checks that train again are asked for.
    """
    own = importance[importance["method"] == MAIN]
    stable = [one for found in stabilities(own).values() for one in found]
    unit = trained.unit
    mine = own[(own["fold"] == unit.fold.number) & (own["seed"] == unit.seed)]
    again = retrained(trained, panel, mine, spec)
    who = dict(zip(UNIT, (unit.variant, unit.fold.number, unit.seed), strict=True))
    rows = [who | row_of(one) for one in (*told(trained, panel), *stable, *again)]
    return pd.DataFrame(rows, columns=list(COLUMNS["checks"]))


def retrained(
    trained: TrainedUnit, panel: Panel, importance: pd.DataFrame, spec: AttributionSpec
) -> Iterator[Check]:
    """The checks that train the unit again; one that cannot says why it is untold."""
    asked = {
        "canaries": partial(noise_check, trained, panel, spec.canaries),
        "label_randomization": partial(
            labels_check, trained, panel, importance, spec.permuted_labels
        ),
    }
    wanted = {"canaries": spec.canaries, "label_randomization": spec.permuted_labels}
    for name, work in asked.items():
        if wanted[name]:
            yield told_by(name, partial(work, samples=spec.samples, nodes=spec.nodes))


def told_by(name: str, work: Callable[[], Check]) -> Check:
    """The check, or why there is none."""
    try:
        return work()
    except ValueError as error:
        return check(name, float("nan"), float("nan"), None, str(error))


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
