"""Completeness split: do integrated gradients explain a forecast by its own window?"""

from dataclasses import dataclass

import torch
from torch import Tensor

from foldproof.tasks.attribute import integrated_gradients
from foldproof.tasks.diagnose.findings.catalogue import DIAGNOSTICS
from foldproof.tasks.diagnose.findings.finding import Finding, Witness
from foldproof.tasks.diagnose.findings.verdicts import exact_finding, unknown_finding
from foldproof.tasks.diagnose.network.batch import ONE_DATE, FiniteDifferences, TestBatch
from foldproof.tasks.diagnose.network.calls import gradients
from foldproof.tasks.diagnose.network.coupling import PLACES, Move, some, worst

NODES = (20, 60)
"""Quadrature nodes; the second count is used if the first leaves a gap. Smooth networks need 20."""
SHRINKS = 0.5
"""A gap that more nodes reduce below this share is quadrature error: the network has kinks."""
ROUNDING = 1000.0
"""Gaps up to this many machine epsilons are rounding."""
SHARED = 10.0
"""If sample gaps exceed the batch gap by this factor, they cancel in the sum over the
batch: samples share statistics."""
OPEN = 0.01
"""An effect is called detached if derivatives leave more than this share of it unexplained."""
OTHER_SEED = 104_729
"""Keeps the noise different from windows drawn with the same seed: batch statistics would remove
an affine image of the data."""
TEST = DIAGNOSTICS["completeness_split"]


@dataclass(frozen=True)
class Split:
    """Completeness gaps of one path, as shares of the mean change of a forecast.

    Attributes:
        own: Largest gap of a sample: its attributions less the change of its forecast.
        whole: Gap of the batch: the same for the sum of the forecasts.
        own_shrinks: Whether more nodes reduce ``own``, so that it is quadrature error.
        whole_shrinks: Whether more nodes reduce ``whole``.
    """

    own: float
    whole: float
    own_shrinks: bool = False
    whole_shrinks: bool = False

    def describe(self, floor: float) -> str:
        """What the gaps say about the batch, whatever the dates."""
        sizes = f"gap by sample {self.own:.1e}, of the batch {self.whole:.1e}"
        if self.own <= floor:
            return f"each forecast is explained by its own window ({sizes})"
        if self.own > SHARED * self.whole or (self.whole_shrinks and not self.own_shrinks):
            return f"samples share statistics of the batch ({sizes})"
        if self.own_shrinks:
            return f"the quadrature does not resolve the network, which has kinks ({sizes})"
        return f"something is detached or has no derivative ({sizes})"


def completeness_split(batch: TestBatch, differences: FiniteDifferences) -> Finding:
    r"""Integrate the gradient of the batch's sum on the path from other windows to the given ones.

    .. math:: g_i = \Big| \int_0^1 \partial_{x_i} \textstyle\sum_k f_k \cdot \dot x_i \, d\alpha
        - \Delta f_i \Big|, \quad G = \Big| \sum_i \pm g_i \Big|

    If a forecast depends on its own window alone, both gaps are at the floor of the quadrature.
    If samples share statistics, the gap of a sample is large and that of the batch is not. If a
    statistic is detached, both are large (captum takes the same gradient of the sum).

    These gaps do not separate past from future: same-date statistics have the same effect. So the
    windows dated after a cut are then changed alone. Forecasts dated up to the cut have no
    attributions on that path, so their gap is the effect of later dates. That gap is the value.

    Args:
        batch: The module and its batch.
        differences: Results of finite perturbations; unused, since the path to other windows is
            itself one.

    Raises:
        ValueError: Inputs, outputs or gradients are not finite, or nothing is differentiable.
    """
    start = elsewhere(batch.windows, batch.seed)
    change = (_forecasts(batch, batch.windows) - _forecasts(batch, start)).abs().mean()
    if change == 0:
        reason = "no forecast changes when all windows do"
        return unknown_finding(TEST.key, batch.stage, reason, "nothing", counts=False)
    threshold = max(TEST.threshold, batch.tolerance)
    floor = max(TEST.threshold, ROUNDING * torch.finfo(batch.windows.dtype).eps)
    split = refined(batch, start, float(change), floor)
    gaps = split.describe(floor)
    if batch.one_date and split.own > floor:
        reason = f"{ONE_DATE}; {gaps}"
        return unknown_finding(TEST.key, batch.stage, reason, "nothing", counts=False)
    later = _later_effect(batch, start, float(change))
    detached = later.size > threshold and _unexplained(batch, start, later) > OPEN
    path = "beyond derivatives" if detached else "through derivatives"
    harmless = ", so this is not look-ahead" if split.own > floor else ""
    return exact_finding(
        TEST.key,
        batch.stage,
        split.own if batch.one_date else later.size,
        f"{len(batch.dates)} samples of {len(batch.dates.unique())} dates, {NODES[0]} nodes; then "
        "windows dated after each of some dates alone",
        leak=f"{gaps}; later dates move forecasts by {later.size:.2g} of their change, {path}",
        clean=f"{gaps}; later dates move no forecast{harmless}",
        witness=_witness(batch, later),
        threshold=floor if batch.one_date else threshold,
        counts=batch.counts,
    )


