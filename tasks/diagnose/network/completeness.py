"""T6: do integrated gradients explain a forecast by its own window, or only the whole batch?"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from foldproof.tasks.attribute import integrated_gradients
from foldproof.tasks.diagnose.findings.catalogue import DIAGNOSTICS
from foldproof.tasks.diagnose.findings.finding import Finding, Verdict, Witness
from foldproof.tasks.diagnose.network.batch import ONE_DATE, FiniteDifferences, TestBatch, unknown
from foldproof.tasks.diagnose.network.calls import gradients
from foldproof.tasks.diagnose.network.coupling import PLACES, some

NODES = (20, 60)
"""Quadrature nodes; the second where the first leave a gap. Smooth networks need 20."""
SHRINKS = 0.5
"""A gap that more nodes reduce below this share is the quadrature's: the network has kinks."""
ROUNDING = 1000.0
"""Gaps up to this many machine epsilons are rounding."""
SHARED = 10.0
"""Gaps of samples that many times the batch's cancel in its sum, as those of shared statistics."""
OPEN = 0.01
"""Share of an effect that derivatives must leave unexplained to be called detached."""
OTHER_SEED = 104_729
"""Keeps the noise from being the very numbers that windows were drawn from with the same seed:
batch statistics would take out an affine image of the data."""
TEST = DIAGNOSTICS["completeness_split"]


@dataclass(frozen=True)
class Split:
    """Completeness gaps of one path, as shares of the mean change of a forecast.

    Attributes:
        own: Largest gap of a sample: its attributions less the change of its forecast.
        whole: Gap of the batch: of the sum of the forecasts.
        own_shrinks: More nodes reduce ``own``: it is the quadrature's.
        whole_shrinks: The same of ``whole``.
    """

    own: float
    whole: float
    own_shrinks: bool = False
    whole_shrinks: bool = False


@dataclass(frozen=True)
class Later:
    """What the windows dated after a cut do to forecasts dated up to it, on their own.

    Attributes:
        size: Largest change of a forecast, as share of the mean change when all windows change.
        sample: Whose forecast that is.
        cut: The last date whose windows stay.
        before: The forecast.
        after: The forecast when later windows are others.
        whole: Share of the changes that derivatives leave unexplained.
    """

    size: float = 0.0
    sample: int = 0
    cut: int = 0
    before: float = 0.0
    after: float = 0.0
    whole: float = 0.0


def completeness_split(trial: TestBatch, felt: FiniteDifferences) -> Finding:
    r"""Integrate the gradient of the batch's sum on the way from other windows to the given ones.

    .. math:: g_i = \Big| \int_0^1 \partial_{x_i} \textstyle\sum_k f_k \cdot \dot x_i \, d\alpha
        - \Delta f_i \Big|, \quad G = \Big| \sum_i \pm g_i \Big|

    Where a forecast depends on its own window alone, both are at the floor of the quadrature.
    Where samples share statistics, a sample's gap is large and the batch's is not; where a
    statistic is detached, both are (the gradient of the sum is what captum takes).

    That says nothing of time yet: same-date statistics do the same. So windows dated after a cut
    then move alone. Forecasts dated up to the cut have no attributions of their own on that way,
    and their gap is what later dates do to them: the value, and a leak.

    Args:
        trial: The module and its batch.
        felt: What finite changes have shown; unused, as the way to other windows is one itself.

    Raises:
        ValueError: Inputs, outputs or gradients are not finite, or nothing is differentiable.
    """
    start = elsewhere(trial.windows, trial.seed)
    change = (forecasts(trial, trial.windows) - forecasts(trial, start)).abs().mean()
    if change == 0:
        return unknown(trial, TEST.key, "no forecast changes when all windows do", counts=False)
    threshold = max(TEST.threshold, trial.tolerance)
    floor = max(TEST.threshold, ROUNDING * torch.finfo(trial.windows.dtype).eps)
    split = refined(trial, start, float(change), floor)
    if trial.one_date and split.own > floor:
        return unknown(trial, TEST.key, f"{ONE_DATE}; {words(split, floor)}", counts=False)
    later = later_effect(trial, start, float(change))
    leaks = later.size > threshold
    if leaks:
        later = unexplained(trial, start, later)
    return Finding(
        test=TEST.key,
        stage=trial.stage,
        verdict=Verdict.LEAK if leaks else Verdict.CLEAN,
        evidence="exact",
        statistic=TEST.statistic,
        value=split.own if trial.one_date else later.size,
        threshold=floor if trial.one_date else threshold,
        tested=f"{len(trial.dates)} samples of {len(trial.dates.unique())} dates, {NODES[0]} nodes;"
        " then windows dated after each of some dates alone",
        witness=witness_of(trial, later) if leaks else None,
        detail=f"{words(split, floor)}; {later_words(later, split, leaks, floor)}",
        counts=trial.counts,
    )


