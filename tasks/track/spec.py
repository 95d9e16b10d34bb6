"""Where runs are logged."""

from dataclasses import dataclass

from foldproof.models.spec import Spec, require


@dataclass(frozen=True)
class TrackingSpec(Spec):
    """The tracking store and the experiment in it."""

    uri: str | None = None
    """A tracking server's address or a database URI; none takes the SQLite file
    .foldproof/mlflow.db in the working directory, artifacts beside it. The environment variable
    MLFLOW_TRACKING_URI wins over both."""
    experiment: str = "foldproof"
    """The experiment that gathers the runs."""

    def __post_init__(self) -> None:
        require(bool(self.experiment.strip()), "experiment must have a name; it is empty")
        require(
            self.uri is None or (self.uri != "" and not self.uri.startswith(("file:", ".", "/"))),
            f"tracking needs a server or a database (http://..., sqlite:///...); uri is "
            f"{self.uri!r}, and a folder of files is no longer supported by MLflow",
        )
