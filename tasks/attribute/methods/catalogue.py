"""The attribution methods: what each measures, what it cannot detect, and how it is called."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from torch import Tensor

from foldproof.models.spec import require_distinct, unknown
from foldproof.tasks.attribute.methods.adaptive import resolved_gradients
from foldproof.tasks.attribute.methods.checks import Groups
from foldproof.tasks.attribute.methods.expected import expected_gradients
from foldproof.tasks.attribute.methods.local_gradients import (
    gradient_times_input,
    squared_sensitivity,
)
from foldproof.tasks.attribute.methods.occlusion import (
    feature_masks,
    group_masks,
    lag_masks,
    occlusion,
)
from foldproof.tasks.attribute.methods.partials import Reading
from foldproof.tasks.attribute.methods.permutation import REPEATS, permutation_importance
from foldproof.tasks.attribute.methods.question import Answer, Question, answer_of
from foldproof.tasks.attribute.methods.shapley import shapley_values
from foldproof.tasks.attribute.methods.temporal import temporal_integrated_gradients

MAIN = "integrated_gradients"
"""The method by which the report and the tracker rank features."""
DEFAULT = (MAIN, "mean_partial", "mean_abs_partial")
"""The methods of a comparison by default: cheap beside the training."""
FORMER_KEYS: Mapping[str, str] = MappingProxyType(
    {"citic": "mean_partial", "citic_abs": "mean_abs_partial"}
)
"""Former keys that configurations may still use -> keys of :data:`ATTRIBUTIONS`."""
PERMUTED = 16_000
"""Most windows that permutation scores per feature: with many samples, few repeats suffice."""


@dataclass(frozen=True)
class Method:
    """One way to measure how much a feature contributes to the forecast.

    Attributes:
        title: A few words for tables and figures.
        formula: The importance of a feature in one line.
        unit: The unit of the importance.
        source: Paper or practice.
        blind_to: What the method cannot detect.
        cost: Gradients or forecasts per sample; a gradient takes about three times a forecast.
        run: (question) -> answer, with the forecaster in eval mode. Raises ValueError where
            forecasts or their gradients are not finite, or forward does not return (P,), or is not
            differentiable where the method needs it.
        columns: What is ranked: features, groups of features, or the lags of the whole window.
        asked_on: samples spread over dates, or whole cross-sections of a few dates.
        adds_up_to: What the values of a sample sum to.
        lags: How the importance joins the lags of a feature. ``net``, the size of their sum, for
            attributions, which are parts of a change of the forecast and may cancel. ``gross``, the
            sum of their sizes, for slopes, whose sum is the response to a shift at all lags at
            once: zero for a network that normalizes the window.
    """

    title: str
    formula: str
    unit: str
    source: str
    blind_to: str
    cost: str
    run: Callable[[Question], Answer]
    columns: Literal["features", "groups", "window"] = "features"
    asked_on: Literal["samples", "cross-sections"] = "samples"
    adds_up_to: Literal["f(x) - f(x')", "f(x) - E f(x')", "nothing"] = "nothing"
    lags: Literal["net", "gross"] = "gross"


def _integrated(q: Question) -> Answer:
    """Values (B, T, F); ``paths`` holds their completeness errors."""
    paths = resolved_gradients(q.forward, q.inputs, q.baseline, q.nodes, rows=q.rows)
    return answer_of(paths.attributions, paths=paths)


def _expected(q: Question) -> Answer:
    """Values (B, T, F), with the standard errors of their sums over lags."""
    found = expected_gradients(
        q.forward, q.inputs, q.references, generator=q.generator(), rows=q.rows
    )
    return answer_of(found.attributions, found.lag_error)


def _temporal(q: Question) -> Answer:
    """Values (B, T, F), each step given the earlier ones."""
    values, _ = temporal_integrated_gradients(q.forward, q.inputs, q.baseline, q.nodes, rows=q.rows)
    return answer_of(values)


def _times_input(q: Question) -> Answer:
    """Values (B, T, F), to first order."""
    return answer_of(gradient_times_input(q.forward, q.inputs, q.baseline, rows=q.rows))


def _squared(q: Question) -> Answer:
    """Values (B, T, F), none below 0, per squared unit."""
    return answer_of(squared_sensitivity(q.forward, q.inputs, scale=q.unit, rows=q.rows))


def _partial(reading: Reading) -> Callable[[Question], Answer]:
    """Aggregates over dates of the mean partial derivatives, by one reading."""

    def run(q: Question) -> Answer:
        partials = q.partials
        return Answer(
            signed=partials.signed.mean(0).cpu(),
            absolute=partials.by_lag(reading).cpu(),
            net=partials.importance(reading).cpu(),
            agreement=partials.consistency("abs_sum").cpu(),
            partials=partials,
        )

    return run


def _occluded(masks: Callable[[int, int, Groups], Tensor], at: int) -> Callable[[Question], Answer]:
    """Changes of the forecast by mask (B, M), with a dimension of 1 inserted ``at``.

    ``masks`` takes the window's length, the number of features and the groups.
    """

    def run(q: Question) -> Answer:
        _, length, features = q.inputs.shape
        chosen = masks(length, features, q.groups)
        change = occlusion(q.forward, q.inputs, q.baseline, chosen, rows=q.rows)
        return answer_of(change.unsqueeze(at))

    return run


def _permuted(q: Question) -> Answer:
    """Mean rank IC lost; a loss below 0, where a feature does harm, is 0 in ``absolute``.

    The mean of the dates' absolute losses would count the noise of each date as importance.
    """
    found = permutation_importance(
        q.forward, q.inputs, q.dates, q.target, generator=q.generator(),
        repeats=max(2, min(REPEATS, PERMUTED // len(q.inputs))), rows=q.rows,
    )  # fmt: skip
    loss, error = found.importance, found.error
    return Answer(loss.unsqueeze(0), loss.clamp_min(0).unsqueeze(0), net=loss, error=error)


def _shapley(q: Question) -> Answer:
    """Values (B, 1, G), exact for few groups, else with standard errors."""
    found = shapley_values(
        q.forward, q.inputs, q.baseline, q.groups, generator=q.generator(), rows=q.rows
    )
    return answer_of(found.values.unsqueeze(1), found.error)


TARGET = "the target's unit"
ABLATION = "feature ablation; Zeiler & Fergus 2014 (ECCV)"
PER_SD = "the target's unit per standard deviation of the feature"
ATTRIBUTIONS: Mapping[str, Method] = MappingProxyType(
    {
        "integrated_gradients": Method(
            "integrated gradients",
            "mean over samples of |sum over lags of (x - x') ∫ ∂f/∂x(x' + α(x - x')) dα|, "
            "x' a window drawn from the training block",
            TARGET,
            "Sundararajan, Taly & Yan 2017 (ICML)",
            "the result under other baselines; lags that cancel each other, which gross includes",
            "nodes gradients, up to 16 times as many for hard samples",
            _integrated,
            adds_up_to="f(x) - f(x')",
            lags="net",
        ),
        "expected_gradients": Method(
            "expected gradients",
            "mean over samples of |sum over lags of E (x - x') ∂f/∂x(x' + α(x - x'))|, "
            "x' drawn from the training windows, α uniform",
            TARGET,
            "Erion et al. 2021 (Nature Machine Intelligence 3:620)",
            "effects that cancel in the mean of the training windows; anything below its Monte "
            "Carlo error",
            "200 gradients",
            _expected,
            adds_up_to="f(x) - E f(x')",
            lags="net",
        ),
        "temporal_integrated_gradients": Method(
            "temporal integrated gradients",
            "mean over samples of |sum over steps of the attribution of step t to the forecast "
            "of the window cropped to 1..t|",
            TARGET,
            "Enguehard 2023 (arXiv 2306.02968)",
            "how the network uses a step later; short windows that it was never trained on",
            "nodes gradients for each step, of half the window's length on average",
            _temporal,
            lags="net",
        ),
        "gradient_times_input": Method(
            "gradient x input",
            "mean over samples of |sum over lags of (x - x') ∂f/∂x(x)|",
            TARGET,
            "Shrikumar et al. 2016 (arXiv 1605.01713)",
            "effects that saturate: the slope is taken at the observed window only",
            "1 gradient",
            _times_input,
            lags="net",
        ),
        "mean_partial": Method(
            "mean partial derivative",
            "sum over lags of the mean over dates of |mean over stocks of ∂f/∂x|",
            PER_SD,
            "a broker's note on factor optimisation, known from an excerpt; first reading",
            "effects whose sign differs across stocks: symmetric non-linearity, interactions",
            "1 gradient, shared with the absolute one",
            _partial("mean_partial"),
            asked_on="cross-sections",
        ),
        "mean_abs_partial": Method(
            "mean absolute partial derivative",
            "sum over lags of the mean over dates and stocks of |∂f/∂x|",
            PER_SD,
            "second reading of the same note; as Chen, Pelger & Zhu 2024 (Management Science "
            "70:714)",
            "direction; anything away from the observed points",
            "1 gradient, shared with the signed one",
            _partial("mean_abs_partial"),
            asked_on="cross-sections",
        ),
        "squared_sensitivity": Method(
            "squared sensitivity",
            "sum over lags of the mean over samples of (∂f/∂x)²",
            f"{PER_SD}, squared",
            "Dimopoulos et al. 1995; as SSD in Gu, Kelly & Xiu 2020 (RFS 33:2223)",
            "direction; how common an effect is: a few steep samples can dominate",
            "1 gradient",
            _squared,
        ),
        "occlusion": Method(
            "occlusion of a feature",
            "mean over samples of |f(x) - f(x with the feature from x')|",
            TARGET,
            ABLATION,
            "features that another feature duplicates; the lag",
            "1 forecast per feature",
            _occluded(lambda t, f, _: feature_masks(t, f), at=1),
        ),
        "occlusion_by_lag": Method(
            "occlusion of a lag",
            "mean over samples of |f(x) - f(x with the lag's row from x')|",
            TARGET,
            ABLATION,
            "rows that neighbouring rows duplicate; the feature",
            "1 forecast per lag",
            _occluded(lambda t, f, _: lag_masks(t, f), at=2),
            columns="window",
        ),
        "occlusion_by_group": Method(
            "occlusion of a group",
            "mean over samples of |f(x) - f(x with the group's features from x')|",
            TARGET,
            ABLATION,
            "groups that another group duplicates; the feature within the group, and the lag",
            "1 forecast per group",
            _occluded(group_masks, at=1),
            columns="groups",
        ),
        "shapley": Method(
            "Shapley value of a group",
            "mean over samples of |mean over orders of the change when the group is added|",
            TARGET,
            "Strumbelj & Kononenko 2010 (JMLR 11:1); antithetic orders, Mitchell et al. 2022 "
            "(JMLR 23:43)",
            "unrealistic coalitions: most were never observed; the feature within the group, and "
            "the lag",
            "2^G forecasts for up to 8 groups, 32 for each group above",
            _shapley,
            columns="groups",
            adds_up_to="f(x) - f(x')",
        ),
        "permutation": Method(
            "permutation within dates",
            "mean over dates of rank IC - rank IC with the feature shuffled across stocks, at "
            "least 0",
            "rank IC",
            "Breiman 2001 (Machine Learning 45:5), within dates",
            "features that another feature duplicates; moves that all stocks of a date share",
            "2 to 10 forecasts per feature",
            _permuted,
            asked_on="cross-sections",
        ),
    }
)
"""The methods by name, in the order of tables and figures."""


def check_methods(names: tuple[str, ...]) -> None:
    """Raise ValueError unless all names are distinct keys of :data:`ATTRIBUTIONS` including MAIN.

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
