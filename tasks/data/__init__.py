"""Step 1: from rows with dates and symbols to a checked, dense, fingerprinted panel."""

from foldproof.tasks.data.features.features import FEATURES, price_features
from foldproof.tasks.data.panel.panel import Panel, build, folder_of, from_frame, load, save
from foldproof.tasks.data.panel.read import features_of, load_raw
from foldproof.tasks.data.rows import DataError
from foldproof.tasks.data.sources.catalogue import DRAWN, SOURCES
from foldproof.tasks.data.spec import ChecksSpec, ColumnsSpec, DataSpec, SyntheticSpec, TargetSpec

__all__ = [
    "DRAWN",
    "FEATURES",
    "SOURCES",
    "ChecksSpec",
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
