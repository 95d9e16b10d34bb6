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
from foldproof.tasks.report.results import Results


def _attributed(results: Results) -> bool:
    return best_attributed(results) is not None


@dataclass(frozen=True)
class ReportFigure:
    """A figure of the report.

    Attributes:
        title: What it shows.
        caption: How to read it.
        draw: Draws it, without touching matplotlib's global state.
        applies: Whether the results hold the data for it.
    """

    title: str
    caption: str
    draw: Callable[[Results], Figure]
    applies: Callable[[Results], bool] = lambda results: True


FIGURES: Mapping[str, ReportFigure] = MappingProxyType(
    {
        "ranking": ReportFigure(
            "Ranking",
            "Mean daily rank IC, out of sample. The intervals hold for all rows jointly; one that "
            "includes zero shows no skill. Filled: may be the best normalization. Diamonds: "
            "forecasters without an LSTM.",
            ranking_figure,
        ),
        "rank_ic_by_fold": ReportFigure(
            "By fold",
            "Mean daily rank IC on each test block. A variant that is strong in one column only "
            "owes its rank to that period.",
            rank_ic_by_fold,
        ),
        "rank_ic_cumulated": ReportFigure(
            "Over time",
            "Running sum of the daily rank IC. A steady slope is lasting skill; a jump is a single "
            "episode. Grey: the other variants and references.",
            rank_ic_cumulated,
        ),
        "leak_matrix": ReportFigure(
            "Leak tests",
            "The worst result over all folds, a leak with its size in the unit of the test. Clean "
            "means: no leak within what was tested. Unknown is not clean. The control leaks on "
            "purpose; if it is not LEAK, the tests do not work. Info only: not part of the "
            "verdict. † Samples of a training batch affect each other; the forecasts do not.",
            variant_matrix,
            lambda results: any(results.findings.values()),
        ),
        "attribution_heatmap": ReportFigure(
            "Feature and lag",
            "Share of the absolute integrated gradients by feature and lag, mean over folds and "
            "seeds. The number beside a feature is its net share, summed over its lags; features "
            "are ranked by it. Large: the best candidate. Small: all other variants, with the same "
            "order and colour scale.",
            attribution_heatmap,
            _attributed,
        ),
        "importance_by_method": ReportFigure(
            "Feature importance",
            "Left: three methods on the best candidate. If the mean partial derivative is far "
            "below the mean absolute one, the sign of the effect differs between stocks. Right: "
            "whether the variants agree on the features.",
            importance_by_method,
            _attributed,
        ),
        "net_gross": ReportFigure(
            "Net and gross importance",
            "Filled: net, the effect of a feature with its lags summed. Open: gross, the sum of "
            "the sizes of its lags. A long line means that lags offset each other. Both in percent "
            "of all net importance. Left: the best candidate. Right: the variant whose lags offset "
            "most; a window normalizer causes this even in an untrained network.",
            net_gross_figure,
            _attributed,
        ),
        "methods": ReportFigure(
            "Other attribution methods",
            "Best candidate. Left: share of each feature by every method. Right: agreement of two "
            "methods on the ranking; 1 is the same order. A ranking on which all methods agree "
            "does not depend on the method.",
            methods_figure,
            lambda results: bool(set(ranking_methods(results)) - set(DEFAULT)),
        ),
        "lag_profile": ReportFigure(
            "Importance by lag",
            "Best candidate: share of each lag, summed over features, by method.",
            lag_profile_figure,
            _attributed,
        ),
        "permutation": ReportFigure(
            "Rank IC lost without a feature",
            "Best candidate: mean daily rank IC lost when a feature is shuffled across the stocks "
            "of a date, with two standard errors. Grey and open: not significant. Below zero: the "
            "forecast is better without the feature.",
            permutation_figure,
            lambda results: was_asked(results, "permutation"),
        ),
        "shapley": ReportFigure(
            "Shapley values of feature groups",
            "Best candidate: mean absolute Shapley value of each group of features, with two "
            "standard errors if orders are sampled.",
            shapley_figure,
            lambda results: was_asked(results, "shapley"),
        ),
        "drift": ReportFigure(
            "Importance over the folds",
            "Best candidate. Above: share of the importance that moved to other features or "
            "changed sign since the previous fold; the line is what chance moves. Red: above "
            "chance. Below: net share of each feature; blue features raise the forecast when high, "
            "red ones lower it.",
            drift_figure,
            lambda results: best_attributed(results) in set(results.attribution.drift["variant"]),
        ),
        "origins": ReportFigure(
            "Rows that forecasts depend on",
            "Some forecasts of the newest fold, attributed to the supplied features through the "
            "statistics of the input normalizer: the stock's own window, its earlier rows (rolling "
            "statistics), other stocks (cross-sectional statistics), and rows not yet known, which "
            "only the control should have.",
            origins_figure,
            lambda results: not results.attribution.origins.empty,
        ),
        "by_return": ReportFigure(
            "Age of the returns that forecasts depend on",
            "The same forecasts, attributed further to daily returns of the stock by age. All "
            "else: returns of other stocks, price levels and volumes.",
            by_return_figure,
            lambda results: not results.attribution.by_return.empty,
        ),
        "learning_curves": ReportFigure(
            "Learning curves",
            "Training and validation loss by epoch; each panel has its own scale. Faint: each fold "
            "and seed. Bold: their mean.",
            learning_curves,
            lambda results: not results.curves.empty,
        ),
        "fold_plan": ReportFigure(
            "Fold plan",
            "Training, validation and test dates of each fold. Rows whose labels reach into the "
            "next block are purged at every border.",
            fold_plan,
        ),
    }
)


def figures_of(results: Results) -> dict[str, Figure]:
    """Every figure that applies to ``results``, by key of ``FIGURES``."""
    return {key: entry.draw(results) for key, entry in FIGURES.items() if entry.applies(results)}
