"""Which features carry a registered model's forecasts, now and in training."""

import copy
from collections.abc import Mapping
from datetime import date

import torch
from torch import Tensor

from foldproof.models.normalizers import resolve
from foldproof.models.windows import eligible
from foldproof.tasks.attribute.baselines.sampling import cut, draw, spread_samples
from foldproof.tasks.attribute.methods.adaptive import NODES, resolved_gradients
from foldproof.tasks.attribute.network.forward import forward_of
from foldproof.tasks.split import Fold
from foldproof.tasks.statistics.agreement import rank_agreement
from foldproof.tasks.train.serving.model import ModelInputs, Served
from foldproof.tasks.train.serving.training_values import trained_on


def importance_of_rows(
    served: Served, dense: ModelInputs, rows: range, training: range, samples: int, seed: int = 0
) -> dict[str, float]:
    """Share of every feature in the integrated gradients of the forecasts of some rows.

    Computed as in the attribution of a trained unit: in float64, from baseline windows drawn from
    the training block, the attributions of a feature added over its lags, then the absolute value,
    averaged over samples (net importance).

    Args:
        served: The model.
        dense: Its rows as dense arrays.
        rows: Date rows whose forecasts are attributed.
        training: Date rows of its training block.
        samples: Number of windows at most, spread evenly over ``rows``.
        seed: Seeds the choice of windows.

    Returns:
        Shares that sum to 1; empty where one of the blocks has no complete window or all
        attributions are zero.
    """
    values, member = served.normalized(dense), torch.from_numpy(dense.member)
    here, past = (eligible(values, member, block, served.window) for block in (rows, training))
    if not len(here) or not len(past):
        return {}
    generator = torch.Generator().manual_seed(seed)
    chosen = spread_samples(here, samples, generator)
    baseline = draw(past, len(chosen), generator)

    def windows(samples: Tensor) -> Tensor:
        return cut(values, samples, served.window).double()

    network, scale = copy.deepcopy(served.network).double(), served.target_scale
    coupled = resolve(served.variant).coupling != "none"
    forward = forward_of(network, coupled, chosen, here, len(values), windows, scale)
    inputs, start, numbers = windows(chosen), windows(baseline), torch.arange(len(chosen))
    paths = resolved_gradients(forward, inputs, start, NODES, rows=numbers)
    sizes = paths.attributions.sum(dim=1).abs().mean(dim=0)  # (F,), net
    total = float(sizes.sum())
    return dict(zip(served.features, (sizes / total).tolist(), strict=True)) if total > 0 else {}


def importance_when_tested(
    served: Served, dense: ModelInputs, fold: Fold, samples: int
) -> dict[str, float]:
    """Importance in a fold's test block, with baselines from its training block.

    :func:`importance_of_rows` of later rows is compared with it.
    """
    test = dense.between(*(date.fromisoformat(str(day)) for day in fold.test_dates[[0, -1]]))
    return importance_of_rows(served, dense, test, dense.between(*trained_on(fold)), samples)


def agreement(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    """Kendall's tau of two importances on their common features; NaN where there is no order."""
    names = [name for name in one if name in other]
    return rank_agreement([one[name] for name in names], [other[name] for name in names])
