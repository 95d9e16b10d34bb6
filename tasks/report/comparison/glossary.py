"""What the words of the report mean."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Term:
    """A word of the report.

    Attributes:
        title: As it stands in a table's head.
        meaning: One or two sentences for a reader who knows regression.
        form: How its numbers are printed.
    """

    title: str
    meaning: str
    form: str = ""


COLUMNS: Mapping[str, Term] = MappingProxyType(
    {
        "rank_ic": Term(
            "rank IC [joint interval]",
            "Mean over dates of the Spearman correlation, across the symbols of one date, of "
            "forecasts with what then happened. 0 is no skill; 0.02 to 0.06 is what daily stock "
            "forecasts reach at best. The interval holds for all rows of the table at once "
            "(stationary bootstrap of dates in blocks, so that overlapping labels do not make it "
            "too short); where it includes zero, the data do not show skill.",
            "+.4f",
        ),
        "difference": Term(
            "gain [joint interval]",
            "Mean daily rank IC less that of the reference variant on the same dates, with its "
            "joint interval: pairing removes what all variants share.",
            "+.4f",
        ),
        "in_confidence_set": Term(
            "in the set",
            "Member of the model confidence set (Hansen, Lunde, Nason 2011): the variants that "
            "cannot be ruled out as the best. A large set means that the data cannot tell.",
        ),
        "hac_t": Term(
            "t (HAC)",
            "Newey-West t statistic of the mean daily rank IC. It ignores that many variants were "
            "tried: trust the joint interval.",
            "+.2f",
        ),
        "rank_icir": Term(
            "rank ICIR",
            "Mean over standard deviation of the daily rank IC; not annualized.",
            "+.3f",
        ),
        "ic": Term("IC", "The same as rank IC with Pearson's correlation.", "+.4f"),
        "mse_ratio": Term(
            "MSE / zero",
            "Mean squared error over that of forecasting zero: below 1 beats having no opinion.",
            ".4f",
        ),
        "hit_rate": Term("hit rate", "Share of forecasts with the sign of what happened.", ".3f"),
        "quantile_spread": Term(
            "spread",
            "Mean target of the highest forecasts less that of the lowest, by date, in the "
            "target's unit; before all costs.",
            "+.5f",
        ),
        "coverage": Term(
            "coverage", "Share of the scored cells on which it could be ranked.", ".1%"
        ),
    }
)
"""Columns of the ranking table, in order."""

GLOSSARY: Mapping[str, str] = MappingProxyType(
    {
        "LEAK": "A forecast moved when only later rows were changed: it uses the future.",
        "CLEAN": "It did not move in what was tested. Not a proof.",
        "UNKNOWN": "The test could not decide. Never to be read as clean.",
        "Control": "A variant that leaks on purpose. If the audit misses it, the audit is blind.",
        "Purge": "Rows left out because their labels reach into the next block.",
        "Integrated gradients": "The forecast less that of a reference window, split over features "
        "and lags along the straight path between them (Sundararajan et al. 2017); the reference "
        "windows come from the training block.",
        "Net importance": "Mean over samples of the size of a feature's attribution, lags taken "
        "together: what the feature as a whole moved the forecast by. Features are ranked by it.",
        "Gross importance": "The sizes of a feature's lags added up. Above net where lags offset "
        "each other, as in a difference of two days; behind a window normalizer most do, in any "
        "network, so that gross can rank features without anything learned.",
        "Drift of importance": "Share of the net importance that went from one fold to the next to "
        "other features or to the other direction. An alert when it is above what resampled dates "
        "and seeds move it by, and above attribution.drift_alert.",
        "|mean partial derivative|": "Mean over a date's symbols of the forecast's derivative by a "
        "feature, its absolute value averaged over dates. Small where the sign differs between "
        "symbols.",
        "mean |partial derivative|": "The absolute value taken first: how strongly the forecast "
        "reacts, whatever the direction.",
    }
)
