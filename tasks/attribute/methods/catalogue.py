"""The attribution methods: what each measures, what it cannot see, and how it is asked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from foldproof.models.spec import require_distinct, unknown
from foldproof.tasks.attribute.methods import question as runs
from foldproof.tasks.attribute.methods.question import Answer, Question
from foldproof.tasks.attribute.network.gradients import eval_mode

MAIN = "integrated_gradients"
"""The method that the report and the tracker rank features by."""
DEFAULT = (MAIN, "citic", "citic_abs")
"""What a comparison asks unless told otherwise: what costs little beside the training."""


@dataclass(frozen=True)
class Method:
    """One way to say how much a feature carries the forecast.

    Attributes:
        title: A few words for tables and figures.
        formula: The importance of a feature in one line.
        unit: What one unit of the importance is.
        source: Paper or practice.
        blind_to: What can be there without being seen.
        cost: Gradients or forecasts a sample; a gradient takes about three times a forecast.
        answers: (question) -> answer; :meth:`run` calls it as it must be called.
        columns: What is ranked: features, groups of features, or the window's lags as a whole.
        asked_on: samples spread over dates, or whole cross-sections of a few dates.
        adds_up_to: What the values of a sample sum to.
        lags: How the importance takes the lags of a feature together. ``net``, the size of their
            sum, for attributions, which are parts of a change of the forecast and may cancel.
            ``gross``, the sum of their sizes, for slopes, whose sum is the response to a shift at
            all lags at once: nothing to a network that normalizes the window.
    """

    title: str
    formula: str
    unit: str
    source: str
    blind_to: str
    cost: str
    answers: Callable[[Question], Answer]
    columns: Literal["features", "groups", "window"] = "features"
    asked_on: Literal["samples", "cross-sections"] = "samples"
    adds_up_to: Literal["f(x) - f(x')", "f(x) - E f(x')", "nothing"] = "nothing"
    lags: Literal["net", "gross"] = "gross"

    def run(self, question: Question) -> Answer:
        """The method's answer, with every statistic of the forecaster frozen.

        Raises:
            ValueError: Forecasts or their gradients are not finite, or forward does not return
                (P,), or is not differentiable where the method needs it.
        """
        with eval_mode(question.forward):
            return self.answers(question)


TARGET = "the target's unit"
ATTRIBUTIONS: Mapping[str, Method] = MappingProxyType(
    {
        "integrated_gradients": Method(
            "integrated gradients",
            "mean over samples of |sum over lags of (x - x') ∫ ∂f/∂x(x' + α(x - x')) dα|, "
            "x' a window drawn from the training block",
            TARGET,
            "Sundararajan, Taly & Yan 2017 (ICML)",
            "what other baselines would show; lags that cancel each other, which gross tells",
            "nodes gradients, up to 16 times as many for hard samples",
            runs.integrated,
            adds_up_to="f(x) - f(x')",
            lags="net",
        ),
        "expected_gradients": Method(
            "expected gradients",
            "mean over samples of |sum over lags of E (x - x') ∂f/∂x(x' + α(x - x'))|, "
            "x' drawn from the training windows, α uniform",
            TARGET,
            "Erion et al. 2021 (Nature Machine Intelligence 3:620)",
            "effects that the training windows' mean cancels; anything below its Monte Carlo error",
            "200 gradients",
            runs.expected,
            adds_up_to="f(x) - E f(x')",
            lags="net",
        ),
        "temporal_integrated_gradients": Method(
            "temporal integrated gradients",
            "mean over samples of |sum over steps of the attribution of step t to the forecast "
            "of the window cropped to 1..t|",
            TARGET,
            "Enguehard 2023 (arXiv 2306.02968)",
            "what the network does with a step later on; short windows it was never trained on",
            "nodes gradients for each step, of half the window's length on average",
            runs.temporal,
            lags="net",
        ),
        "gradient_times_input": Method(
            "gradient x input",
            "mean over samples of |sum over lags of (x - x') ∂f/∂x(x)|",
            TARGET,
            "Shrikumar et al. 2016 (arXiv 1605.01713)",
            "whatever saturates: the slope is taken at the observed window only",
            "1 gradient",
            runs.times_input,
            lags="net",
        ),
        "citic": Method(
            "mean partial derivative",
            "sum over lags of the mean over dates of |mean over stocks of ∂f/∂x|",
            "the target's unit per standard deviation of the feature",
            "a broker's note on factor optimisation, known by an excerpt; reading A",
            "effects whose sign differs across stocks: symmetric non-linearity, interactions",
            "1 gradient, together with the absolute one",
            runs.mean_partial,
            asked_on="cross-sections",
        ),
        "citic_abs": Method(
            "mean absolute partial derivative",
            "sum over lags of the mean over dates and stocks of |∂f/∂x|",
            "the target's unit per standard deviation of the feature",
            "reading B of the same note; as Chen, Pelger & Zhu 2024 (Management Science 70:714)",
            "direction; anything away from the observed points",
            "1 gradient, together with the signed one",
            runs.mean_absolute_partial,
            asked_on="cross-sections",
        ),
        "squared_sensitivity": Method(
            "squared sensitivity",
            "sum over lags of the mean over samples of (∂f/∂x)²",
            "the target's unit per standard deviation of the feature, squared",
            "Dimopoulos et al. 1995; as SSD in Gu, Kelly & Xiu 2020 (RFS 33:2223)",
            "direction; how common an effect is: a few steep samples can decide it",
            "1 gradient",
            runs.squared,
        ),
        "occlusion": Method(
            "occlusion of a feature",
            "mean over samples of |f(x) - f(x with the feature from x')|",
            TARGET,
            "feature ablation; Zeiler & Fergus 2014 (ECCV)",
            "features of which another holds the same; the lag",
            "1 forecast a feature",
            runs.occluded_features,
        ),
        "occlusion_by_lag": Method(
            "occlusion of a lag",
            "mean over samples of |f(x) - f(x with the lag's row from x')|",
            TARGET,
            "feature ablation; Zeiler & Fergus 2014 (ECCV)",
            "rows of which the neighbours hold the same; the feature",
            "1 forecast a lag",
            runs.occluded_lags,
            columns="window",
        ),
        "occlusion_by_group": Method(
            "occlusion of a group",
            "mean over samples of |f(x) - f(x with the group's features from x')|",
            TARGET,
            "feature ablation; Zeiler & Fergus 2014 (ECCV)",
            "groups of which another holds the same; which feature of the group, and the lag",
            "1 forecast a group",
            runs.occluded_groups,
            columns="groups",
        ),
        "shapley": Method(
            "Shapley value of a group",
            "mean over samples of |mean over orders of what the group adds when it enters|",
            TARGET,
            "Strumbelj & Kononenko 2010 (JMLR 11:1); antithetic orders, Mitchell et al. 2022 "
            "(JMLR 23:43)",
            "that most coalitions were never observed; which feature of the group, and the lag",
            "2^G forecasts for up to 8 groups, 32 for each group above",
            runs.shapley,
            columns="groups",
            adds_up_to="f(x) - f(x')",
        ),
        "permutation": Method(
            "permutation within dates",
            "mean over dates of rank IC - that with the feature permuted across stocks, 0 or more",
            "rank IC",
            "Breiman 2001 (Machine Learning 45:5), within dates",
            "features of which another holds the same; what moves all stocks of a date alike",
            "2 to 10 forecasts a feature",
            runs.permuted,
            asked_on="cross-sections",
        ),
    }
)


def check_methods(names: tuple[str, ...]) -> None:
    """Raise ValueError unless every name is a key of :data:`ATTRIBUTIONS`, each once, MAIN among.

    Raises:
        ValueError: With the nearest valid keys.
    """
    for name in names:
        if name not in ATTRIBUTIONS:
            raise ValueError(unknown("attribution method", name, ATTRIBUTIONS))
    require_distinct(names, "methods")
    if MAIN not in names:
        raise ValueError(
            f"methods must contain {MAIN!r}, by which the report ranks features; they are "
            f"{', '.join(names) or 'none'}"
        )
