"""The dates on which challengers were tested against the champion: each is tested once."""

import json
from dataclasses import dataclass, field
from datetime import date, timedelta

import pandas as pd

COLUMNS = ("date", "known", "variant", "difference", "level")


def no_rows() -> pd.DataFrame:
    """An empty table of tested dates."""
    return pd.DataFrame({name: [] for name in COLUMNS}).astype(
        {"date": "datetime64[s]", "known": "datetime64[s]", "variant": str}
    )


@dataclass(frozen=True, eq=False)
class Evidence:
    """The evidence of all nights so far against one champion.

    A year of asking keeps its level because no date is tested twice. After a change of the champion
    the evidence starts anew, with dates whose labels began after the change: the dates before it
    decided which model became champion.

    Attributes:
        champion: Version that the challengers were tested against; empty if there was none, or if
            it was replaced since.
        since: First date that is still untested for that champion; None: any date.
        newest: Newest row of all nights, whose labels start after everything that was tested;
            None if no night was logged.
        rows: date, known (when the label became known), variant, difference (daily rank IC less
            the champion's), level (the yearly level that the variant had on that night).
    """

    champion: str = ""
    since: date | None = None
    newest: date | None = None
    rows: pd.DataFrame = field(default_factory=no_rows)

    def against(self, champion: str) -> "Evidence":
        """The evidence against ``champion``: this one, or a new one after a change."""
        if champion and champion == self.champion:
            return self
        return Evidence(champion, self.newest, self.newest)

    def untested(self, difference: pd.DataFrame) -> pd.DataFrame:
        """The rows of ``difference`` on dates that were not tested before."""
        if self.since is None:
            return difference
        return difference[difference["date"] >= pd.Timestamp(self.since)]

    def of(self, variant: str) -> pd.DataFrame:
        """Rows of one variant, by date."""
        return self.rows[self.rows["variant"] == variant].sort_values("date")

    def with_night(self, rows: list[pd.DataFrame], newest: date, moves: bool) -> "Evidence":
        """The evidence after a night.

        Args:
            rows: The night's rows of the admitted challengers.
            newest: Newest row of the night.
            moves: Whether the champion is replaced.
        """
        newest = max(newest, self.newest or newest)
        if moves:
            return Evidence("", newest, newest)
        table = pd.concat([self.rows, *rows], ignore_index=True) if rows else self.rows
        last = table["date"].max().date() + timedelta(days=1) if len(table) else self.since
        return Evidence(self.champion, last, newest, table)

    def to_json(self) -> str:
        """The evidence as text."""
        rows = self.rows.astype({"date": str, "known": str}).to_dict("records")
        about = {"champion": self.champion, "since": self.since, "newest": self.newest}
        return json.dumps(about | {"rows": rows}, default=str, indent=1)


def from_json(text: str) -> Evidence:
    """The evidence that ``to_json`` wrote.

    Raises:
        ValueError: The text is not such evidence.
    """
    try:
        found = json.loads(text)
        since, newest = (
            date.fromisoformat(found[name]) if found[name] else None for name in ("since", "newest")
        )
        rows = pd.DataFrame(found["rows"], columns=list(COLUMNS)).astype(no_rows().dtypes.to_dict())
        return Evidence(str(found["champion"]), since, newest, rows)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a table of tested dates: {error!r}") from error
