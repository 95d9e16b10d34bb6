"""What a terminal and a log show while tasks run."""

from io import StringIO

import pytest
from rich.console import Console

from foldproof.flows.processes.schedule import Job
from foldproof.flows.screens import terminal
from foldproof.flows.screens.terminal import Terminal, time_left


class Clock:
    """Seconds that pass only when a task runs."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(terminal.time, "monotonic", found)
    monkeypatch.setattr(terminal.Progress, "get_time", lambda _: found(), raising=False)
    return found


def followed(
    clock: Clock, seconds: list[float], monkeypatch: pytest.MonkeyPatch, terminal_width: int = 0
) -> str:
    """What is shown while tasks run that take so many seconds each."""

    def drive(jobs, say):
        for job, spent in zip(jobs, seconds, strict=True):
            clock.now += spent
            yield job

    monkeypatch.setattr(terminal, "drive", drive)
    jobs = [Job(f"train fold {number}", lambda: None) for number in range(len(seconds))]
    shown = StringIO()
    console = Console(
        file=shown, width=terminal_width or 120, force_terminal=bool(terminal_width),
        get_time=clock, highlight=False,
    )  # fmt: skip
    Terminal(console).follow(jobs)
    return shown.getvalue()


def test_a_log_gets_a_line_a_minute_with_what_is_left(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = followed(clock, [30.0] * 8, monkeypatch).splitlines()
    assert lines == [
        "2 of 8 tasks done, about 3 min left",
        "4 of 8 tasks done, about 2 min left",
        "6 of 8 tasks done, about 1 min left",
        "8 of 8 tasks done",
    ]


def test_a_short_run_adds_nothing_to_a_log(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    assert followed(clock, [1.0] * 50, monkeypatch) == ""


def test_a_terminal_shows_task_count_and_estimate(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = followed(clock, [30.0] * 8, monkeypatch, terminal_width=100)
    assert "train fold 7" in shown
    assert "8/8" in shown
    assert "tasks done" not in shown


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""),
        (0.0, ""),
        (8.4, "about 8 s left"),
        (150.0, "about 2 min left"),
        (7200.0, "about 2.0 h left"),
    ],
)
def test_an_estimate_is_rounded_to_a_readable_unit(seconds: float | None, text: str) -> None:
    assert time_left(seconds) == text
