"""Which features carry a forecast: attribution methods behind one interface."""

from tasks.attribute.integrated import integrated_gradients
from tasks.attribute.methods import ATTRIBUTIONS, Method
from tasks.attribute.partials import MeanPartials, mean_partial_derivatives
from tasks.attribute.pointwise import gradient_times_input, squared_sensitivity
from tasks.attribute.tables import Attribution
from tasks.attribute.unit import attribute_unit

__all__ = [
    "ATTRIBUTIONS",
    "Attribution",
    "MeanPartials",
    "Method",
    "attribute_unit",
    "gradient_times_input",
    "integrated_gradients",
    "mean_partial_derivatives",
    "squared_sensitivity",
]
