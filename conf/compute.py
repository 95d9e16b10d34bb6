"""Where the units of a flow are trained, and where their results are kept."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

from foldproof.models.spec import Spec, at_least, clipped, require
from foldproof.tasks.data.address import holds_password


@dataclass(frozen=True)
class Engine:
    """What trains the units.

    Attributes:
        title: A few words for messages.
        start: The function ``room.module:function`` that starts the workers; see
            :class:`foldproof.flows.processes.workers.Started`. It is imported only when it is
            needed.
        check: The same for the function that checks the workers before a flow; empty without one.
    """

    title: str
    start: str
    check: str = ""


ENGINES: Mapping[str, Engine] = MappingProxyType(
    {
        "processes": Engine("processes of this machine", "flows.processes.workers:start_processes"),
        "dask": Engine(
            "workers of a Dask cluster",
            "flows.processes.dask_cluster:start_cluster",
            "flows.processes.dask_cluster:check_cluster",
        ),
    }
)
"""By the key in ``compute.engine``."""


@dataclass(frozen=True)
class ComputeSpec(Spec):
    """Where units are trained, and where their results are kept."""

    __bounds__: ClassVar = at_least(0, "workers")
    __choices__: ClassVar = MappingProxyType({"engine": ENGINES})

    engine: str = "processes"
    """processes: on this machine. dask: on the workers of a Dask cluster, on any machines."""
    address: str | None = None
    """For engine dask, the address of its scheduler, such as tcp://10.0.0.5:8786 or tls://...; see
    conf/server/run dask-scheduler."""
    workers: int = 0
    """Training processes, one thread each; 0 for one per core. For engine dask, the workers that
    must have joined before it starts; 0 for one."""
    storage: str | None = None
    """Folder or address (s3://bucket/folder) that every machine reaches, for panels and the results
    of units. By default results are kept in .foldproof/results in the working directory."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(
            not holds_password(self.storage or ""),
            "storage contains a password, which would be logged with the configuration; fsspec "
            "takes it from the environment or from its own configuration",
        )
        dask = self.engine == "dask"
        require(
            dask == (self.address is not None),
            "engine dask needs the address of its scheduler, such as "
            "compute.address=tcp://127.0.0.1:8786"
            if dask
            else "address is for engine dask: set compute.engine=dask, or leave the address out",
        )
        require(
            self.address is None or self.address.startswith(("tcp://", "tls://")),
            f"address must begin with tcp:// or tls://; it is {clipped(self.address)}",
        )
        require(self.storage != "", "storage is empty; leave it out for .foldproof/results")
        require(
            not (self.storage or "").startswith("memory:"),
            "storage memory:// ends with its process: give a folder, or an address such as "
            "s3://bucket/folder",
        )
