"""Compare forecasts on the same cells, with intervals that survive overlap and many tries."""

from tasks.compare.comparison import CONTROLS, Comparison, compare, daily
from tasks.compare.metrics import METRICS, Metric, measure
from tasks.compare.selection import Selection, selection

__all__ = [
    "CONTROLS",
    "METRICS",
    "Comparison",
    "Metric",
    "Selection",
    "compare",
    "daily",
    "measure",
    "selection",
]