def elsewhere(windows: Tensor, seed: int) -> Tensor:
    """Random windows with each feature's mean and 1.5 times its sd: the path stays near the data.

    Raises:
        ValueError: Windows are not floating-point.
    """
    if not windows.is_floating_point():
        raise ValueError(f"windows must be floating-point; they are {windows.dtype}")
    generator = torch.Generator().manual_seed(seed + OTHER_SEED)
    noise = torch.randn(windows.shape, generator=generator, dtype=windows.dtype)
    spread, mean = torch.std_mean(windows, dim=(0, 1), correction=0)
    return mean + 1.5 * spread * noise.to(windows.device)


def _forecasts(batch: TestBatch, windows: Tensor) -> Tensor:
    """(B,) one number per sample."""
    return batch.one_each(batch.forward(windows, batch.dates))[:, 0]


def attributions_of_sum(batch: TestBatch, start: Tensor, chosen: Tensor, nodes: int) -> Tensor:
    """(B,) attributions of the sum of the forecasts ``chosen`` (B,) bool to each sample's window.

    The batch is integrated as if it were one sample, so it is never split or mixed with others.
    """
    with gradients():
        # clones, as tensors made in inference mode cannot be part of a graph
        windows, first, summed = (part.clone() for part in (batch.windows, start, chosen))

        def batch_sum(points: Tensor) -> Tensor:  # (P, B, T, F) -> (P,)
            sums = [batch.one_each(batch.traced(point))[summed, 0].sum() for point in points]
            return torch.stack(sums)

        attributions, _ = integrated_gradients(
            batch_sum, windows.unsqueeze(0), first.unsqueeze(0), nodes, chunk=1
        )
    return attributions[0].flatten(1).sum(1)


def refined(batch: TestBatch, start: Tensor, unit: float, floor: float) -> Split:
    """Gaps when all windows change, with more nodes if the first leave a gap of the batch."""
    moved = _forecasts(batch, batch.windows) - _forecasts(batch, start)
    everyone = torch.ones_like(batch.dates, dtype=torch.bool)
    sizes = []
    for nodes in NODES:
        gap = (attributions_of_sum(batch, start, everyone, nodes) - moved) / unit
        sizes.append(Split(float(gap.abs().max()), float(gap.sum().abs())))
        if sizes[-1].whole <= floor:
            break
    first, last = sizes[0], sizes[-1]
    return Split(
        last.own, last.whole, last.own < SHRINKS * first.own, last.whole < SHRINKS * first.whole
    )


def _later_effect(batch: TestBatch, start: Tensor, unit: float) -> Move:
    """The largest effect of windows dated after a cut on forecasts dated up to it.

    Its size is a share of the mean change of a forecast when all windows change.
    """
    before, effects = _forecasts(batch, batch.windows), [Move(0.0, 0, 0.0, 0.0)]
    for cut in some(batch.dates.unique()[:-1], PLACES):
        known = batch.dates <= cut
        after = _forecasts(batch, _changed_after(batch, start, cut))
        sizes = (before - after).abs().masked_fill(~known, 0.0)
        top = int(sizes.argmax())
        values = float(before[top]), float(after[top])
        effects.append(Move(float(sizes[top]) / unit, top, *values, int(cut)))
    return worst(effects)


def _changed_after(batch: TestBatch, start: Tensor, cut: Tensor | int) -> Tensor:
    """The windows, with those dated after ``cut`` replaced by ``start``."""
    later = (batch.dates > cut).view(-1, *[1] * (batch.windows.ndim - 1))
    return torch.where(later, start, batch.windows)


def _unexplained(batch: TestBatch, start: Tensor, later: Move) -> float:
    """The share of the changes that attributions to later windows do not explain."""
    known = batch.dates <= later.cut
    mixed = _changed_after(batch, start, later.cut)
    moved = (_forecasts(batch, batch.windows) - _forecasts(batch, mixed))[known]
    share = 0.0
    for nodes in NODES:
        gap = attributions_of_sum(batch, mixed, known, nodes).sum() - moved.sum()
        share = float(gap.abs() / moved.abs().sum())
        if share <= OPEN:
            break
    return share


def _witness(batch: TestBatch, later: Move) -> Witness | None:
    """The forecast that later windows change most; None where they change none."""
    if not later.size:
        return None
    cut = batch.texts[int(torch.nonzero(batch.dates == later.cut)[0])]
    date, name = batch.texts[later.sample], batch.name(later.sample)
    return Witness(cut, date, name, "forecast", later.before, later.after)
