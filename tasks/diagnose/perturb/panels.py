"""Panels that change after a cut."""

from dataclasses import replace

import numpy as np
from numpy.random import Generator

from foldproof.tasks.data.panel import Panel
from foldproof.tasks.diagnose.perturb.perturbations import PERTURBATIONS


def change_panel(
    panel: Panel, cut: int, name: str, generator: Generator, stop: int | None = None
) -> Panel:
    """``panel`` with everything that is not known at row ``cut`` removed or changed.

    That is every later row, and the targets of earlier rows whose label ends later. With ``stop``
    the rows from there on are kept as they are.

    Args:
        panel: Not modified.
        cut: The last row that is kept as it is; -1 for none.
        name: Key of ``PERTURBATIONS``.
        generator: Source of the noise.
        stop: The first later row that is kept; only perturbations that remove no rows have one.
    """
    end = len(panel.dates) if stop is None else stop
    late = np.arange(len(panel.dates)) < end
    if cut >= 0:
        late &= ~(panel.label_end <= panel.dates[cut])  # NaT is late
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
        future = values[cut + 1 : end, :, feature]
        future[:] = change(future.astype(np.float64).ravel(), generator).reshape(future.shape)
    known_late = target[late]
    target[late] = change(known_late.astype(np.float64).ravel(), generator).reshape(
        known_late.shape
    )
    if name == "missing":
        member[cut + 1 : end] = False
    return replace(panel, values=values, target=target, member=member, fingerprint=fingerprint)
