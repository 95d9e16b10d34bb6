"""Which features carry a forecast: integrated gradients and mean partial derivatives."""

from tasks.attribute.integrated import integrated_gradients
from tasks.attribute.methods import ATTRIBUTIONS, Method
from tasks.attribute.partials import MeanPartials, mean_partial_derivatives
from tasks.attribute.tables import Attribution
from tasks.attribute.unit import attribute_unit

__all__ = [
    "ATTRIBUTIONS",
    "Attribution",
    "MeanPartials",
    "Method",
    "attribute_unit",
    "integrated_gradients",
    "mean_partial_derivatives",
]
