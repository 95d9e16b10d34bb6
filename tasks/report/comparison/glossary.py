"""Columns of the ranking table: title, meaning, format. The other terms are in the template."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Term:
    """A column of the ranking.

    Attributes:
        title: Head of the column.
        meaning: One or two sentences for a reader who knows regression.
        form: Format of its numbers.
    """

    title: str
    meaning: str
    form: str = ""


COLUMNS: Mapping[str, Term] = MappingProxyType(
    {
        "rank_ic": Term(
            "rank IC [joint interval]",
            "Mean over dates of the Spearman correlation of forecasts and targets across symbols. "
            "0 is no skill; daily stock forecasts reach 0.02 to 0.06 at best. The intervals hold "
            "for all rows jointly (stationary bootstrap of dates, which allows for overlapping "
            "labels). An interval that includes zero shows no skill.",
            "+.4f",
        ),
        "difference": Term(
            "gain [joint interval]",
            "Mean daily rank IC minus that of the reference variant on the same dates, with its "
            "joint interval.",
            "+.4f",
        ),
        "in_confidence_set": Term(
            "may be best",
            "Member of the model confidence set (Hansen, Lunde, Nason 2011), which holds every "
            "variant that cannot be ruled out as the best.",
        ),
        "hac_t": Term(
            "t (HAC)",
            "Newey-West t statistic of the mean daily rank IC. It ignores that many variants were "
            "compared; rely on the joint interval.",
            "+.2f",
        ),
        "rank_icir": Term(
            "rank ICIR",
            "Mean daily rank IC divided by its standard deviation; not annualized.",
            "+.3f",
        ),
        "ic": Term("IC", "As rank IC, with Pearson's correlation.", "+.4f"),
        "mse_ratio": Term(
            "MSE ratio",
            "Mean squared error divided by that of a constant forecast of zero; below 1 beats it.",
            ".4f",
        ),
        "hit_rate": Term("hit rate", "Share of forecasts with the sign of the target.", ".3f"),
        "quantile_spread": Term(
            "spread",
            "Mean target of the highest forecasts minus that of the lowest, by date, in units of "
            "the target and before costs.",
            "+.5f",
        ),
        "coverage": Term("coverage", "Share of the variant's forecasts that were compared.", ".1%"),
    }
)
"""Columns of the ranking table, in order."""
