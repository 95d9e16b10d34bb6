"""The catalogue of normalizations as parameters of tests in other rooms.

Variants outside the default comparison are marked slow there: each of these tests trains a unit.
"""

from collections.abc import Iterable

import pytest

from foldproof.conf.load import load
from foldproof.models.normalizers import VARIANTS, InputNormalizer, with_features


def parameters(names: Iterable[str]) -> list[object]:
    """The names, those outside the default comparison marked slow."""
    default = load("sp500").variants
    return [n if n in default else pytest.param(n, marks=pytest.mark.slow) for n in names]


STYLED = ("neutral_zscore",)
"""They need features that are called as styles are."""
EVERY_VARIANT = parameters(name for name in VARIANTS if name not in STYLED)
"""The variants that train on any features."""

INPUTS = [
    pytest.param(name, marks=pytest.mark.slow)
    if name in ("rolling_robust_zscore", "score_driven")
    else name
    for name, one in VARIANTS.items()
    if one.input
]
"""The variants with an input normalizer; those that take long are marked slow."""
NAMES = ("noise", "volatility_63", "tied", "beta_63")
"""Names of the features of the small panel."""


def input_of(name: str) -> InputNormalizer:
    """The input normalizer of a variant for the small panel."""
    normalizer = with_features(VARIANTS[name], NAMES).input
    assert normalizer is not None  # as those of INPUTS
    return normalizer


STEEP = tuple(name for name, one in VARIANTS.items() if one.positive)
"""Resolved for prices, but not on features around 0, which the tests have: they divide by them."""

BATCH = [
    name
    for name, one in VARIANTS.items()
    if one.training_coupling == "batch" and name != "causal_batch_norm"
]
"""The variants that in training normalize by the later samples of the batch too."""

RESOLVED = parameters(
    name for name, one in VARIANTS.items() if not one.kinks and name not in (*STEEP, *STYLED)
)
"""The variants whose integrated gradients add up on features of either sign."""
