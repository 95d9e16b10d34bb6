"""The catalogue of normalizations as parameters of tests in other rooms.

Variants outside the default comparison are marked slow there: each of these tests trains a unit.
"""

from collections.abc import Iterable

import pytest

from foldproof.conf.load import load
from foldproof.models.normalizers import VARIANTS


def parameters(names: Iterable[str]) -> list[object]:
    """The names, those outside the default comparison marked slow."""
    default = load("sp500").variants
    return [n if n in default else pytest.param(n, marks=pytest.mark.slow) for n in names]


EVERY_VARIANT = parameters(VARIANTS)

INPUTS = [
    pytest.param(name, marks=pytest.mark.slow)
    if name in ("rolling_robust_zscore", "score_driven")
    else name
    for name, one in VARIANTS.items()
    if one.input
]
"""The variants with an input normalizer; those that take long are marked slow."""
STEEP = tuple(name for name, one in VARIANTS.items() if one.positive)
"""Resolved for prices, but not on features around 0, which the tests have: they divide by them."""

BATCH = [
    name
    for name, one in VARIANTS.items()
    if one.training_coupling == "batch" and name != "causal_batch_norm"
]
"""The variants that in training normalize by the later samples of the batch too."""

RESOLVED = parameters(name for name, one in VARIANTS.items() if not one.kinks and name not in STEEP)
"""The variants whose integrated gradients add up on features of either sign."""
