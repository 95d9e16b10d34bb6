"""Panels with another future."""

from dataclasses import replace

import numpy as np
from numpy.random import Generator

from foldproof.tasks.data.panel import Panel
from foldproof.tasks.diagnose.perturb.rows import PERTURBATIONS


def change_panel(panel: Panel, cut: int, name: str, generator: Generator) -> Panel:
    """``panel`` with all that is not known at row ``cut`` removed or changed.

    That is every row after it, and the targets of earlier rows whose label ends later.

    Args:
        panel: Left as it is.
        cut: The last row that stays.
        name: Key of ``PERTURBATIONS``.
        generator: Source of the noise.
    """
    late = ~(panel.label_end <= panel.dates[cut])  # NaT is late
    change = PERTURBATIONS[name].change
    target = np.array(panel.target)
    if change is None:
        target[late] = np.nan
        known = np.where(late, np.datetime64("NaT"), panel.label_end)
        return truncated(replace(panel, target=target, label_end=known), cut + 1)
    values, member = np.array(panel.values), np.array(panel.member)
    for feature in range(values.shape[2]):
        future = values[cut + 1 :, :, feature]
        future[:] = change(future.astype(np.float64).ravel(), generator).reshape(future.shape)
    target[late] = change(target[late].astype(np.float64).ravel(), generator).reshape(
        target[late].shape
    )
    if name == "missing":
        member[cut + 1 :] = False
    return replace(
        panel, values=values, target=target, member=member, fingerprint=f"{panel.fingerprint}*"
    )


def truncated(panel: Panel, rows: int) -> Panel:
    """The first ``rows`` dates of ``panel``."""
    return replace(
        panel,
        dates=panel.dates[:rows],
        values=panel.values[:rows],
        target=panel.target[:rows],
        label_end=panel.label_end[:rows],
        member=panel.member[:rows],
        fingerprint=f"{panel.fingerprint}*",
    )
