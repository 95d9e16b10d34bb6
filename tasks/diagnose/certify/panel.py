"""The small panel on which variants are certified, a degenerate copy of it, and its fold."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from foldproof.tasks.data.panel import Panel
from foldproof.tasks.split.fold import Fold

DATES, SYMBOLS, FEATURES = 400, 9, 4
TRAIN, VALIDATION, TEST = range(289), range(290, 319), range(320, DATES)
"""Purged: the label of a row is known on the next one."""
LONE_DATES = (100, 200, 350, 360)
"""Dates of the degenerate panel with one member: two in the training block, two in the test."""
NAMES = "noise", "price", "tied", "small"
"""Features of the panel, which combinations by group of features name."""
LONE_SYMBOL, CONSTANT_FEATURE, PRICE = 4, 2, 1


def certification_panel(seed: int = 7) -> Panel:
    """A panel of noise, a price, tied values and a feature of small scale, the target from noise.

    It has missing cells, a late listing, and members that come and go.
    """
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(DATES, SYMBOLS, FEATURES, generator=generator)
    values[..., PRICE] = values[..., PRICE].cumsum(0) + 100
    values[..., CONSTANT_FEATURE] = (values[..., CONSTANT_FEATURE] * 2).round()  # ties
    values[..., 3] *= 1e-3
    target = 0.4 * values[..., 0] + torch.randn(DATES, SYMBOLS, generator=generator)
    values[torch.rand(values.shape, generator=generator) < 0.01] = torch.nan
    values[:50, 3] = torch.nan  # a late listing
    member = torch.rand(DATES, SYMBOLS, generator=generator) < 0.95
    arrays = values.numpy(), target.numpy(), member.numpy()
    return made_panel(f"certification-{seed}", NAMES, *arrays)


def made_panel(
    fingerprint: str,
    features: tuple[str, ...],
    values: np.ndarray,
    target: np.ndarray,
    member: np.ndarray,
) -> Panel:
    """A panel of business days from 2020 on, with labels known on the next day.

    Args:
        fingerprint: What stands for its content.
        features: F names.
        values: (D, S, F) float32.
        target: (D, S) float32.
        member: (D, S) bool.
    """
    days, symbols = member.shape
    dates = np.busday_offset("2020-01-01", np.arange(days), roll="forward")
    return Panel(
        dates=dates,
        symbols=np.array([f"S{number}" for number in range(symbols)]),
        features=features,
        values=values,
        target=target,
        label_end=np.append(dates[1:], np.datetime64("NaT")),
        member=member,
        fingerprint=fingerprint,
    )


def with_positive_features(panel: Panel) -> Panel:
    """The panel with positive features of about 1, a few percent apart, as prices of a window."""
    apart = panel.values - np.nanmean(panel.values, axis=(0, 1))
    values = np.exp(0.05 * apart / np.nanstd(apart, axis=(0, 1)))
    return replace(panel, values=values, fingerprint=f"{panel.fingerprint}-positive")


def with_styles(panel: Panel, styles: Sequence[str], seed: int = 0) -> Panel:
    """The panel with features of noise behind its own, called as the ``styles`` that it lacks.

    It is the panel itself if it lacks none.
    """
    styles = [name for name in styles if name not in panel.features]
    if not styles:
        return panel
    draw = np.random.default_rng(seed).standard_normal((*panel.member.shape, len(styles)))
    values = np.concatenate([panel.values, draw.astype(np.float32)], axis=-1)
    name = f"{panel.fingerprint}-{'-'.join(styles)}"
    return replace(panel, values=values, features=(*panel.features, *styles), fingerprint=name)


def degenerate(panel: Panel) -> Panel:
    """The panel with one feature constant and dates on which one stock is the only member."""
    values, member = np.array(panel.values), np.array(panel.member)
    lone = values[:, LONE_SYMBOL]
    values[:, LONE_SYMBOL] = np.where(np.isnan(lone), np.nanmedian(lone, axis=0), lone)
    values[..., CONSTANT_FEATURE] = 0.1
    for row in LONE_DATES:
        member[row] = False
        member[row, LONE_SYMBOL] = True
    fingerprint = f"{panel.fingerprint}-degenerate"
    return replace(panel, values=values, member=member, fingerprint=fingerprint)


def certification_fold(panel: Panel) -> Fold:
    """The fold of the certification panel."""
    return Fold(0, TRAIN, VALIDATION, TEST, panel.dates)
