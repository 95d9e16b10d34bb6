"""The kinds of rows of a comparison, and how each is drawn."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from foldproof.tasks.diagnose.findings.finding import Verdict
from foldproof.tasks.report import style
from foldproof.tasks.report.results import Results, is_true
from foldproof.tasks.report.text import is_reference


@dataclass(frozen=True)
class Kind:
    """How a row of the ranking is drawn, and what that means."""

    meaning: str
    color: str
    marker: str
    filled: bool = True

    @property
    def mark(self) -> dict[str, Any]:
        """The marker as matplotlib takes it."""
        face = self.color if self.filled else style.PAPER
        look = {"color": self.color, "marker": self.marker, "markerfacecolor": face}
        return look | {"markersize": 7, "linestyle": "none"}


KINDS: Mapping[str, Kind] = {
    "kept": Kind("LSTM, may be the best", style.BLUE, "o"),
    "ruled out": Kind("LSTM, ruled out as the best", style.BLUE, "o", filled=False),
    "leak": Kind("sees the future: no candidate", style.VERMILLION, "X"),
    "reference": Kind("reference without an LSTM", style.MUTED, "D", filled=False),
}


def kind_of(results: Results, name: str) -> str:
    """Key of ``KINDS`` for a row of the ranking."""
    if is_reference(name):
        return "reference"
    if results.is_control(name) or results.verdicts.get(name) is Verdict.LEAK:
        return "leak"
    return "kept" if is_true(results.ranking.at[name, "in_confidence_set"]) else "ruled out"
