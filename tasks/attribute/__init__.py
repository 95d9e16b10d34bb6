"""Which features carry a forecast: attribution methods behind one interface; see README.md."""

from typing import TYPE_CHECKING

from foldproof.tasks.lazy import lazy_names

if TYPE_CHECKING:
    from foldproof.tasks.attribute.baselines.catalogue import (
        BASELINES,
        Baseline,
        BaselineInputs,
        baseline_of,
    )
    from foldproof.tasks.attribute.baselines.degenerate import degenerate
    from foldproof.tasks.attribute.methods.adaptive import Paths, resolved_gradients
    from foldproof.tasks.attribute.methods.catalogue import ATTRIBUTIONS, Method
    from foldproof.tasks.attribute.methods.expected import Expectation, expected_gradients
    from foldproof.tasks.attribute.methods.integrated import integrated_gradients
    from foldproof.tasks.attribute.methods.local_gradients import (
        gradient_times_input,
        squared_sensitivity,
    )
    from foldproof.tasks.attribute.methods.occlusion import (
        feature_masks,
        group_masks,
        lag_masks,
        occlusion,
    )
    from foldproof.tasks.attribute.methods.partials import MeanPartials, mean_partial_derivatives
    from foldproof.tasks.attribute.methods.permutation import Permuted, permutation_importance
    from foldproof.tasks.attribute.methods.question import Answer, Question
    from foldproof.tasks.attribute.methods.shapley import Shapley, shapley_values
    from foldproof.tasks.attribute.methods.temporal import temporal_integrated_gradients
    from foldproof.tasks.attribute.unit.attribution import attribute_unit
    from foldproof.tasks.attribute.unit.inputs import UnitInputs, unit_inputs
    from foldproof.tasks.attribute.unit.tables import Attribution, NewestUnit
else:
    __getattr__ = lazy_names(__name__, __file__)

__all__ = [
    "ATTRIBUTIONS",
    "BASELINES",
    "Answer",
    "Attribution",
    "Baseline",
    "BaselineInputs",
    "Expectation",
    "MeanPartials",
    "Method",
    "NewestUnit",
    "Paths",
    "Permuted",
    "Question",
    "Shapley",
    "UnitInputs",
    "attribute_unit",
    "baseline_of",
    "degenerate",
    "expected_gradients",
    "feature_masks",
    "gradient_times_input",
    "group_masks",
    "integrated_gradients",
    "lag_masks",
    "mean_partial_derivatives",
    "occlusion",
    "permutation_importance",
    "resolved_gradients",
    "shapley_values",
    "squared_sensitivity",
    "temporal_integrated_gradients",
    "unit_inputs",
]
