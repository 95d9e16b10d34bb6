"""Every figure of the report, in reading order."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

from matplotlib.figure import Figure

from foldproof.tasks.report.attribution.by_return import by_return_figure
from foldproof.tasks.report.attribution.drift import drift_figure
from foldproof.tasks.report.attribution.figures import attribution_heatmap, importance_by_method
from foldproof.tasks.report.attribution.methods import (
    has_drawn,
    has_more_methods,
    lag_profile_figure,
    methods_figure,
    permutation_figure,
    shapley_figure,
)
from foldproof.tasks.report.attribution.net_gross import net_gross_figure
from foldproof.tasks.report.attribution.origins import origins_figure
from foldproof.tasks.report.attribution.shares import best_attributed
from foldproof.tasks.report.audit.matrix import leak_matrix
from foldproof.tasks.report.comparison.folds import fold_plan
from foldproof.tasks.report.comparison.ranking import (
    rank_ic_by_fold,
    rank_ic_cumulated,
    ranking_figure,
)
from foldproof.tasks.report.comparison.training import learning_curves
from foldproof.tasks.report.results import Results


def _always(results: Results) -> bool:
    return True


def _audited(results: Results) -> bool:
    return any(results.findings.values())


def _attributed(results: Results) -> bool:
    return best_attributed(results) is not None


def _taken_back(results: Results) -> bool:
    return not results.attribution.newest.origins.empty


def _on_to_prices(results: Results) -> bool:
    return not results.attribution.newest.by_return.empty


def _followed(results: Results) -> bool:
    return best_attributed(results) in set(results.attribution.newest.drift["variant"])


def _trained(results: Results) -> bool:
    return not results.curves.empty


@dataclass(frozen=True)
class ReportFigure:
    """A figure of the report.

    Attributes:
        title: What it shows.
        caption: How to read it.
        draw: Makes it; touches no state of matplotlib's.
        applies: Whether the results hold what it draws.
    """

    title: str
    caption: str
    draw: Callable[[Results], Figure]
    applies: Callable[[Results], bool] = _always


FIGURES: Mapping[str, ReportFigure] = MappingProxyType(
    {
        "ranking": ReportFigure(
            "Ranking",
            "Mean daily rank IC, out of sample, with intervals that hold for all rows at once: an "
            "interval that includes zero shows no forecasting skill. Filled: cannot be ruled out "
            "as the best normalization. Diamonds: forecasters without an LSTM.",
            ranking_figure,
        ),
        "rank_ic_by_fold": ReportFigure(
            "By fold",
            "Mean daily rank IC within each fold's test block. A variant that owes its rank to one "
            "column owes it to one period.",
            rank_ic_by_fold,
        ),
        "rank_ic_cumulated": ReportFigure(
            "Over time",
            "Running sum of the daily rank IC. A steady slope is skill that lasts; a jump is one "
            "episode. Grey: the remaining variants and references.",
            rank_ic_cumulated,
        ),
        "leak_matrix": ReportFigure(
            "Leak tests",
            "The worst answer over all folds. LEAK shows its size in the test's own unit. Clean "
            "means: not within what was tested. Unknown is not clean. The control leaks on "
            "purpose: it must show LEAK, or the tests are blind. Informs: no part of the verdict. "
            "† training batches couple samples, which the forecasts do not show.",
            leak_matrix,
            _audited,
        ),
        "attribution_heatmap": ReportFigure(
            "Feature and lag",
            "Share of the absolute integrated gradients, through the normalizer, by feature and "
            "lag; mean over folds and seeds. Beside a name: the feature's net share, all its lags "
            "taken together, by which features are ranked. Large: the best candidate. Small: all "
            "others, features in the same order and colours on the same scale.",
            attribution_heatmap,
            _attributed,
        ),
        "importance_by_method": ReportFigure(
            "Feature importance",
            "Left: three methods on the best candidate; where |mean partial| falls far below mean "
            "|partial|, the feature's sign differs between stocks. Right: whether the "
            "normalizations agree on the features.",
            importance_by_method,
            _attributed,
        ),
        "net_gross": ReportFigure(
            "Net and gross",
            "Filled: net, what the feature as a whole moves the forecast by, which ranks it. Open: "
            "gross, the sizes of its lags added up. A long line: lags that take back what others "
            "give. Left: the best candidate. Right: the variant whose lags cancel most; behind a "
            "window normalizer they do so in any network, and gross ranks features by that.",
            net_gross_figure,
            _attributed,
        ),
        "methods": ReportFigure(
            "What other methods say",
            "Of the best candidate. Left: each feature's share by every method that was asked for. "
            "Right: how far two of them rank the features alike, 1 in the same order; what "
            "all agree on is not of one method's making.",
            methods_figure,
            has_more_methods,
        ),
        "lag_profile": ReportFigure(
            "Which days count",
            "Of the best candidate: share of each method's sizes by lag, all features together.",
            lag_profile_figure,
            _attributed,
        ),
        "permutation": ReportFigure(
            "What the forecast loses without a feature",
            "Of the best candidate: mean daily rank IC lost when the feature is exchanged between "
            "the stocks of a date, with two standard errors of the draws. Grey and open: they "
            "reach zero. Below zero, the forecast is better without it.",
            permutation_figure,
            partial(has_drawn, method="permutation"),
        ),
        "shapley": ReportFigure(
            "Shapley values of the groups",
            "Of the best candidate: what each group of features adds when it enters, averaged over "
            "orders, with two standard errors where orders are drawn; its mean size.",
            shapley_figure,
            partial(has_drawn, method="shapley"),
        ),
        "drift": ReportFigure(
            "Importance over the folds",
            "Of the best candidate. Above: share of the importance that went to other features or "
            "to the other direction since the fold before, and what resampled dates and seeds move "
            "it by when nothing changes; an alert in red. Below: each feature's net share; blue "
            "raises the forecast when high, red lowers it, pale does both.",
            drift_figure,
            _followed,
        ),
        "origins": ReportFigure(
            "What forecasts rest on",
            "A few forecasts of the newest fold taken back to the supplied features, statistics of "
            "the input normalizer included: the stock's own window, its rows before (rolling "
            "statistics), other stocks (cross-sectional statistics), and rows that were not yet "
            "known, which only the planted control should show.",
            origins_figure,
            _taken_back,
        ),
        "by_return": ReportFigure(
            "How far back the returns stand that forecasts rest on",
            "The same forecasts taken on through the price features to the daily returns of the "
            "stock, by age, and to what else there is: other stocks' returns, through the market "
            "or the cross-section, price levels and volumes.",
            by_return_figure,
            _on_to_prices,
        ),
        "learning_curves": ReportFigure(
            "Learning curves",
            "Loss by epoch, on training and validation rows; faint: each fold and seed.",
            learning_curves,
            _trained,
        ),
        "fold_plan": ReportFigure(
            "Fold plan",
            "What each fold trains, validates and tests on. Rows whose labels reach into the next "
            "block are left out on both borders.",
            fold_plan,
        ),
    }
)


def figures_of(results: Results) -> dict[str, Figure]:
    """Every figure that applies to ``results``, by key of ``FIGURES``."""
    return {key: entry.draw(results) for key, entry in FIGURES.items() if entry.applies(results)}
