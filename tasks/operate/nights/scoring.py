"""The scores of a night with its checks, as files and as text."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pandas as pd

from foldproof.tasks.files import draft_of, publish
from foldproof.tasks.markdown import escaped, markdown_table
from foldproof.tasks.operate.nightly_inputs import Night, scores_of
from foldproof.tasks.operate.nights.checks import CHECKS, Checked, Result, run_checks
from foldproof.tasks.operate.spec import ScoreSpec

COLUMNS = ("date", "symbol", "score", "version")


@dataclass(frozen=True, eq=False)
class Scoring:
    """The scores of a night and its checks.

    Attributes:
        model: Name in the model registry.
        version: Version of the champion.
        variant: Its variant.
        night: The night.
        newest: Date of the newest rows, which is the date of the scores.
        scores: date, symbol, score, version; one row per symbol of the universe, NaN where it has
            no score. Do not use them if the night is refused.
        checks: In the order of :data:`~foldproof.tasks.operate.nights.checks.CHECKS`.
    """

    model: str
    version: str
    variant: str
    night: date
    newest: date
    scores: pd.DataFrame
    checks: tuple[Checked, ...]

    @property
    def result(self) -> Result:
        """The worst result of the checks."""
        return max((one.result for one in self.checks), key=list(Result).index)

    @property
    def refused(self) -> bool:
        """Whether a check refuses the night."""
        return self.result is Result.REFUSE

    def beyond(self, result: Result) -> tuple[Checked, ...]:
        """The checks with this result."""
        return tuple(one for one in self.checks if one.result is result)


def scoring_of(night: Night, spec: ScoreSpec) -> Scoring:
    """Score a night and check it."""
    scores, champion = scores_of(night), night.champion
    checks = run_checks(night, scores, spec)
    return Scoring(
        night.model, champion.version, champion.variant, night.when, night.newest, scores, checks
    )


def write_scores(scoring: Scoring, home: Path) -> Path:
    """Write the scores of a night to ``home/<model>/<date>.parquet``, whole or not at all.

    The same rows give the same bytes. An earlier table of that date is replaced.

    Raises:
        ValueError: The night is refused: its scores must not be used.
    """
    if scoring.refused:
        raise ValueError(
            f"the night of {scoring.night} failed its checks; its scores are not written"
        )
    place = home / scoring.model / f"{scoring.newest}.parquet"
    with draft_of(place) as draft:
        scoring.scores.to_parquet(draft, index=False)
        publish(draft, place)
    return place


def read_scores(home: Path, model: str) -> pd.DataFrame:
    """All scores in ``home/<model>``, by date and symbol; no rows if there are none."""
    files = sorted((home / model).glob("*.parquet"))
    if not files:
        return pd.DataFrame({name: pd.Series(dtype=object) for name in COLUMNS})
    return pd.concat([pd.read_parquet(file) for file in files], ignore_index=True)


def check_text(one: Checked) -> str:
    """A check that warns or refuses, with its numbers and the setting that decided it."""
    check, limit = CHECKS[one.name], getattr(one.bound, one.result)
    detail = f" ({one.detail})" if one.detail else ""
    return (
        f"{check.title} {one.value:.4g} ({check.unit}), beyond operation.score.{one.name}."
        f"{one.result} = {limit:g}{detail}"
    )


def sentence(scoring: Scoring) -> str:
    """The night in one sentence."""
    champion = f"version {scoring.version} ({scoring.variant}) of {scoring.model}"
    if scoring.refused:
        reasons = "; ".join(check_text(one) for one in scoring.beyond(Result.REFUSE))
        return (
            f"refused: the night of {scoring.night} failed its checks, {champion} gives no scores: "
            f"{reasons}"
        )
    count = int(scoring.scores["score"].notna().sum())
    return f"{champion} scores {count} of {len(scoring.scores)} symbols on {scoring.newest}"


def markdown(scoring: Scoring) -> str:
    """The sentence and the table of checks."""
    rows = []
    for one in scoring.checks:
        check = CHECKS[one.name]
        edges = (one.bound.warn, one.bound.refuse)
        limits = ("never" if edge is None else f"{edge:g}" for edge in edges)
        rows.append((check.title, f"{one.value:.4g}", check.unit, *limits, one.result, one.detail))
    head = ("check", "statistic", "unit", "warn", "refuse", "result", "detail")
    return f"{escaped(sentence(scoring))}\n\n{markdown_table(head, rows)}"
