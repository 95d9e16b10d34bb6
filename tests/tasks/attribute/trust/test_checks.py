from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook

from foldproof.models.network import Forecaster
from foldproof.models.normalizers import VARIANTS
from foldproof.tasks.attribute import attribute_unit
from foldproof.tasks.attribute.network.gradients import ForwardOf
from foldproof.tasks.attribute.spec import AttributionSpec
from foldproof.tasks.attribute.trust.catalogue import TRUST, Check
from foldproof.tasks.attribute.trust.checks import (
    Evidence,
    checks_of,
    completeness,
    evidence_of,
    importance_of,
    integrated,
    trust_unit,
)
from foldproof.tasks.attribute.trust.noise_columns import noise_columns_check, with_noise_columns
from foldproof.tasks.attribute.trust.random_weights import label_randomization
from foldproof.tasks.attribute.trust.retraining import with_permuted_target
from foldproof.tasks.attribute.trust.sensitivity import Attribute
from foldproof.tasks.attribute.trust.spec import TrustSpec
from foldproof.tasks.attribute.trust.stability import stabilities
from foldproof.tasks.attribute.unit.inputs import unit_inputs
from foldproof.tasks.data.panel import Panel
from foldproof.tasks.train import TrainedUnit, network_of
from tests.variants import EVERY_VARIANT, STEEP

Fit = Callable[..., TrainedUnit]
SPEC = TrustSpec()


def outcome(checks: tuple[Check, ...]) -> dict[str, bool | None]:
    return {one.name: one.passed for one in checks}


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.fixture(scope="module")
def evidence(wide_panel: Panel, fit: Fit) -> Evidence:
    return evidence_of(unit_inputs(fit(), wide_panel), SPEC, generator())


@pytest.mark.parametrize("variant", ["zscore", "cs_rank", "batch_norm_date", "layer_norm"])
def test_integrated_gradients_of_a_learned_signal_pass_every_check(
    variant: str, wide_panel: Panel, fit: Fit
) -> None:
    found = outcome(trust_unit(unit_inputs(fit(variant), wide_panel)))
    assert list(found) == [
        "completeness", "model_randomization", "comprehensiveness", "sufficiency", "infidelity",
        "sensitivity",
    ]  # fmt: skip
    assert all(found.values()), found


@pytest.mark.parametrize("variant", EVERY_VARIANT)
def test_every_variant_is_checked_in_plain_numbers(
    variant: str, wide_panel: Panel, fit: Fit
) -> None:
    checks = trust_unit(unit_inputs(fit(variant), wide_panel))
    assert {one.name for one in checks} < set(TRUST)
    resolved = not VARIANTS[variant].kinks and variant not in STEEP
    assert checks[0].passed or not resolved, checks[0].detail  # completeness
    for one in checks:
        assert np.isfinite([one.value, one.mark]).all()
        assert np.isnan(one.low) or one.low <= one.value <= one.high
        assert one.detail


def test_the_same_unit_gives_the_same_checks(wide_panel: Panel, fit: Fit) -> None:
    first, again = (trust_unit(unit_inputs(fit(), wide_panel)) for _ in range(2))
    assert repr(first) == repr(again)
    other = trust_unit(unit_inputs(fit(seed=1), wide_panel))
    assert first != other


def passes(work: Callable[[], object]) -> int:
    """Windows that a network saw in ``work``; one whose gradient is taken counts as three."""
    seen: list[int] = []

    def note(module: nn.Module, given: tuple[Tensor, ...], _: object) -> None:
        if isinstance(module, Forecaster):
            seen.append(len(given[0]) * (3 if given[0].requires_grad else 1))

    handle = register_module_forward_hook(note)
    work()
    handle.remove()
    return sum(seen)


def test_the_checks_cost_less_than_the_attribution(wide_panel: Panel, fit: Fit) -> None:
    default = AttributionSpec()
    attribution = passes(
        lambda: attribute_unit(
            unit_inputs(fit(), wide_panel), default.samples, default.nodes, seed=0
        )
    )
    assert 0 < passes(lambda: trust_unit(unit_inputs(fit(), wide_panel))) < 0.8 * attribution


