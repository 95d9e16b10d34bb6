"""Pairs of variant and baseline whose attributions are meaningless, found by experiment."""

import torch
from torch import Tensor

from foldproof.models.normalizers import WindowNormalizer, resolve, window_variants
from foldproof.tasks.attribute.baselines.catalogue import BaselineInputs, baseline_of
from foldproof.tasks.attribute.baselines.sampling import cut

FIRST = 0.01
"""The first part of the path, which must not contain most of the change."""
SHARE = 0.5
"""Largest share of the change in the first part: 50 times an even pace."""
DAYS, SYMBOLS, FEATURES, LENGTH = 400, 6, 2, 12
"""Size of the white-noise panel that a pair is tested on."""


def degenerate(variant: str, baseline: str) -> str:
    """Why attributions of ``variant`` against ``baseline`` are meaningless; '' if they are not.

    A window normalizer that divides by the window's spread or last value returns the same window
    all along the path from a baseline that is constant in time: f(0.01 x) = f(x). The whole
    forecast then arises on the first steps of the path, where the slopes depend on epsilon and
    there are no data. The function finds this by sending white noise along the path, not by the
    normalizer's name.

    Args:
        variant: Key of VARIANTS, or ``package.module:attribute``.
        baseline: Key of :data:`~foldproof.tasks.attribute.BASELINES`.

    Raises:
        ValueError: Unknown variant or baseline.
    """
    inputs = white_noise()
    start = baseline_of(baseline, inputs)
    windows = cut(inputs.values, inputs.samples, LENGTH)
    for one in window_variants(resolve(variant)):
        normalizer = one.window_for(FEATURES, LENGTH)
        if normalizer is not None:
            why = reason(normalizer.to(start.dtype).eval(), windows, start)
            if why:
                return why
    return ""


def reason(normalizer: WindowNormalizer, windows: Tensor, start: Tensor) -> str:
    """The reason of :func:`degenerate` for paths (B, T, F) from ``start`` to ``windows``."""
    with torch.no_grad():
        before, early, after = (
            normalizer(start + place * (windows - start))[0] for place in (0.0, FIRST, 1.0)
        )
        lifted = normalizer(start + 1)[0]
    gone = float((early - before).norm() / (after - before).norm())
    if gone > SHARE:
        return (
            f"the window is divided by its own scale, and the baseline hardly varies in time: "
            f"{gone:.0%} of the change falls on the first {FIRST:.0%} of the path, far from any "
            "data; use observed windows, such as train_draw or cs_median"
        )
    constant = start.std(1, correction=0).max() < 0.05  # in time, up to a twentieth of unit scale
    if constant and torch.allclose(lifted, before, atol=1e-6):
        return (
            "the level of the window is removed and the baseline does not vary in time: all such "
            "baselines are equivalent, so their agreement means nothing; use observed "
            "windows, such as train_draw or cs_median"
        )
    return ""


def white_noise() -> BaselineInputs:
    """White noise of unit scale: a normalized panel, the last quarter of it held out."""
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(DAYS, SYMBOLS, FEATURES, generator=generator, dtype=torch.float64)
    held = torch.arange(DAYS * 3 // 4, DAYS, 7)
    samples = (torch.arange(SYMBOLS).unsqueeze(1) * DAYS + held).flatten()
    everyone = torch.ones(DAYS, SYMBOLS, dtype=torch.bool)
    return BaselineInputs(values, everyone, samples, LENGTH, range(DAYS * 3 // 4), generator)
