"""Settings of the tracking store."""

from dataclasses import dataclass
from typing import ClassVar

from foldproof.models.spec import Spec, at_least, require
from foldproof.tasks.data.address import holds_password


@dataclass(frozen=True)
class TrackingSpec(Spec):
    """The tracking store and the experiment in it."""

    __bounds__: ClassVar = at_least(0, "patience")

    uri: str | None = None
    """Address of a tracking server, or a database URI. By default the SQLite file
    .foldproof/mlflow.db in the working directory, with artifacts beside it. The environment
    variable MLFLOW_TRACKING_URI takes precedence; an address with a password belongs there."""
    experiment: str = "foldproof"
    """Name of the MLflow experiment of the runs."""
    patience: float = 120.0
    """Seconds for which a request is repeated if the store does not answer. After that, results are
    kept in .foldproof/outbox, and foldproof sync sends them."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            not holds_password(self.uri or ""),
            "uri contains a password, which would be logged with the configuration; set the "
            "environment variable MLFLOW_TRACKING_URI instead, or for a server "
            "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD",
        )
        require(bool(self.experiment.strip()), "experiment is empty; give it a name")
        require(
            self.uri is None or (self.uri != "" and not self.uri.startswith(("file:", ".", "/"))),
            f"tracking needs a server or a database (http://..., sqlite:///...); uri is "
            f"{self.uri!r}, and a folder of files is no longer supported by MLflow",
        )