def edges(baseline: Tensor, reported: bool) -> Attribute:
    """The size of the inputs, whatever the model."""
    return lambda forward, inputs: inputs.abs()


def exchanged(baseline: Tensor, reported: bool) -> Attribute:
    """Integrated gradients of other features: complete, of the model, and wrong."""
    honest = integrated(20, 4)(baseline, reported)
    return lambda forward, inputs: honest(forward, inputs)[..., [1, 0, 3, 2, 4, 6, 5, 7]]


def test_an_edge_detector_fails_model_randomization(evidence: Evidence) -> None:
    found = {one.name: one for one in checks_of(evidence, SPEC, generator(), edges)}
    assert found["model_randomization"].value == pytest.approx(1)
    assert found["model_randomization"].passed is False
    assert found["completeness"].passed is False
    assert found["infidelity"].passed is False
    honest = outcome(checks_of(evidence, SPEC, generator(), integrated(20, 4)))
    assert all(honest.values())


def test_permuted_features_fail_removal_and_infidelity(evidence: Evidence) -> None:
    """They add up and depend on the model, so the other checks let them pass."""
    assert outcome(checks_of(evidence, SPEC, generator(), exchanged)) == {
        "completeness": True,
        "model_randomization": True,
        "comprehensiveness": False,
        "sufficiency": False,
        "infidelity": False,
        "sensitivity": True,
    }


def complete(evidence: Evidence, forward: ForwardOf) -> Check:
    """Completeness of a few samples for another forward."""
    few = slice(0, 12)
    inputs, baseline = evidence.inputs[few], evidence.baseline[few]
    attributions = integrated(10, 4)(baseline, True)(forward, inputs)
    return completeness(forward, inputs, baseline, attributions)


def test_a_forecast_coupled_to_its_batch_fails_completeness(wide_panel: Panel, fit: Fit) -> None:
    unit = fit("batch_norm_date")
    clean = evidence_of(unit_inputs(unit, wide_panel), SPEC, generator())
    network = network_of(unit, 8).double().requires_grad_(False)

    def coupled(points: Tensor, rows: Tensor) -> Tensor:
        """All points of a batch as one cross-section."""
        return network(points, torch.zeros_like(rows)) * unit.target_scale

    assert complete(clean, clean.forward).passed
    found = complete(clean, coupled)
    assert found.passed is False
    assert found.value > 0.9


def test_a_detached_statistic_fails_completeness(evidence: Evidence) -> None:
    def whole(points: Tensor, rows: Tensor) -> Tensor:
        return evidence.forward(points - points.mean(1, keepdim=True), rows)

    def detached(points: Tensor, rows: Tensor) -> Tensor:
        return evidence.forward(points - points.mean(1, keepdim=True).detach(), rows)

    assert complete(evidence, whole).passed
    found = complete(evidence, detached)
    assert found.passed is False
    assert found.value > 0.9


def test_revins_bypass_is_no_learned_importance(wide_panel: Panel, fit: Fit) -> None:
    """The level of the first feature comes first in any network with RevIN, trained or not."""
    prepared = unit_inputs(fit("revin"), wide_panel)
    evidence = evidence_of(prepared, replace(SPEC, networks=12), generator())
    *_, new = evidence.randomized.values()
    attribute = integrated(20, 4)(evidence.baseline, False)
    firsts = [int(importance_of(attribute(one, evidence.inputs)).argmax()) for one in new]
    assert np.mean(np.array(firsts) == 0) > 0.8


