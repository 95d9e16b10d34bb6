"""Which features carry a forecast: attribution methods behind one interface."""

from tasks.attribute.expected import Expectation, expected_gradients
from tasks.attribute.integrated import integrated_gradients
from tasks.attribute.methods import ATTRIBUTIONS, Method
from tasks.attribute.occlusion import feature_masks, group_masks, lag_masks, occlusion
from tasks.attribute.partials import MeanPartials, mean_partial_derivatives
from tasks.attribute.pointwise import gradient_times_input, squared_sensitivity
from tasks.attribute.tables import Attribution
from tasks.attribute.unit import attribute_unit

__all__ = [
    "ATTRIBUTIONS",
    "Attribution",
    "Expectation",
    "MeanPartials",
    "Method",
    "attribute_unit",
    "expected_gradients",
    "feature_masks",
    "gradient_times_input",
    "group_masks",
    "integrated_gradients",
    "lag_masks",
    "mean_partial_derivatives",
    "occlusion",
    "squared_sensitivity",
]
