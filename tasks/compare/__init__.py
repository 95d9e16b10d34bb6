"""Compare forecasts on the same cells, with joint intervals valid under overlapping labels."""

from foldproof.tasks.compare.comparison import CONTROLS, Comparison, compare, daily
from foldproof.tasks.compare.metrics import METRICS, Metric, measure
from foldproof.tasks.compare.selection import Selection, selection

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
