"""Step 1: from rows with dates and symbols to a checked, dense, fingerprinted panel."""

from tasks.data.features import FEATURES, price_features
from tasks.data.panel import Panel, build, folder_of, from_frame, load, save
from tasks.data.read import features_of, load_raw
from tasks.data.rows import DataError
from tasks.data.sources import SOURCES
from tasks.data.spec import ColumnsSpec, DataSpec, SyntheticSpec, TargetSpec

__all__ = [
    "FEATURES",
    "SOURCES",
    "ColumnsSpec",
    "DataError",
    "DataSpec",
    "Panel",
    "SyntheticSpec",
    "TargetSpec",
    "build",
    "features_of",
    "folder_of",
    "from_frame",
    "load",
    "load_raw",
    "price_features",
    "save",
]
