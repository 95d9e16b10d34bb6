"""What one trained unit tells about its own attribution."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Literal

import numpy as np
import pandas as pd
import torch
from torch import Generator, Tensor

from foldproof.tasks.attribute.baselines.sampling import draw, spread_samples
from foldproof.tasks.attribute.methods.adaptive import NO_CHANGE, TOLERANCE, resolved_paths
from foldproof.tasks.attribute.methods.catalogue import MAIN
from foldproof.tasks.attribute.methods.integrated import path_integral
from foldproof.tasks.attribute.network.gradients import CHUNK, ForwardOf, eval_mode, outputs_at
from foldproof.tasks.attribute.spec import AttributionSpec
from foldproof.tasks.attribute.trust.catalogue import Check, check
from foldproof.tasks.attribute.trust.faithfulness import Removal, faithfulness, thinned_dates
from foldproof.tasks.attribute.trust.random_weights import cascade, model_randomization
from foldproof.tasks.attribute.trust.retraining import labels_check, noise_check
from foldproof.tasks.attribute.trust.sensitivity import (
    Attribute,
    infidelity_check,
    sensitivity_check,
)
from foldproof.tasks.attribute.trust.spec import TrustSpec
from foldproof.tasks.attribute.trust.stability import stabilities
from foldproof.tasks.attribute.unit.inputs import UnitInputs, unit_inputs
from foldproof.tasks.attribute.unit.tables import COLUMNS, UNIT
from foldproof.tasks.data.panel import Panel
from foldproof.tasks.train import TrainedUnit


def completeness(
    forward: ForwardOf,
    inputs: Tensor,
    baseline: Tensor,
    attributions: Tensor,
    *,
    tolerance: float = TOLERANCE,
    chunk: int = CHUNK,
) -> Check:
    """Share of samples whose attributions do not add up to f(x) - f(x').

    Args:
        forward: Points (P, T, F) and rows of their samples (P,) -> (P,).
        inputs: (B, T, F) windows.
        baseline: (B, T, F) what they are held against.
        attributions: (B, T, F) of the inputs.
        tolerance: Gap in standard deviations of the forecasts that a sample may have.
        chunk: Points per forward pass.

    Raises:
        ValueError: The shapes differ, there is no sample, or a forecast is not finite.
    """
    if not len(inputs) or not inputs.shape == baseline.shape == attributions.shape:
        raise ValueError(
            "completeness needs inputs, baseline and attributions of one shape (B, T, F), B >= 1; "
            f"they are {tuple(inputs.shape)}, {tuple(baseline.shape)}, {tuple(attributions.shape)}"
        )
    with eval_mode(forward):
        observed = outputs_at(forward, inputs, chunk)
        change = observed - outputs_at(forward, baseline, chunk)
    gap = (attributions.flatten(1).sum(1) - change).abs() / spread(observed)
    share = float((~(gap <= tolerance)).double().mean())
    words = (
        f"{share:.1%} of {len(gap)} samples miss by more than {tolerance:g} of the forecasts' "
        f"standard deviation; median {float(gap.median()):.1g}, most {float(gap.max()):.1g}"
    )
    return check("completeness", share, 0.0, share == 0, words)


def spread(forecasts: Tensor) -> Tensor:
    """Standard deviation of the forecasts; where they do not vary, what counts as no change."""
    none = NO_CHANGE * forecasts.abs().max()
    floor = none.clamp_min(torch.finfo(forecasts.dtype).tiny)
    return torch.maximum(forecasts.std(correction=0), floor)


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
            with eval_mode(forward):
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
    evidence = evidence_of(unit_inputs(trained, panel), spec, generator)
    chosen = method or integrated(spec.nodes, spec.coarse)
    return checks_of(evidence, spec, generator, chosen)


def evidence_of(scene: UnitInputs, spec: TrustSpec, generator: Generator) -> Evidence:
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


def with_weights(scene: UnitInputs, weights: dict[str, np.ndarray]) -> UnitInputs:
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


def checked(
    trained: TrainedUnit,
    panel: Panel,
    importance: pd.DataFrame,
    spec: AttributionSpec = AttributionSpec(),  # noqa: B008  # frozen
) -> pd.DataFrame:
    """What one unit tells of its integrated gradients, and several of how stable they are.

    Args:
        trained: The unit that is checked, the newest.
        panel: The panel that it was trained on.
        importance: The table of this name of all units of the variant.
        spec: Which checks that train again are asked for.
    """
    own = importance[importance["method"] == MAIN]
    stable = [one for found in stabilities(own).values() for one in found]
    unit = trained.unit
    mine = own[(own["fold"] == unit.fold.number) & (own["seed"] == unit.seed)]
    again = retrained(trained, panel, mine, spec)
    who = dict(zip(UNIT, (unit.variant, unit.fold.number, unit.seed), strict=True))
    rows = [who | row_of(one) for one in (*told(trained, panel), *stable, *again)]
    return pd.DataFrame(rows, columns=list(COLUMNS["checks"]))


def retrained(
    trained: TrainedUnit, panel: Panel, importance: pd.DataFrame, spec: AttributionSpec
) -> Iterator[Check]:
    """The checks that train the unit again; one that cannot says why it is untold."""
    asked = {
        "canaries": partial(noise_check, trained, panel, spec.canaries),
        "label_randomization": partial(
            labels_check, trained, panel, importance, spec.permuted_labels
        ),
    }
    wanted = {"canaries": spec.canaries, "label_randomization": spec.permuted_labels}
    for name, work in asked.items():
        if wanted[name]:
            yield told_by(name, partial(work, samples=spec.samples, nodes=spec.nodes))


def told_by(name: str, work: Callable[[], Check]) -> Check:
    """The check, or why there is none."""
    try:
        return work()
    except ValueError as error:
        return check(name, float("nan"), float("nan"), None, str(error))


def told(trained: TrainedUnit, panel: Panel) -> tuple[Check, ...]:
    """The checks of one unit; where a block is too thin for them, why completeness is untold."""
    try:
        return trust_unit(trained, panel)
    except ValueError as error:
        nan = float("nan")
        return (check("completeness", nan, nan, None, str(error)),)


def row_of(one: Check) -> dict[str, object]:
    """A check under the table's names."""
    row = asdict(one)
    return {"check": row.pop("name"), **row}
