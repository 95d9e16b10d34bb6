"""All checks of the attribution of one trained unit."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
import torch
from torch import Generator, Tensor

from foldproof.tasks.attribute.baselines.sampling import draw, spread_samples
from foldproof.tasks.attribute.methods.adaptive import (
    TOLERANCE,
    forecast_spread,
    resolved_gradients,
)
from foldproof.tasks.attribute.methods.catalogue import MAIN
from foldproof.tasks.attribute.methods.integrated import integrated_gradients
from foldproof.tasks.attribute.network.gradients import CHUNK, ForwardOf, eval_mode, outputs_at
from foldproof.tasks.attribute.trust.catalogue import Check, check
from foldproof.tasks.attribute.trust.faithfulness import Removal, faithfulness, thinned_dates
from foldproof.tasks.attribute.trust.random_weights import cascade, model_randomization
from foldproof.tasks.attribute.trust.retraining import permuted_labels_check, with_noise_check
from foldproof.tasks.attribute.trust.sensitivity import (
    Attribute,
    infidelity_check,
    sensitivity_check,
)
from foldproof.tasks.attribute.trust.spec import TrustSpec
from foldproof.tasks.attribute.trust.stability import stabilities
from foldproof.tasks.attribute.unit.inputs import UnitInputs
from foldproof.tasks.attribute.unit.tables import COLUMNS

Attributor = Callable[[Tensor, bool], Attribute]
"""Baselines (B, T, F) -> the attribution of a forward and of windows (B, T, F), as reported (True)
or just accurate enough for a ranking or a comparison (False)."""


def completeness(
    forward: ForwardOf, inputs: Tensor, baseline: Tensor, attributions: Tensor
) -> Check:
    """Share of samples whose attributions do not add up to f(x) - f(x').

    Args:
        forward: Points (P, T, F) and rows of their samples (P,) -> (P,).
        inputs: (B, T, F) windows.
        baseline: (B, T, F) their baselines.
        attributions: (B, T, F) of the inputs.

    Raises:
        ValueError: A forecast is not finite.
    """
    with eval_mode(forward):
        observed = outputs_at(forward, inputs, CHUNK)
        change = observed - outputs_at(forward, baseline, CHUNK)
    sums = attributions.flatten(1).sum(1)
    gap = (sums - change).abs() / forecast_spread(observed, change)
    share = float((~(gap <= TOLERANCE)).double().mean())
    detail = (
        f"{share:.1%} of {len(gap)} samples miss by more than {TOLERANCE:g} of the forecasts' "
        f"standard deviation; median {float(gap.median()):.1g}, largest {float(gap.max()):.1g}"
    )
    return check("completeness", share, 0.0, share == 0, detail)


@dataclass(frozen=True, eq=False)
class Evidence:
    """The inputs of a unit's checks.

    Attributes:
        forward: The trained network on the samples.
        inputs: (B, T, F) their windows.
        baseline: (B, T, F) windows of the training block.
        randomized: By stage, the same forward with new weights, from the head down.
        removal: Cross-sections of test dates.
        target: Realised targets of these, NaN where unknown.
    """

    forward: ForwardOf
    inputs: Tensor
    baseline: Tensor
    randomized: Mapping[str, tuple[ForwardOf, ...]]
    removal: Removal
    target: np.ndarray


def integrated(nodes: int, coarse: int) -> Attributor:
    """Integrated gradients with ``nodes`` as reported (raised where needed), else ``coarse``."""

    def attributor(baseline: Tensor, reported: bool) -> Attribute:
        def attribute(forward: ForwardOf, inputs: Tensor) -> Tensor:
            rows = torch.arange(len(inputs))
            if reported:
                paths = resolved_gradients(forward, inputs, baseline, nodes, rows=rows)
                return paths.attributions.to(inputs)
            return integrated_gradients(forward, inputs, baseline, coarse, rows=rows)[0]

        return attribute

    return attributor


def importance_of(attributions: Tensor, lags: Literal["net", "gross"] = "net") -> np.ndarray:
    """(F,) mean over samples of attributions (B, T, F): size of the lags' sum, or sum of sizes."""
    by_feature = attributions.abs().sum(1) if lags == "gross" else attributions.sum(1).abs()
    return by_feature.mean(0).cpu().numpy()


def trust_unit(
    inputs: UnitInputs,
    spec: TrustSpec = TrustSpec(),  # noqa: B008  # frozen
) -> tuple[Check, ...]:
    """Completeness, model randomization, comprehensiveness, sufficiency, infidelity, sensitivity.

    The checked attributions are integrated gradients from training windows, as those of
    :func:`~foldproof.tasks.attribute.attribute_unit`.

    Args:
        inputs: The unit with its panel; its seed is that of all draws.
        spec: The sizes of the checks.

    Raises:
        ValueError: No date of the test block has three complete windows, or there are fewer than
            two features.
    """
    generator = torch.Generator().manual_seed(inputs.trained.unit.seed)
    evidence = evidence_of(inputs, spec, generator)
    return checks_of(evidence, spec, generator, integrated(spec.nodes, spec.coarse))


def evidence_of(inputs: UnitInputs, spec: TrustSpec, generator: Generator) -> Evidence:
    """Samples, baselines, networks with new weights and cross-sections of a unit."""
    panel, trained = inputs.panel, inputs.trained
    days = len(panel.dates)
    chosen = spread_samples(inputs.test, spec.samples, generator)
    stages = cascade(trained, len(panel.features), spec.networks)
    whole = thinned_dates(inputs.test, days, spec.dates, spec.cells, generator)
    date, symbol = whole.numpy() % days, whole.numpy() // days

    def forward_with(weights: dict[str, np.ndarray]) -> ForwardOf:
        return replace(inputs, trained=replace(trained, weights=weights)).forward(chosen)

    return Evidence(
        forward=inputs.forward(chosen),
        inputs=inputs.windows(chosen),
        baseline=inputs.windows(draw(inputs.train, len(chosen), generator)),
        randomized={stage: tuple(map(forward_with, new)) for stage, new in stages.items()},
        removal=Removal(
            inputs.forward(whole),
            inputs.windows(whole),
            inputs.windows(draw(inputs.train, len(whole), generator)),
            date,
        ),
        target=panel.target[date, symbol].astype(np.float64),
    )


def checks_of(
    evidence: Evidence, spec: TrustSpec, generator: Generator, attributor: Attributor
) -> tuple[Check, ...]:
    """The checks of one attribution method on the evidence."""
    forward, inputs, baseline = evidence.forward, evidence.inputs, evidence.baseline
    fine, coarse = attributor(baseline, True), attributor(baseline, False)
    attributions = fine(forward, inputs)
    importance = importance_of(attributions, spec.lags)
    randomized = {
        stage: [importance_of(coarse(new, inputs), spec.lags) for new in networks]
        for stage, networks in evidence.randomized.items()
    }
    size = {"most_steps": spec.steps, "most_orders": spec.orders}
    return (
        completeness(forward, inputs, baseline, attributions),
        model_randomization(importance, randomized),
        *faithfulness(evidence.removal, importance, evidence.target, **size),
        infidelity_check(forward, inputs, baseline, attributions, spec.perturbations, generator),
        sensitivity_check(coarse, forward, inputs, spec.moves, generator),
    )


def all_checks(
    inputs: UnitInputs,
    importance: pd.DataFrame,
    spec: TrustSpec,
    *,
    canaries: int,
    permuted_labels: int,
    samples: int,
    nodes: int,
) -> pd.DataFrame:
    """Checks of one unit's integrated gradients, and their stability over all units of a variant.

    Args:
        inputs: The checked unit, the newest, with its panel.
        importance: The table of this name of all units of the variant.
        spec: The sizes of the checks that need no training.
        canaries: Noise columns for one more training; 0 for none.
        permuted_labels: Trainings on permuted labels.
        samples: Test windows at most of units that are trained again.
        nodes: Their Gauss-Legendre nodes.
    """
    trained, panel, unit = inputs.trained, inputs.panel, inputs.trained.unit
    main = importance[importance["method"] == MAIN]
    own = main[(main["fold"] == unit.fold.number) & (main["seed"] == unit.seed)]
    found = [*attempted("completeness", trust_unit, inputs, spec), *stabilities(main)]
    if canaries:
        given = (trained, panel, canaries, samples, nodes)
        found += attempted("canaries", with_noise_check, *given)
    if permuted_labels:
        asked = (trained, panel, own, permuted_labels, samples, nodes)
        found += attempted("label_randomization", permuted_labels_check, *asked)
    rows = [{**inputs.key, "check": one.name, **asdict(one)} for one in found]
    return pd.DataFrame(rows, columns=list(COLUMNS["checks"]))


def attempted(
    name: str, work: Callable[..., Check | tuple[Check, ...]], *given: object
) -> tuple[Check, ...]:
    """The checks of ``work``, or an undecided one with the reason why they cannot run."""
    try:
        found = work(*given)
        return found if isinstance(found, tuple) else (found,)
    except ValueError as error:
        return (check(name, float("nan"), float("nan"), None, str(error)),)