def elsewhere(windows: Tensor, seed: int) -> Tensor:
    """Other windows of each feature's mean and 1.5 of its sd, so that the way stays near the data.

    Raises:
        ValueError: Windows are not floating-point.
    """
    if not windows.is_floating_point():
        raise ValueError(f"windows must be floating-point; they are {windows.dtype}")
    generator = torch.Generator().manual_seed(seed + OTHER_SEED)
    noise = torch.randn(windows.shape, generator=generator, dtype=windows.dtype)
    spread, mean = torch.std_mean(windows, dim=(0, 1), correction=0)
    return mean + 1.5 * spread * noise.to(windows.device)


def forecasts(trial: TestBatch, windows: Tensor) -> Tensor:
    """(B,) one number a sample."""
    return trial.one_each(trial.forward(windows, trial.dates))[:, 0]


def way(trial: TestBatch, start: Tensor, watch: Tensor, nodes: int) -> Tensor:
    """(B,) attributions of the sum of the forecasts ``watch`` (B,) bool to each sample's window.

    The batch is integrated as if it were one sample: it is never cut or mixed with other nodes.
    """
    with gradients():
        # clones, as tensors made in inference mode cannot be part of a graph
        batch, first, chosen = (part.clone() for part in (trial.windows, start, watch))

        def batch_sum(points: Tensor) -> Tensor:  # (P, B, T, F) -> (P,)
            sums = [trial.one_each(trial.traced(point))[chosen, 0].sum() for point in points]
            return torch.stack(sums)

        attributions, _ = integrated_gradients(
            batch_sum, batch.unsqueeze(0), first.unsqueeze(0), nodes, chunk=1
        )
    return attributions[0].flatten(1).sum(1)


def refined(trial: TestBatch, start: Tensor, unit: float, floor: float) -> Split:
    """Gaps when all windows move; with more nodes where the first leave the batch's gap open."""
    moved = forecasts(trial, trial.windows) - forecasts(trial, start)
    everyone = torch.ones_like(trial.dates, dtype=torch.bool)
    sizes = []
    for nodes in NODES:
        gap = (way(trial, start, everyone, nodes) - moved) / unit
        sizes.append(Split(float(gap.abs().max()), float(gap.sum().abs())))
        if sizes[-1].whole <= floor:
            break
    first, last = sizes[0], sizes[-1]
    return Split(
        last.own, last.whole, last.own < SHRINKS * first.own, last.whole < SHRINKS * first.whole
    )


def later_effect(trial: TestBatch, start: Tensor, unit: float) -> Later:
    """Where windows dated after a cut do most to forecasts dated up to it."""
    before, effects = forecasts(trial, trial.windows), [Later()]
    for cut in some(trial.dates.unique()[:-1], PLACES):
        known = trial.dates <= cut
        after = forecasts(trial, from_date(trial, start, cut))
        sizes = (before - after).abs().masked_fill(~known, 0.0)
        top = int(sizes.argmax())
        effects.append(
            Later(float(sizes[top]) / unit, top, int(cut), float(before[top]), float(after[top]))
        )
    return max(effects, key=lambda effect: effect.size)


def from_date(trial: TestBatch, start: Tensor, cut: Tensor | int) -> Tensor:
    """The windows, with those dated after ``cut`` as in ``start``."""
    later = (trial.dates > cut).view(-1, *[1] * (trial.windows.ndim - 1))
    return torch.where(later, start, trial.windows)


def unexplained(trial: TestBatch, start: Tensor, later: Later) -> Later:
    """``later`` with the share of its changes that attributions to later windows leave open."""
    known = trial.dates <= later.cut
    mixed = from_date(trial, start, later.cut)
    moved = (forecasts(trial, trial.windows) - forecasts(trial, mixed))[known]
    share = 0.0
    for nodes in NODES:
        gap = way(trial, mixed, known, nodes).sum() - moved.sum()
        share = float(gap.abs() / moved.abs().sum())
        if share <= OPEN:
            break
    return replace(later, whole=share)


def witness_of(trial: TestBatch, later: Later) -> Witness:
    """The forecast that later windows change most."""
    cut = trial.texts[int(torch.nonzero(trial.dates == later.cut)[0])]
    date, name = trial.texts[later.sample], trial.name(later.sample)
    return Witness(cut, date, name, "forecast", later.before, later.after)


def words(split: Split, floor: float) -> str:
    """What the gaps say of the batch, whatever the dates."""
    sizes = f"gap by sample {split.own:.1e}, of the batch {split.whole:.1e}"
    if split.own <= floor:
        return f"each forecast is explained by its own window ({sizes})"
    if split.own > SHARED * split.whole or (split.whole_shrinks and not split.own_shrinks):
        return f"samples share statistics of the batch ({sizes})"
    if split.own_shrinks:
        return f"the quadrature does not resolve the network, which has kinks ({sizes})"
    return f"something is detached or has no derivative ({sizes})"


def later_words(later: Later, split: Split, leaks: bool, floor: float) -> str:
    """What later dates do, and whether derivatives explain it."""
    if leaks:
        part = "beyond derivatives" if later.whole > OPEN else "through derivatives"
        return f"later dates move forecasts by {later.size:.2g} of their change, {part}"
    if split.own > floor:
        return "later dates move nothing: no leak in time"
    return "later dates move nothing"
