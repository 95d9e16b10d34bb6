"""The screen of a comparison: a line per variant, the ranking, the answers, where to look."""

from collections.abc import Mapping
from pathlib import Path

from rich.table import Table

from foldproof.flows.screens.terminal import Terminal
from foldproof.tasks.data import load
from foldproof.tasks.report.comparison.answers import QUESTIONS, answers
from foldproof.tasks.report.decomposition.rows import neutral
from foldproof.tasks.report.results import Results
from foldproof.tasks.split.task import Plan
from foldproof.tasks.track.store import Links


class Screen(Terminal):
    """The printed output of a comparison."""

    def opening(self, name: str, panel: Path, plan: Plan) -> None:
        """Data and folds."""
        folds = plan.by_date
        content = load(panel)
        days, symbols, features = content.values.shape
        self.say(name)
        self.say(
            f"{content.about['title']}: {days} days x {symbols} symbols x {features} features; "
            f"{len(folds)} folds, tested {folds[0].test_dates[0]} to {folds[-1].test_dates[-1]}"
        )
        if plan.paths is not None:
            self.say(
                f"combinatorial: {len(plan.folds)} splits, {len(plan.paths.splits)} paths; models "
                "are trained on dates after those that they forecast"
            )
        for warning in content.about["warnings"]:
            self.say(f"warning: {warning}")

    def engine(self, name: str) -> None:
        """What runs the LSTM."""
        self.say(f"LSTM engine: {name}")

    def variant(self, name: str, rank_ic: float, verdict: str) -> None:
        """The line of a finished variant."""
        self.say(f"{name:<22} rank IC {rank_ic:+.4f}   leak audit {verdict}")

    def closing(
        self,
        results: Results,
        links: Links,
        wall: Mapping[str, float],
        work: Mapping[str, float],
    ) -> None:
        """The ranking, the answers, the time used, and where to look."""
        self.console.print(ranking_table(results))
        for question, answer in zip(QUESTIONS, answers(results), strict=True):
            self.say(f"{question} {answer.verdict}")
            self.say(f"  {answer.evidence}")
        if results.missing:
            self.say(results.left_out)
        self.say()
        self.say_seconds("seconds", wall)
        self.say_seconds("CPU seconds in units", work)
        self.say()
        self.say_links(links)
        if links.sent:
            self.say(f"Charts in MLflow: {links.url}")


def ranking_table(results: Results) -> Table:
    """The closing table, best first; a star marks the model confidence set."""
    table = Table(title="Out of sample, all folds (* may be the best)")
    table.add_column("", no_wrap=True)
    found = results.decomposition
    shown = found is not None and "neutral" in found.table
    heads = ["rank IC", "joint interval", *["neutral"] * shown, "rank ICIR", "MSE ratio"]
    for column in (*heads, "leak audit"):
        table.add_column(column, justify="right", no_wrap=True)
    for name, row in results.ranking.iterrows():
        star = " *" if row["in_confidence_set"] else ""
        table.add_row(
            f"{name}{star}",
            number(row["rank_ic"], "+.4f"),
            f"{number(row['low'], '+.4f')} to {number(row['high'], '+.4f')}",
            *([number(neutral(found, str(name)).value, "+.4f")] if found and shown else []),
            number(row["rank_icir"], "+.3f"),
            number(row["mse_ratio"], ".4f"),
            results.verdict(str(name)),
        )
    return table


def number(value: float, form: str) -> str:
    """A formatted number; a dash for NaN."""
    return format(value, form) if value == value else "-"
