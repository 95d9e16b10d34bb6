"""Which features carry a forecast: attribution methods behind one interface."""

from tasks.attribute.agreement import agreements, rank_agreement
from tasks.attribute.baselines import BASELINES, Baseline, Ground, baseline_of
from tasks.attribute.degenerate import degenerate
from tasks.attribute.expected import Expectation, expected_gradients
from tasks.attribute.integrated import integrated_gradients
from tasks.attribute.methods import ATTRIBUTIONS, Method
from tasks.attribute.occlusion import feature_masks, group_masks, lag_masks, occlusion
from tasks.attribute.partials import MeanPartials, mean_partial_derivatives
from tasks.attribute.permutation import Permuted, permutation_importance
from tasks.attribute.pointwise import gradient_times_input, squared_sensitivity
from tasks.attribute.question import Answer, Question
from tasks.attribute.resolved import Paths, resolved_gradients
from tasks.attribute.shapley import Shapley, shapley_values
from tasks.attribute.tables import Attribution
from tasks.attribute.temporal import temporal_integrated_gradients
from tasks.attribute.unit import attribute_unit

__all__ = [
    "ATTRIBUTIONS",
    "BASELINES",
    "Answer",
    "Attribution",
    "Baseline",
    "Expectation",
    "Ground",
    "MeanPartials",
    "Method",
    "Paths",
    "Permuted",
    "Question",
    "Shapley",
    "agreements",
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
    "rank_agreement",
    "resolved_gradients",
    "shapley_values",
    "squared_sensitivity",
    "temporal_integrated_gradients",
]
