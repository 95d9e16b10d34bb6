"""A panel whose labels mean nothing."""

from dataclasses import replace

import numpy as np

from tasks.data.layout import fingerprint
from tasks.data.panel import Panel


def with_permuted_target(panel: Panel, seed: int) -> Panel:
    """The panel with the known targets of its members exchanged among them within each date.

    What a date's targets are stays; which stock has which does not, and a stock's targets no
    longer overlap from day to day. A network trained on it can learn how targets are distributed
    and nothing of how features forecast them.

    Args:
        panel: Read, not changed.
        seed: Of the permutation; it is part of the new fingerprint.

    Returns:
        A panel with a fingerprint of its own: train units on it afresh.
    """
    generator = np.random.default_rng(seed)
    target = np.array(panel.target)
    for row, open_cells in zip(target, panel.member & np.isfinite(panel.target), strict=True):
        row[open_cells] = generator.permutation(row[open_cells])
    target.flags.writeable = False
    digest = fingerprint([panel.fingerprint, "permuted target", seed], [target])
    return replace(panel, target=target, fingerprint=digest)
