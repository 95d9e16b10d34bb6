from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from foldproof.flows.checks import require_scored, require_styles
from foldproof.flows.training_panel import require_same_rows
from foldproof.tasks.data import DataError, DataSpec, Panel, SyntheticSpec, TargetSpec, build
from foldproof.tasks.decompose.spec import DecompositionSpec
from foldproof.tasks.split import Fold, PlanError

CALENDAR = np.arange("2020-01-01", "2020-04-10", dtype="datetime64[D]")


def panel(unknown: int) -> SimpleNamespace:
    """The label ends of a panel whose newest labels are not known yet."""
    ends = CALENDAR + 6
    ends[len(ends) - unknown :] = np.datetime64("NaT")
    return SimpleNamespace(label_end=ends)


def test_test_blocks_that_are_too_short_for_intervals_are_refused_before_training() -> None:
    folds = [Fold(k, range(40), range(40, 60), range(80 + 10 * k, 90 + 10 * k), CALENDAR)
             for k in range(2)]  # fmt: skip
    require_scored(folds, panel(0), horizon=5)  # type: ignore[arg-type]
    with pytest.raises(PlanError) as error:
        require_scored(folds, panel(6), horizon=5)  # type: ignore[arg-type]
    assert str(error.value) == (
        "14 test dates have a label; intervals with a horizon of 5 need at least 20: lengthen "
        "split.test, or raise split.keep"
    )


def test_a_style_that_is_no_feature_is_refused_before_training() -> None:
    experiment = SimpleNamespace(decomposition=DecompositionSpec(styles=("size",)))
    panel = SimpleNamespace(features=("value", "size"))
    require_styles(experiment, panel)  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"names 'size', which is not a feature of the panel"):
        require_styles(experiment, SimpleNamespace(features=("value",)))  # type: ignore[arg-type]


def test_panels_of_several_targets_must_hold_the_same_rows() -> None:
    panel = from_rows(TargetSpec(1, "return"))
    require_same_rows(from_rows(TargetSpec(1, "cs_rank")), panel)
    for change in ({"dates": panel.dates + 1}, {"values": panel.values + 1}):
        with pytest.raises(DataError, match="the source changed while it was read for several"):
            require_same_rows(replace(panel, **change), panel)


def from_rows(target: TargetSpec) -> Panel:
    size = SyntheticSpec(days=60, symbols=4, n_features=4)
    return build(DataSpec(source="linear", features="ready", min_history=1, synthetic=size), target)
