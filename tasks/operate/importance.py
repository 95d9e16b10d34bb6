"""Which features carry a registered model's forecasts now, as they were found in training."""

import copy
from datetime import date

import torch
from torch import Tensor

from foldproof.models.normalizers import resolve
from foldproof.models.windows import eligible
from foldproof.tasks.attribute.baselines.sampling import cut, draw, spread_samples
from foldproof.tasks.attribute.methods.adaptive import NODES, resolved_gradients
from foldproof.tasks.attribute.network.forward import coupled_scorer, scorer
from foldproof.tasks.attribute.network.gradients import ForwardOf
from foldproof.tasks.split import Fold
from foldproof.tasks.statistics.agreement import rank_agreement
from foldproof.tasks.train.serving.model import Laid, Served


def importance_of_rows(
    served: Served, laid: Laid, rows: range, training: range, samples: int, seed: int = 0
) -> dict[str, float]:
    """Share of every feature in the integrated gradients of the forecasts of some rows.

    As the attribution of a trained unit: from windows drawn from the training block, in float64,
    the attributions of a feature added over its lags, then the size, averaged over samples (net).

    Args:
        served: The model.
        laid: Its rows.
        rows: Date rows whose forecasts are attributed.
        training: Date rows of its training block.
        samples: Windows at most, spread evenly over ``rows``.
        seed: Seeds the choice of windows.

    Returns:
        Sums to 1; empty where one of both blocks has no whole window, or nothing moves.
    """
    values, member = served.normalized(laid), torch.from_numpy(laid.member)
    here, past = (eligible(values, member, block, served.window) for block in (rows, training))
    if not len(here) or not len(past):
        return {}
    generator = torch.Generator().manual_seed(seed)
    chosen = spread_samples(here, samples, generator)
    baseline = draw(past, len(chosen), generator)
    inputs, start = (cut(values, which, served.window).double() for which in (chosen, baseline))
    forward, numbers = forward_of(served, values, chosen, here), torch.arange(len(chosen))
    paths = resolved_gradients(forward, inputs, start, NODES, rows=numbers)
    sizes = paths.attributions.sum(dim=1).abs().mean(dim=0)  # (F,), net
    total = float(sizes.sum())
    shares = (sizes / total).tolist() if total > 0 else []
    return dict(zip(served.features, shares, strict=True)) if shares else {}


def importance_when_tested(
    served: Served, laid: Laid, fold: Fold, samples: int
) -> dict[str, float]:
    """The same of the forecasts of a fold's test block, from its training block.

    This is what :func:`importance_of_rows` of later rows is compared with.
    """
    test, training = (
        laid.between(*(date.fromisoformat(str(day)) for day in days[[0, -1]]))
        for days in (fold.test_dates, fold.train_dates)
    )
    return importance_of_rows(served, laid, test, training, samples)


def forward_of(served: Served, values: Tensor, chosen: Tensor, everyone: Tensor) -> ForwardOf:
    """The forecast in target units as a function of the windows of ``chosen``.

    Args:
        served: The model; it is copied, for attribution changes its network.
        values: (D, S, F) normalized features.
        chosen: (B,) samples.
        everyone: Samples among which a network that couples those of a date finds companions.
    """
    network, days = copy.deepcopy(served.network).double(), len(values)
    network.requires_grad_(False)
    if network.hidden is None or resolve(served.variant).coupling == "none":
        return scorer(network, chosen % days, served.target_scale)
    rest = everyone[torch.isin(everyone % days, chosen % days) & ~torch.isin(everyone, chosen)]
    together = torch.cat([chosen, rest])
    windows = cut(values, together, served.window).double()
    return coupled_scorer(network, windows, together % days, served.target_scale)


def agreement(one: dict[str, float], other: dict[str, float]) -> float:
    """Kendall's tau of two importances by their common features; NaN where there is no order."""
    names = [name for name in one if name in other]
    first, second = (torch.tensor([which[name] for name in names]) for which in (one, other))
    return rank_agreement(first, second) if len(names) > 1 else float("nan")
