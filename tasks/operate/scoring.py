"""A night's scores with the checks that let them pass, or refused them; kept as files."""

import os
import tempfile
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pandas as pd

from foldproof.tasks.operate.checks import CHECKS, Checked, Result, run_checks
from foldproof.tasks.operate.night import Night, scores_of
from foldproof.tasks.operate.spec import ScoreSpec

COLUMNS = ("date", "symbol", "score", "version")


@dataclass(frozen=True, eq=False)
class Scoring:
    """What a night came to.

    Attributes:
        model: Registered name.
        version: Of the champion.
        variant: Its variant.
        night: The night.
        newest: Date of the newest rows: that of the scores.
        scores: date, symbol, score, version; a row for each symbol of the universe, NaN where it
            has no score. Not to be used where the night is refused.
        checks: In the order of :data:`~tasks.operate.checks.CHECKS`.
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
        """The worst of the checks."""
        found = {one.result for one in self.checks}
        return next(one for one in (Result.REFUSE, Result.WARN, Result.PASS) if one in found)

    @property
    def refused(self) -> bool:
        """Whether there are no scores."""
        return self.result is Result.REFUSE

    def beyond(self, result: Result) -> tuple[Checked, ...]:
        """The checks with this result."""
        return tuple(one for one in self.checks if one.result is result)


def scoring_of(night: Night, spec: ScoreSpec) -> Scoring:
    """Score a night and check it."""
    scores = scores_of(night)
    checks = run_checks(night, scores, spec)
    champion = night.champion
    return Scoring(
        night.model, champion.version, champion.variant, night.when, night.newest, scores, checks
    )


def write_scores(scoring: Scoring, home: Path) -> Path:
    """Write the table of a night to ``home/<model>/<date>.parquet``, whole or not at all.

    The same rows give the same bytes; an earlier table of that date is replaced.

    Raises:
        ValueError: The night was refused: its scores are for nobody.
    """
    if scoring.refused:
        raise ValueError(f"the night of {scoring.night} was refused; there are no scores to keep")
    folder = home / scoring.model
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / f"{scoring.newest}.parquet"
    with tempfile.TemporaryDirectory(prefix=".scores-", dir=folder) as name:
        draft = Path(name) / place.name
        scoring.scores.to_parquet(draft, index=False)
        os.replace(draft, place)
    return place


def read_scores(home: Path, model: str) -> pd.DataFrame:
    """All tables of a model one below another, by date and symbol; without any, no rows."""
    files = sorted((home / model).glob("*.parquet"))
    if not files:
        return pd.DataFrame({name: pd.Series(dtype=object) for name in COLUMNS})
    return pd.concat([pd.read_parquet(file) for file in files], ignore_index=True)


def told(one: Checked) -> str:
    """A check beyond a bound in words and numbers."""
    side, limit = limit_of(one)
    detail = f" ({one.detail})" if one.detail else ""
    check = CHECKS[one.name]
    return (
        f"{check.title} {one.value:.4g} ({check.unit}), beyond operation.score.{one.name}.{side} = "
        f"{limit}{detail}"
    )


def limit_of(one: Checked) -> tuple[str, str]:
    """The bound that decided a check, and its number."""
    side = "refuse" if one.result is Result.REFUSE else "warn"
    limit = getattr(one.bound, side)
    return side, "none" if limit is None else f"{limit:g}"


def sentence(scoring: Scoring) -> str:
    """What the night came to."""
    who = f"version {scoring.version} ({scoring.variant}) of {scoring.model}"
    if scoring.refused:
        reasons = "; ".join(told(one) for one in scoring.beyond(Result.REFUSE))
        return f"refused: {who} does not score the night of {scoring.night}: {reasons}"
    count = int(scoring.scores["score"].notna().sum())
    return f"{who} scores {count} of {len(scoring.scores)} symbols on {scoring.newest}"


def markdown(scoring: Scoring) -> str:
    """The sentence, and the table of checks."""
    lines = ["| check | statistic | unit | warn | refuse | result | from |", "|---" * 7 + "|"]
    for one in scoring.checks:
        check = CHECKS[one.name]
        cells = (
            check.title, f"{one.value:.4g}", check.unit, edge(one.bound.warn),
            edge(one.bound.refuse), str(one.result), one.detail,
        )  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return f"{sentence(scoring)}\n\n" + "\n".join(lines) + "\n"


def edge(limit: float | None) -> str:
    """A bound as text."""
    return "never" if limit is None else f"{limit:g}"
