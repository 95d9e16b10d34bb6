"""Agreement of the feature rankings against several baselines."""

from collections.abc import Sequence

import pandas as pd
import torch

from foldproof.tasks.attribute.baselines.catalogue import BaselineInputs, baseline_of
from foldproof.tasks.attribute.baselines.degenerate import degenerate
from foldproof.tasks.attribute.baselines.sampling import spread_samples
from foldproof.tasks.attribute.methods.adaptive import resolved_gradients
from foldproof.tasks.attribute.methods.question import answer_of
from foldproof.tasks.attribute.unit.inputs import UnitInputs
from foldproof.tasks.attribute.unit.tables import COLUMNS
from foldproof.tasks.statistics.agreement import rank_agreement


def baseline_agreement(
    inputs: UnitInputs, names: Sequence[str], samples: int, nodes: int
) -> pd.DataFrame:
    """Kendall's tau of the features' net importances by integrated gradients across baselines.

    The baseline is a hidden setting of every path method (Sturmfels, Lundberg & Lee 2020, Distill):
    a result that holds against one baseline only is due to the baseline. A degenerate pair of
    variant and baseline is refused, with the reason.

    Args:
        inputs: The unit with its panel.
        names: Keys of :data:`~foldproof.tasks.attribute.BASELINES`; the others are compared with
            the first.
        samples: Test windows at most.
        nodes: Gauss-Legendre nodes, doubled where attributions do not add up.

    Returns:
        variant, fold, seed, baseline, against, tau (NaN where refused), unresolved (share of
        samples whose attributions do not add up), reason (empty where it was not refused).

    Raises:
        ValueError: Unknown baseline.
    """
    unit = inputs.trained.unit
    generator = torch.Generator().manual_seed(unit.seed)
    chosen = spread_samples(inputs.test, samples, generator)
    forward, windows = inputs.forward(chosen), inputs.windows(chosen)
    source = BaselineInputs(
        inputs.scaled.values, inputs.member, chosen, unit.network.window, unit.fold.train, generator
    )
    importances, lines, numbers = {}, [], torch.arange(len(chosen))
    for name in names:
        reason = degenerate(unit.variant, name)
        unresolved = tau = float("nan")
        if not reason:
            baseline = baseline_of(name, source).to(windows)
            paths = resolved_gradients(forward, windows, baseline, nodes, rows=numbers)
            importances[name] = answer_of(paths.attributions).net
            unresolved = paths.unresolved
        if names[0] in importances and name in importances:
            tau = rank_agreement(importances[names[0]], importances[name])
        lines.append((*inputs.key.values(), name, names[0], tau, unresolved, reason))
    return pd.DataFrame(lines, columns=list(COLUMNS["baselines"]))
