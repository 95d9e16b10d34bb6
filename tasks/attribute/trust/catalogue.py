"""The checks of an attribution: statistic, pass mark, and the meaning of a failure."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np


@dataclass(frozen=True)
class CheckEntry:
    """One check of whether an attribution can be trusted.

    Attributes:
        title: A few words for tables and figures.
        statistic: The measured quantity.
        unit: Its unit.
        passes: The pass mark, or the null that the statistic must exceed.
        source: Paper or practice.
        failure: The meaning of a failed check.
    """

    title: str
    statistic: str
    unit: str
    passes: str
    source: str
    failure: str


TRUST: Mapping[str, CheckEntry] = MappingProxyType(
    {
        "completeness": CheckEntry(
            "completeness",
            "share of samples whose attributions miss the change of the forecast by more than "
            "1e-4 of the forecasts' standard deviation",
            "share of samples",
            "0",
            "Sundararajan, Taly & Yan 2017 (ICML), axiom of completeness",
            "the gradients are not those of the forecast (detached statistics, samples that share "
            "a batch), or the path has kinks that the nodes cannot follow",
        ),
        "model_randomization": CheckEntry(
            "model randomization",
            "mean Spearman correlation of the feature importances of the trained network and of "
            "networks with new weights, head first and then every layer",
            "rank correlation",
            "within the central 95 % of a random ranking",
            "Adebayo et al. 2018 (NeurIPS), cascading randomization",
            "the importances describe the inputs (their scale, their tails), not what was learned",
        ),
        "label_randomization": CheckEntry(
            "label randomization",
            "mean Spearman correlation of the feature importances of the trained network and of "
            "networks trained on labels permuted within dates",
            "rank correlation",
            "within the central 95 % of a random ranking",
            "Adebayo et al. 2018 (NeurIPS), data randomization",
            "a network that learned nothing real has the same importances",
        ),
        "seed_stability": CheckEntry(
            "seed stability",
            "mean Kendall's tau-b of the feature rankings of two seeds of the same fold",
            "rank correlation",
            "above the 95 % quantile of as many random rankings",
            "Kendall 1938 (Biometrika); jackknife of a U-statistic, Arvesen 1969 (Ann Math Stat)",
            "the ranking depends on the draw of initial weights",
        ),
        "fold_stability": CheckEntry(
            "fold stability",
            "mean Kendall's tau-b of the feature rankings of two folds of the same seed",
            "rank correlation",
            "above the 95 % quantile of as many random rankings",
            "as seed stability",
            "the ranking holds for one period only, or for none",
        ),
        "canaries": CheckEntry(
            "noise columns",
            "share of real features that rank above all noise columns",
            "share of features",
            "more features than noise alone would place there in 95 of 100 cases",
            "Stoppiglia et al. 2003 (JMLR), random probe; order statistics of exchangeable draws",
            "the features cannot be distinguished from noise columns",
        ),
        "comprehensiveness": CheckEntry(
            "comprehensiveness",
            "rank IC lost when the first features of the ranking are replaced by those of training "
            "windows, mean over their number, beyond the loss for random orders",
            "rank IC",
            "above the mean of random orders, and within an error of their 95 % quantile",
            "DeYoung et al. 2020 (ACL); AOPC of Samek et al. 2017 (TNNLS)",
            "the forecasts do not need the important features more than others; or these cancel, "
            "as a feature and its negative do",
        ),
        "sufficiency": CheckEntry(
            "sufficiency",
            "rank IC kept when all but the first features of the ranking are replaced by those of "
            "training windows, mean over their number, beyond what random orders keep",
            "rank IC",
            "above the mean of random orders, and within an error of their 95 % quantile",
            "DeYoung et al. 2020 (ACL); AOPC of Samek et al. 2017 (TNNLS)",
            "the important features do not carry the forecasts",
        ),
        "infidelity": CheckEntry(
            "infidelity",
            "mean squared difference between the attributions of replaced features and the change "
            "of the forecast, over the mean square of that change",
            "share of the mean squared change",
            "below 1 (no attribution at all) and below the 5 % quantile of the same attributions "
            "with the features permuted",
            "Yeh et al. 2019 (NeurIPS), perturbations to a baseline",
            "the attributions do not predict the response to changes of several features",
        ),
        "sensitivity": CheckEntry(
            "max-sensitivity",
            "median over samples of the largest relative change of the attribution when the window "
            "moves by a fiftieth of a standard deviation",
            "share of the attribution's norm",
            "below the 5 % quantile of the distance between attributions of different windows",
            "Yeh et al. 2019 (NeurIPS)",
            "nearly equal windows get different explanations",
        ),
    }
)
"""The checks by name, in the order of reports."""


@dataclass(frozen=True)
class Check:
    """The result of a check of an attribution.

    Attributes:
        name: Key of :data:`~foldproof.tasks.attribute.trust.catalogue.TRUST`.
        value: The statistic, in the check's unit.
        low: Lower end of its 95 % interval; NaN where there is none.
        high: Upper end.
        mark: The pass mark.
        passed: None where the check is inconclusive; ``detail`` says why.
        detail: One sentence, without a full stop.
    """

    name: str
    value: float
    low: float
    high: float
    mark: float
    passed: bool | None
    detail: str


def check(
    name: str,
    value: float,
    mark: float,
    passed: bool | None,
    detail: str,
    interval: tuple[float, float] = (np.nan, np.nan),
) -> Check:
    """A :class:`Check` of plain Python numbers, from numbers of any type."""
    low, high = (float(end) for end in interval)
    decided = None if passed is None else bool(passed)
    return Check(name, float(value), low, high, float(mark), decided, detail)
