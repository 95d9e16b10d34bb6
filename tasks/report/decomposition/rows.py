"""The rows of a decomposition that the report shows, and what it says about the best one."""

from foldproof.tasks.decompose.decompose import Decomposition
from foldproof.tasks.decompose.rows import ENSEMBLE
from foldproof.tasks.report.results import Estimate, Results, entries
from foldproof.tasks.report.text import listed, minus
from foldproof.tasks.train import PREFIX
from foldproof.tasks.train.single_features import FEATURE

FEATURES = 3
"""Single features that the report shows: those with the highest rank IC."""


def best_features(found: Decomposition) -> list[str]:
    """The single features with the highest rank IC, best first.

    Of features with the same order of stocks, such as a return and its excess over the market, the
    first.
    """
    alone = [name for name in found.table.index if name.startswith(PREFIX + FEATURE)]
    distinct = found.table.loc[alone].round(9).drop_duplicates()
    return distinct["rank_ic"].nlargest(FEATURES).index.tolist()


def shown_rows(results: Results, found: Decomposition) -> list[str]:
    """Every compared row, the ensemble and the best single features; highest rank IC first."""
    kept = [name for name in found.table.index if name in results.ranking.index]
    kept += [name for name in (ENSEMBLE, *best_features(found)) if name in found.table.index]
    table = found.table.loc[list(dict.fromkeys(kept))]
    return table.sort_values("rank_ic", ascending=False, kind="stable").index.tolist()


def front_rows(results: Results, found: Decomposition) -> list[str]:
    """The few rows that curves are drawn for: best candidate, ensemble, reference, feature.

    A reference that ranks nothing, such as the zero forecast, is not drawn.
    """
    ranking = results.comparison.daily[results.references].any()
    rivals = [name for name in results.references if ranking[name]]
    chosen = [*results.candidates[:1], ENSEMBLE, *rivals[:1], *best_features(found)[:1]]
    return [name for name in dict.fromkeys(chosen) if name in found.table.index]


def plain(found: Decomposition, name: str) -> Estimate:
    """Rank IC of a row with its joint interval over all rows of the decomposition."""
    return Estimate(*entries(found.table, name, "rank_ic", "low", "high"))


def neutral(found: Decomposition, name: str) -> Estimate:
    """Neutral rank IC of a row with its joint interval; NaN without styles."""
    return Estimate(*entries(found.table, name, "neutral", "neutral_low", "neutral_high"))


def removed(found: Decomposition) -> str:
    """What the neutral rank IC is neutral to: the styles and industries, as a list."""
    return listed([*found.styles, *(["industries"] if found.industries else [])])


def decomposition_table(results: Results) -> list[tuple[str, str, str, list[str]]]:
    """Rows of the table: name, rank IC, neutral rank IC, exposure to each style."""
    found = results.decomposition
    if found is None:
        return []
    columns = [f"exposure:{name}" for name in found.styles]
    return [
        (
            results.row_name(name),
            str(plain(found, name)),
            str(neutral(found, name)),
            [signed(value) for value in entries(found.table, name, *columns)],
        )
        for name in shown_rows(results, found)
    ]


def signed(value: float) -> str:
    """An exposure with its sign; no minus before a rounded zero."""
    return minus(format(round(value, 2) + 0.0, "+.2f"))


def neutral_clause(results: Results) -> str:
    """What is left of the best candidate without the styles, as a clause; empty if unknown."""
    found = results.decomposition
    if found is None or not results.candidates or "neutral" not in found.table:
        return ""
    left = neutral(found, results.candidates[0])
    return f"; without {removed(found)} the LSTM has {left}"
