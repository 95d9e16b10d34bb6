"""Panels that change after a cut."""

from dataclasses import replace

import numpy as np
from numpy.random import Generator

from foldproof.tasks.data.panel import Panel
from foldproof.tasks.diagnose.perturb.perturbations import PERTURBATIONS


def change_panel(panel: Panel, cut: int, name: str, generator: Generator) -> Panel:
    """``panel`` with everything that is not known at row ``cut`` removed or changed.

    That is every later row, and the targets of earlier rows whose label ends later.

    Args:
        panel: Not modified.
        cut: The last row that is kept as it is.
        name: Key of ``PERTURBATIONS``.
        generator: Source of the noise.
    """
    late = ~(panel.label_end <= panel.dates[cut])  # NaT is late
    change = PERTURBATIONS[name].change
    target, fingerprint = np.array(panel.target), f"{panel.fingerprint}*"
    if change is None:
        target[late] = np.nan
        arrays = {name: getattr(panel, name) for name in ("dates", "values", "member")} | {
            "target": target,
            "label_end": np.where(late, np.datetime64("NaT"), panel.label_end),
        }
        kept = {name: array[: cut + 1] for name, array in arrays.items()}
        return replace(panel, **kept, fingerprint=fingerprint)
    values, member = np.array(panel.values), np.array(panel.member)
    for feature in range(values.shape[2]):
        future = values[cut + 1 :, :, feature]
        future[:] = change(future.astype(np.float64).ravel(), generator).reshape(future.shape)
    known_late = target[late]
    target[late] = change(known_late.astype(np.float64).ravel(), generator).reshape(
        known_late.shape
    )
    if name == "missing":
        member[cut + 1 :] = False
    return replace(panel, values=values, target=target, member=member, fingerprint=fingerprint)
