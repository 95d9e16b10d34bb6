"""The running flow: its name, when it was due to start, and its progress in the Prefect UI."""

import time
from datetime import datetime
from typing import cast
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.runtime import deployment, flow_run

PAUSE = 5.0
"""Least seconds between two updates of the progress in the Prefect UI."""


def due() -> datetime:
    """The expected start of the flow run: of a late run and of a repeated one its scheduled time.

    A run that was not scheduled was due when it was requested.
    """
    start: datetime = flow_run.scheduled_start_time
    return start


def run_name() -> str:
    """The name of the flow run: the title of its configuration."""
    return str(flow_run.parameters["experiment"].name)


def night_name() -> str:
    """The name of a nightly flow run: the title of its configuration and the night."""
    experiment = flow_run.parameters["experiment"]
    return f"{experiment.name} {experiment.tonight(due()).operation.as_of}"


class Progress:
    """Progress of a deployed run as an artifact; a run from the shell has its own bar.

    Args:
        total: Number of jobs.
    """

    def __init__(self, total: int) -> None:
        self.total, self.done = max(1, total), 0
        self.deployed = bool(deployment.id)  # each look asks the server
        self.artifact: UUID | None = None
        self.next = time.monotonic()

    def advance(self, title: str, total: int) -> None:
        """Count one more finished job of ``total``; ``title`` is shown beside the bar."""
        self.done, self.total = self.done + 1, max(1, total)
        last = self.done == self.total
        if not self.deployed or (time.monotonic() < self.next and not last):
            return
        percent = min(100.0, 100 * self.done / self.total)
        text = f"{self.done} of {self.total} jobs, last finished: {title}"
        if self.artifact is None:
            made = create_progress_artifact(percent, key="progress", description=text)
            self.artifact = cast(UUID, made)  # a coroutine only in asynchronous code
        else:
            update_progress_artifact(self.artifact, percent, text)
        self.next = time.monotonic() + PAUSE
