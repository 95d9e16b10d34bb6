"""The kind of target that a variant trains on: the certification panel with it, and its probe."""

from dataclasses import replace

import numpy as np

from foldproof.models.spec import TargetName
from foldproof.tasks.data.features.target import KINDS, Labels
from foldproof.tasks.data.panel import Panel
from foldproof.tasks.diagnose.certify.measurement import Measurement, compared
from foldproof.tasks.diagnose.certify.panel import PRICE

CUTS = (150, 300)
"""Rows after which returns and prices change."""


def with_target(panel: Panel, kind: TargetName | None) -> Panel:
    """The panel with its target as this kind, from its returns and its price; None changes nothing.

    The returns of non-members are left out, as in a comparison.
    """
    if kind is None:
        return panel
    returns = np.where(panel.member, panel.target, np.nan).astype(np.float64)
    target = labels_of(kind, returns, panel.values[..., PRICE])
    name = f"{panel.fingerprint}-{kind}"
    return replace(panel, target=target.astype(np.float32), fingerprint=name)


def labels_of(kind: TargetName, returns: np.ndarray, price: np.ndarray) -> np.ndarray:
    """(D, S) labels of next day's returns (D, S), with prices (D, S) to scale them by."""
    return KINDS[kind].compute(Labels(returns, price.astype(np.float64), horizon=1))


def own_date_only(kind: TargetName | None, panel: Panel, seed: int) -> Measurement:
    """Whether labels stay the same when all returns and prices of later rows change.

    A label is made from the returns of its own date, and from prices up to this date. It is
    compared to the last bit.
    """
    if kind is None:
        return Measurement("", "settings", True)
    returns = np.where(panel.member, panel.target, np.nan).astype(np.float64)
    price = panel.values[..., PRICE].astype(np.float64)
    before, draw, moved = labels_of(kind, returns, price), np.random.default_rng(seed), 0
    for cut in CUTS:
        later = np.arange(len(returns))[:, None] > cut
        noise = draw.standard_normal((2, *returns.shape))
        after = labels_of(
            kind, np.where(later, noise[0], returns), np.where(later, noise[1] + 50, price)
        )
        same = (before == after) | (np.isnan(before) & np.isnan(after))
        moved += int((~same[: cut + 1]).sum())
    return compared(
        "own date", "later rows" if moved else "own date", float(moved),
        f"labels of {kind} that move when later returns and prices change",
    )  # fmt: skip
