"""Degenerate pairs of variant and baseline: known by hand, found by experiment."""

import pytest
import torch
from torch import Tensor

from foldproof.models.normalizers import VARIANTS, Variant, WindowNormalizer
from foldproof.tasks.attribute.baselines.catalogue import BASELINES
from foldproof.tasks.attribute.baselines.degenerate import degenerate
from foldproof.tasks.attribute.methods.integrated import integrated_gradients
from tests.variants import EVERY_VARIANT

CONSTANT = {"zero", "train_mean", "train_median"}

DEGENERATE = dict.fromkeys(
    ("instance_norm", "revin", "robust_instance_norm", "dain", "bin", "dish_ts", "san"), CONSTANT
) | {"price_relative": {"zero"}}


class Demeaned(WindowNormalizer):
    """Removes the level and keeps the scale."""

    def __init__(self, n_features: int) -> None:
        super().__init__()

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        return x - x.mean(1, keepdim=True), ()


class Halved(WindowNormalizer):
    """Halves the window and keeps its level."""

    def __init__(self, n_features: int) -> None:
        super().__init__()

    def forward(self, x: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        return x / 2, ()


DEMEANED = Variant("demeaned", "x - mean_window", "test", window=Demeaned)
HALVED = Variant("halved", "x / 2", "test", window=Halved)


@pytest.mark.parametrize("baseline", BASELINES)
@pytest.mark.parametrize("variant", EVERY_VARIANT)
def test_only_rescaled_windows_against_constant_baselines_are_degenerate(
    variant: str, baseline: str
) -> None:
    found = degenerate(variant, baseline)
    expected = baseline in DEGENERATE.get(variant, ())
    assert bool(found) is expected
    assert not expected or "of the change falls on the first 1% of the path" in found


@pytest.mark.parametrize("baseline", BASELINES)
def test_a_custom_normalizer_is_tested_like_any_other(baseline: str) -> None:
    found = degenerate(f"{__name__}:DEMEANED", baseline)
    assert bool(found) is (baseline in CONSTANT)
    assert not found or "level of the window is removed" in found
    assert degenerate(f"{__name__}:HALVED", baseline) == ""


def test_a_group_with_a_degenerate_window_makes_the_whole_degenerate() -> None:
    name = "instance_norm(a) & zscore(*)"
    assert "of the change falls on the first 1%" in degenerate(name, "zero")
    assert degenerate(name, "train_draw") == degenerate("zscore(a) & none(*)", "zero") == ""


def test_unknown_names_are_refused() -> None:
    with pytest.raises(ValueError, match="no normalization variant 'instance'"):
        degenerate("instance", "zero")
    with pytest.raises(ValueError, match="no baseline 'nought'"):
        degenerate("zscore", "nought")


def test_a_refused_pair_has_unresolved_attributions() -> None:
    """Attributions of an instance norm stay unresolved against zero only."""
    window = VARIANTS["instance_norm"].window
    assert window is not None
    normalizer = window(2).double()
    x = torch.randn(50, 12, 2, generator=torch.Generator().manual_seed(8), dtype=torch.float64)

    def missed(baseline: Tensor | float) -> float:
        def forward(points: Tensor) -> Tensor:
            return normalizer(points)[0][:, -1].sin().sum(1)

        _, gap = integrated_gradients(forward, x, baseline, 50)
        with torch.no_grad():
            change = forward(x) - forward(torch.as_tensor(baseline).double().expand_as(x))
        return float((gap.abs() / change.std()).median())

    assert missed(x.roll(1, 0)) < 1e-5 < 1e-3 < missed(0.0)
