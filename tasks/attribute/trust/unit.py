"""What one trained unit tells about its own attribution."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from torch import Generator, Tensor

from tasks.attribute.gradients import ForwardOf, frozen
from tasks.attribute.integrated import path_integral
from tasks.attribute.resolved import resolved_paths
from tasks.attribute.sampling import draw, spread_samples
from tasks.attribute.trust.cascade import cascade
from tasks.attribute.trust.check import Check
from tasks.attribute.trust.complete import completeness
from tasks.attribute.trust.faithful import faithfulness
from tasks.attribute.trust.perturbed import Attribute
from tasks.attribute.trust.randomized import model_randomization
from tasks.attribute.trust.removal import Removal, thinned_dates
from tasks.attribute.trust.responsive import infidelity_check, sensitivity_check
from tasks.attribute.trust.spec import TrustSpec
from tasks.attribute.unit import Scene, scene_of
from tasks.data.panel import Panel
from tasks.train import TrainedUnit

Method = Callable[[Tensor, bool], Attribute]
"""Baselines (B, T, F) -> the attribution of a forward and of windows (B, T, F), as reported (True)
or just good enough for a ranking or a comparison (False)."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """What the checks of a unit look at.

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


def integrated(nodes: int, coarse: int) -> Method:
    """Integrated gradients as a method: nodes as reported (raised where needed) and coarse ones."""

    def method(baseline: Tensor, reported: bool) -> Attribute:
        def attribute(forward: ForwardOf, inputs: Tensor) -> Tensor:
            if reported:
                return resolved_paths(forward, inputs, baseline, nodes).attributions.to(inputs)
            with frozen(forward):
                return path_integral(forward, inputs, baseline, coarse)[0]

        return attribute

    return method


def importance_of(attributions: Tensor, lags: Literal["net", "gross"] = "net") -> np.ndarray:
    """(F,) mean over samples of attributions (B, T, F): size of the lags' sum, or sum of sizes."""
    by_feature = attributions.abs().sum(1) if lags == "gross" else attributions.sum(1).abs()
    return by_feature.mean(0).cpu().numpy()


def trust_unit(
    trained: TrainedUnit,
    panel: Panel,
    spec: TrustSpec = TrustSpec(),  # noqa: B008  # frozen
    *,
    method: Method | None = None,
) -> tuple[Check, ...]:
    """Completeness, model randomization, comprehensiveness, sufficiency, infidelity, sensitivity.

    Args:
        trained: The unit; its seed is that of all draws.
        panel: The panel that it was trained on.
        spec: How much is spent.
        method: What is checked; None for integrated gradients from training windows, as
            :func:`~tasks.attribute.attribute_unit` takes them.

    Raises:
        ValueError: As :func:`~tasks.attribute.attribute_unit`; or no date of the test block has
            three complete windows, or there are fewer than two features.
    """
    generator = torch.Generator().manual_seed(trained.unit.seed)
    evidence = evidence_of(scene_of(trained, panel), spec, generator)
    chosen = method or integrated(spec.nodes, spec.coarse)
    return checks_of(evidence, spec, generator, chosen)


def evidence_of(scene: Scene, spec: TrustSpec, generator: Generator) -> Evidence:
    """Samples, baselines, networks with new weights and cross-sections of a unit."""
    panel, trained = scene.panel, scene.trained
    days = len(panel.dates)
    chosen = spread_samples(scene.test, spec.samples, generator)
    new = cascade(trained, len(panel.features), spec.networks)
    whole = thinned_dates(scene.test, days, spec.dates, spec.cells, generator)
    return Evidence(
        scene.forward(chosen),
        scene.windows(chosen),
        scene.windows(draw(scene.train, len(chosen), generator)),
        {
            stage: tuple(with_weights(scene, weights).forward(chosen) for weights in networks)
            for stage, networks in new.items()
        },
        Removal(
            scene.forward(whole),
            scene.windows(whole),
            scene.windows(draw(scene.train, len(whole), generator)),
            whole.numpy() % days,
        ),
        panel.target[whole.numpy() % days, whole.numpy() // days].astype(np.float64),
    )


def with_weights(scene: Scene, weights: dict[str, np.ndarray]) -> Scene:
    """The scene of the same unit with other weights."""
    return replace(scene, trained=replace(scene.trained, weights=weights))


def checks_of(
    evidence: Evidence, spec: TrustSpec, generator: Generator, method: Method
) -> tuple[Check, ...]:
    """The checks of one method on the evidence."""
    forward, inputs, baseline = evidence.forward, evidence.inputs, evidence.baseline
    fine, coarse = method(baseline, True), method(baseline, False)
    attributions = fine(forward, inputs)
    importance = importance_of(attributions, spec.lags)
    return (
        completeness(forward, inputs, baseline, attributions),
        model_randomization(
            importance,
            {
                stage: [importance_of(coarse(new, inputs), spec.lags) for new in networks]
                for stage, networks in evidence.randomized.items()
            },
        ),
        *faithfulness(
            evidence.removal,
            importance,
            evidence.target,
            most_steps=spec.steps,
            most_orders=spec.orders,
        ),
        infidelity_check(forward, inputs, baseline, attributions, spec.perturbations, generator),
        sensitivity_check(coarse, forward, inputs, spec.moves, generator),
    )
