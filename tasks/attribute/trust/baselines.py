"""The same attribution against other baselines: does the ranking of features hold?"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch

from foldproof.tasks.attribute.baselines.catalogue import BaselineInputs, baseline_of
from foldproof.tasks.attribute.baselines.degenerate import degenerate
from foldproof.tasks.attribute.baselines.sampling import spread_samples
from foldproof.tasks.attribute.methods.adaptive import resolved_paths
from foldproof.tasks.attribute.methods.question import answer_of
from foldproof.tasks.attribute.unit.inputs import unit_inputs
from foldproof.tasks.attribute.unit.tables import COLUMNS
from foldproof.tasks.data.panel import Panel
from foldproof.tasks.statistics.agreement import rank_agreement
from foldproof.tasks.train import TrainedUnit


def rebased(
    trained: TrainedUnit, panel: Panel, names: Sequence[str], samples: int, nodes: int
) -> pd.DataFrame:
    """Kendall's tau of the features' net importances by integrated gradients and baselines.

    A baseline is a hidden setting of every path method (Sturmfels, Lundberg & Lee 2020, Distill):
    what holds against one only is of the baseline's making. A pair of variant and baseline that
    says nothing is refused, with the reason.

    Args:
        trained: The unit.
        panel: The panel that it was trained on.
        names: Keys of :data:`~tasks.attribute.baselines.BASELINES`; the others are held against
            the first.
        samples: Test windows at most.
        nodes: Gauss-Legendre nodes, doubled where attributions do not add up.

    Returns:
        variant, fold, seed, baseline, against, tau (NaN where refused), unresolved (share of
        samples whose attributions do not add up), reason (empty where it was not refused).

    Raises:
        ValueError: As :func:`~tasks.attribute.attribute_unit`; no such baseline.
    """
    scene, unit = unit_inputs(trained, panel), trained.unit
    generator = torch.Generator().manual_seed(unit.seed)
    chosen = spread_samples(scene.test, samples, generator)
    member = torch.from_numpy(np.array(panel.member))
    forward, inputs = scene.forward(chosen), scene.windows(chosen)
    ground = BaselineInputs(
        scene.scaled.values, member, chosen, unit.network.window, unit.fold.train, generator
    )  # fmt: skip
    importances, rows = {}, []
    for name in names:
        reason = degenerate(unit.variant, name)
        unresolved = tau = float("nan")
        if not reason:
            paths = resolved_paths(forward, inputs, baseline_of(name, ground).to(inputs), nodes)
            importances[name] = answer_of(paths.attributions).net
            unresolved = paths.unresolved
        if names[0] in importances and name in importances:
            tau = rank_agreement(importances[names[0]], importances[name])
        who = (unit.variant, unit.fold.number, unit.seed)
        rows.append((*who, name, names[0], tau, unresolved, reason))
    return pd.DataFrame(rows, columns=list(COLUMNS["baselines"]))
