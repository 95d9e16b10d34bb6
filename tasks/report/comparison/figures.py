"""Every figure of the report, in reading order."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from matplotlib.figure import Figure

from foldproof.tasks.attribute.methods.catalogue import DEFAULT
from foldproof.tasks.report.attribution.by_return import by_return_figure
from foldproof.tasks.report.attribution.drift import drift_figure
from foldproof.tasks.report.attribution.figures import attribution_heatmap, importance_by_method
from foldproof.tasks.report.attribution.methods import (
    lag_profile_figure,
    methods_figure,
    permutation_figure,
    ranking_methods,
    shapley_figure,
    was_asked,
)
from foldproof.tasks.report.attribution.net_gross import net_gross_figure
from foldproof.tasks.report.attribution.origins import origins_figure
from foldproof.tasks.report.attribution.shares import best_attributed
from foldproof.tasks.report.audit.matrices import variant_matrix
from foldproof.tasks.report.comparison.folds import fold_plan
from foldproof.tasks.report.comparison.ranking import (
    rank_ic_by_fold,
    rank_ic_cumulated,
    ranking_figure,
)
from foldproof.tasks.report.comparison.training import learning_curves
from foldproof.tasks.report.decomposition.figures import (
    decay_figure,
    monthly_figure,
    regimes_figure,
    styles_figure,
)
from foldproof.tasks.report.portfolio.figures import profit_figure, quantiles_figure
from foldproof.tasks.report.results import Results

Applies = Callable[[Results], bool]


def _attributed(results: Results) -> bool:
    return best_attributed(results) is not None


def _more_methods(results: Results) -> bool:
    return bool(set(ranking_methods(results)) - set(DEFAULT))


def _asked(method: str) -> Applies:
    return lambda results: was_asked(results, method)


def _has_rows(table: str) -> Applies:
    return lambda results: not getattr(results.attribution.newest, table).empty


def _has_drift(results: Results) -> bool:
    return best_attributed(results) in set(results.attribution.newest.drift["variant"])


def _neutral(results: Results) -> bool:
    return results.decomposition is not None and "neutral" in results.decomposition.table


def _decay(results: Results) -> bool:
    return results.decomposition is not None and not results.decomposition.decay.empty


def _books(results: Results) -> bool:
    return results.decomposition is not None and results.portfolios is not None


@dataclass(frozen=True)
class ReportFigure:
    """A figure of the report.

    Attributes:
        draw: Draws it, without touching matplotlib's global state.
        applies: Whether the results hold the data for it.
    """

    draw: Callable[[Results], Figure]
    applies: Applies = lambda results: True


FIGURES: Mapping[str, ReportFigure] = MappingProxyType(
    {
        "ranking": ReportFigure(ranking_figure),
        "rank_ic_by_fold": ReportFigure(rank_ic_by_fold),
        "rank_ic_cumulated": ReportFigure(rank_ic_cumulated),
        "styles": ReportFigure(styles_figure, _neutral),
        "regimes": ReportFigure(regimes_figure, lambda results: results.decomposition is not None),
        "decay": ReportFigure(decay_figure, _decay),
        "monthly": ReportFigure(monthly_figure),
        "quantiles": ReportFigure(quantiles_figure, _books),
        "profit": ReportFigure(profit_figure, _books),
        "leak_matrix": ReportFigure(variant_matrix, lambda results: any(results.findings.values())),
        "attribution_heatmap": ReportFigure(attribution_heatmap, _attributed),
        "importance_by_method": ReportFigure(importance_by_method, _attributed),
        "net_gross": ReportFigure(net_gross_figure, _attributed),
        "methods": ReportFigure(methods_figure, _more_methods),
        "lag_profile": ReportFigure(lag_profile_figure, _attributed),
        "permutation": ReportFigure(permutation_figure, _asked("permutation")),
        "shapley": ReportFigure(shapley_figure, _asked("shapley")),
        "drift": ReportFigure(drift_figure, _has_drift),
        "origins": ReportFigure(origins_figure, _has_rows("origins")),
        "by_return": ReportFigure(by_return_figure, _has_rows("by_return")),
        "learning_curves": ReportFigure(learning_curves, lambda results: not results.curves.empty),
        "fold_plan": ReportFigure(fold_plan),
    }
)
"""Titles and captions are in the template of the page."""


def figures_of(results: Results) -> dict[str, Figure]:
    """Every figure that applies to ``results``, by key of ``FIGURES``."""
    return {key: entry.draw(results) for key, entry in FIGURES.items() if entry.applies(results)}
