"""Pairs of variant and baseline whose attributions say nothing, found by trying them."""

import torch
from torch import Tensor

from foldproof.models.normalizers import WindowNormalizer, resolve
from foldproof.tasks.attribute.baselines.catalogue import BaselineInputs, baseline_of
from foldproof.tasks.attribute.baselines.sampling import cut

FIRST = 0.01
"""The part of the way that must not hold nearly all of the change."""
SHARE = 0.5
"""Share of the network's way that may lie in the first part: 50 times an even pace."""
DAYS, SYMBOLS, FEATURES, LENGTH = 400, 6, 2, 12
"""Of the white noise that a pair is tried on."""


def degenerate(variant: str, baseline: str) -> str:
    """Why attributions of ``variant`` against ``baseline`` say nothing; '' where they may.

    A window normalizer that divides by the window's spread sees the same window all along the way
    from one that is constant in time: f(0.01 x) = f(x). The whole forecast is then won on the first
    steps of the way, where slopes are as steep as epsilon lets them, and where no data are. It is
    found by sending white noise along the way, not by the normalizer's name.

    Args:
        variant: Key of VARIANTS, or ``package.module:attribute``.
        baseline: Key of :data:`~tasks.attribute.baselines.BASELINES`.

    Raises:
        ValueError: There is no such variant or baseline.
    """
    ground = noise()
    start = baseline_of(baseline, ground)
    make = resolve(variant).window
    if make is None:
        return ""
    normalizer = make(FEATURES).to(start.dtype).eval()
    windows = cut(ground.values, ground.samples, LENGTH)
    return reason(normalizer, windows, start)


def reason(normalizer: WindowNormalizer, windows: Tensor, start: Tensor) -> str:
    """What :func:`degenerate` says of ways (B, T, F) from ``start`` to ``windows``."""
    with torch.no_grad():
        seen = [normalizer(start + place * (windows - start))[0] for place in (0.0, FIRST, 1.0)]
        lifted = normalizer(start + 1)[0]
    gone = float((seen[1] - seen[0]).norm() / (seen[2] - seen[0]).norm())
    if gone > SHARE:
        return (
            f"the window is divided by its own spread, and the baseline hardly varies along time: "
            f"{gone:.0%} of the way to the window lie in its first {FIRST:.0%}, far from any data; "
            "take observed windows, such as train_draw or cs_median"
        )
    if torch.allclose(lifted, seen[0], atol=1e-6) and still(start):
        return (
            "the level of the window is taken out and the baseline does not vary along time: every "
            "such baseline is the same one, so that agreement between them says nothing; take "
            "observed windows, such as train_draw or cs_median"
        )
    return ""


def still(start: Tensor) -> bool:
    """Whether windows (B, T, F) are constant along time, up to a twentieth of unit scale."""
    return bool(start.std(1, correction=0).max() < 0.05)


def noise() -> BaselineInputs:
    """White noise of unit scale: a panel as networks are fed, with a quarter of it held out."""
    generator = torch.Generator().manual_seed(0)
    values = torch.randn(DAYS, SYMBOLS, FEATURES, generator=generator, dtype=torch.float64)
    held = torch.arange(DAYS * 3 // 4, DAYS, 7)
    samples = (torch.arange(SYMBOLS).unsqueeze(1) * DAYS + held).flatten()
    everyone = torch.ones(DAYS, SYMBOLS, dtype=torch.bool)
    return BaselineInputs(values, everyone, samples, LENGTH, range(DAYS * 3 // 4), generator)
