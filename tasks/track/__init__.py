"""Log a comparison to MLflow. The only room that imports it."""

from tasks.track.log import log_comparison
from tasks.track.model import ModelFiles, log_model
from tasks.track.spec import TrackingSpec
from tasks.track.store import (
    Links,
    Store,
    TrackingError,
    open_store,
    resolve_uri,
    ui_command,
    url_of,
)

__all__ = [
    "Links",
    "ModelFiles",
    "Store",
    "TrackingError",
    "TrackingSpec",
    "log_comparison",
    "log_model",
    "open_store",
    "resolve_uri",
    "ui_command",
    "url_of",
]