def test_lags_that_cancel_are_no_learned_importance(wide_panel: Panel, fit: Fit) -> None:
    """For symbols at different levels, instance norm has steep slopes that cancel.

    Their size is the same in any network; their sum over lags depends on the network.
    """
    level = np.random.default_rng(3).standard_normal((12, 8)) * np.geomspace(0.3, 30, 8)[::-1]
    values = wide_panel.values + level.astype(np.float32)
    slow = replace(wide_panel, values=values, fingerprint="slow")
    unit = fit("instance_norm", panel=slow)
    found = {
        lags: {
            one.name: one for one in trust_unit(unit_inputs(unit, slow), replace(SPEC, lags=lags))
        }
        for lags in ("gross", "net")
    }
    assert found["gross"]["model_randomization"].value > 0.8
    assert found["gross"]["model_randomization"].passed is False
    assert abs(found["net"]["model_randomization"].value) < 0.5
    assert found["net"]["model_randomization"].passed


def test_lags_that_cancel_count_in_full_or_not_at_all() -> None:
    attributions = torch.tensor([[[1.0, 2.0], [-1.0, 1.0]], [[3.0, 0.0], [-1.0, -1.0]]])
    np.testing.assert_allclose(importance_of(attributions), [1, 2])
    np.testing.assert_allclose(importance_of(attributions, "gross"), [3, 2])


def test_the_requested_ranking_is_checked(wide_panel: Panel, fit: Fit) -> None:
    marks = [
        trust_unit(unit_inputs(fit(), wide_panel), TrustSpec(lags=lags))
        for lags in ("gross", "net")
    ]
    by_name = [{one.name: one for one in checks} for checks in marks]
    assert by_name[0]["infidelity"] == by_name[1]["infidelity"]
    assert trust_unit(unit_inputs(fit(), wide_panel)) == marks[1]  # net by default
    assert all(outcome(marks[1]).values())


def test_seeds_agree_on_planted_features(wide_panel: Panel, fit: Fit) -> None:
    tables = [
        attribute_unit(unit_inputs(fit(seed=seed, fold=fold), wide_panel), 40, 8, seed=0).importance
        for fold in range(2)
        for seed in range(2)
    ]
    for _, table in pd.concat(tables, ignore_index=True).groupby("method"):
        seeds, folds = stabilities(table)
        assert (seeds.name, folds.name) == ("seed_stability", "fold_stability")
        assert (seeds.passed, folds.passed) == (True, True)
        assert seeds.value > 0.4


def test_a_network_trained_on_permuted_labels_ranks_differently(
    wide_panel: Panel, fit: Fit
) -> None:
    """All features matter, with known weights, so the whole ranking is learned."""
    weights = 0.6 ** np.array([3, 1, 5, 0, 6, 2, 7, 4])
    target = (wide_panel.values * weights).sum(-1).astype(np.float32)
    graded = replace(wide_panel, target=target, fingerprint="graded")

    def importance(unit: TrainedUnit, panel: Panel) -> np.ndarray:
        table = attribute_unit(unit_inputs(unit, panel), 40, 8, seed=0).importance
        return table.query("method == 'integrated_gradients'")["importance"].to_numpy()

    learned = importance(fit(panel=graded), graded)
    panels = [with_permuted_target(graded, seed) for seed in range(4)]
    lost = [importance(fit(seed=9 + n, panel=one), one) for n, one in enumerate(panels)]
    kept = [importance(fit(seed=9 + n, panel=graded), graded) for n in range(2)]
    assert label_randomization(learned, lost).passed
    assert label_randomization(learned, kept).passed is False  # labels that were not permuted


def test_noise_columns_rank_below_planted_features(wide_panel: Panel, fit: Fit) -> None:
    grown, names = with_noise_columns(wide_panel, 12, seed=0)
    rows = attribute_unit(unit_inputs(fit(panel=grown), grown), 40, 8, seed=0).importance
    table = rows.query("method == 'integrated_gradients'").set_index("feature")["importance"]
    found = noise_columns_check(table, names)
    assert found.passed
    assert not {"f1", "f3", "f6"} & set(found.detail.rpartition(": ")[2].split(", "))


def test_invalid_sizes_are_named() -> None:
    with pytest.raises(ValueError, match="samples must be at least 2; it is 1"):
        TrustSpec(samples=1)
    with pytest.raises(ValueError, match="nodes must be at least 1; it is 0"):
        TrustSpec(nodes=0)
