"""The form of an answer of the report."""

from typing import NamedTuple

LONGEST_VERDICT = 12
"""Words of a verdict at most."""


class Answer(NamedTuple):
    """A verdict of a few words, and one sentence of evidence; the numbers are in the tables."""

    verdict: str
    evidence: str

    def __str__(self) -> str:
        return f"{self.verdict} {self.evidence}"
