"""Jacobian causality: the share of a forecast's derivatives that lies on rows dated later."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from foldproof.tasks.diagnose.findings.catalogue import DIAGNOSTICS
from foldproof.tasks.diagnose.findings.finding import Finding, Witness
from foldproof.tasks.diagnose.findings.verdicts import exact_finding, unknown_finding
from foldproof.tasks.diagnose.network.batch import ONE_DATE, STEPS, FiniteDifferences, TestBatch
from foldproof.tasks.diagnose.network.calls import gradients
from foldproof.tasks.diagnose.network.coupling import some

OUTPUTS = 32
"""Number of outputs to differentiate, one backward pass each."""
ROUNDING = 64.0
"""Shares up to this many machine epsilons are rounding if no finite perturbation moves an output:
sums that cancel, as in a transform and its inverse, leave such derivatives behind."""
TEST = DIAGNOSTICS["jacobian"]


@dataclass(frozen=True)
class Mass:
    """Sums of the absolute derivatives of some outputs with respect to groups of rows.

    Attributes:
        later: Samples dated later.
        steps: Later steps of the output's own window; 0 unless outputs are one per step.
        others: All other samples, whatever their date.
        total: All rows.
        top: The largest derivative with respect to a later row.
        witness: Where that is.
        ahead: Look-ahead of the farthest later row with a derivative, in dates of the batch.
    """

    later: float
    steps: float
    others: float
    total: float
    top: float = 0.0
    witness: Witness | None = None
    ahead: int = 0

    @classmethod
    def sum(cls, masses: Sequence["Mass"]) -> "Mass":
        """The sums over all outputs, with the largest derivative and the farthest look-ahead."""
        later, steps, others, total = (
            sum(getattr(mass, name) for mass in masses)
            for name in ("later", "steps", "others", "total")
        )
        top, ahead = max(masses, key=lambda mass: mass.top), max(mass.ahead for mass in masses)
        return cls(later, steps, others, total, top.top, top.witness, ahead)

    @property
    def share(self) -> float:
        """Share of the absolute derivatives that lies on later rows."""
        return (self.later + self.steps) / self.total


def jacobian(batch: TestBatch, differences: FiniteDifferences) -> Finding:
    r"""Differentiate outputs with respect to every row of the batch.

    .. math:: \varphi = \sum_i \sum_{j: d_j > d_i} |\partial f_i / \partial x_j| \Big/
        \sum_i \sum_j |\partial f_i / \partial x_j|

    For outputs that are one per step, later steps of the own window count as later too.
    Derivatives with respect to samples of the same date are not look-ahead.

    .. warning::

        Detached statistics, ranks and rounding have no derivative, whatever they depend on. CLEAN
        says only that no derivative leads to a later row.

    Args:
        batch: The module and its batch of at most a few thousand samples.
        differences: Results of finite perturbations; the finding says where they disagree.

    Raises:
        ValueError: Outputs or derivatives are not finite.
    """
    with gradients():
        masses = list(_masses(batch, differences.steps is not None))
    mass = Mass.sum(masses)
    reason = "the outputs have no derivative" if mass.total == 0 else ""
    if batch.one_date and differences.steps is None and mass.others > 0:
        reason = ONE_DATE
    if reason:
        return unknown_finding(TEST.key, batch.stage, reason, "nothing", counts=False)
    rounding = ROUNDING * torch.finfo(batch.windows.dtype).eps
    return exact_finding(
        TEST.key,
        batch.stage,
        mass.share,
        f"derivatives of {len(masses)} outputs with respect to {len(batch.dates)} windows",
        leak=_leak_detail(mass),
        clean=_clean_detail(mass, differences.any),
        witness=mass.witness,
        threshold=TEST.threshold if differences.any else rounding,
        counts=batch.counts,
        ahead=mass.ahead if mass.later > 0 else None,
    )


def _masses(batch: TestBatch, per_step: bool) -> Iterator[Mass]:
    """Sums for some samples, evenly spread, and with ``per_step`` for some of their steps."""
    windows = batch.windows.detach().clone().requires_grad_()
    length = windows.shape[1] if per_step else 1
    outputs = batch.one_each(batch.traced(windows), length)  # (B, 1) or (B, T)
    steps = some(torch.arange(length), STEPS).tolist()
    for sample in some(torch.arange(len(outputs)), OUTPUTS // len(steps)).tolist():
        for step in steps:
            slopes = _slopes(outputs[sample, step], windows)
            yield _mass(batch, slopes, sample, step if per_step else None)


def _slopes(output: Tensor, windows: Tensor) -> Tensor:
    """Absolute derivatives (B, T, F) of one output; 0 where the graph is cut.

    Raises:
        ValueError: They are not finite.
    """
    slopes = None
    if output.requires_grad:
        (slopes,) = torch.autograd.grad(output, windows, retain_graph=True, allow_unused=True)
    slopes = torch.zeros_like(windows) if slopes is None else slopes.abs()
    if not bool(slopes.isfinite().all()):
        raise ValueError("derivatives are not finite")
    return slopes.detach()


def _mass(batch: TestBatch, slopes: Tensor, sample: int, step: int | None) -> Mass:
    """Sum up ``slopes`` (B, T, F) of the output of ``sample`` at ``step``."""
    ahead = torch.zeros(slopes.shape[:2], dtype=torch.bool, device=slopes.device)  # (B, T)
    ahead[batch.dates > batch.dates[sample]] = True
    later = float(slopes[ahead].sum())
    own = slopes[sample, step + 1 :] if step is not None else slopes[sample, :0]
    if step is not None:
        ahead[sample, step + 1 :] = True
    total = float(slopes.sum())
    others = float(slopes.flatten(1).sum(1)[torch.arange(len(slopes)) != sample].sum())
    hidden = slopes.masked_fill(~ahead.view(*ahead.shape, *[1] * (slopes.ndim - 2)), 0.0)
    top = float(hidden.max())
    if top == 0:
        return Mass(later, float(own.sum()), others, total)
    present = batch.dates.unique()
    farthest = batch.dates[hidden.flatten(1).amax(1) > 0].max()
    between = (present > batch.dates[sample]) & (present <= farthest)
    witness = _witness(batch, hidden, sample, step)
    return Mass(later, float(own.sum()), others, total, top, witness, int(between.sum()))


def _witness(batch: TestBatch, hidden: Tensor, sample: int, step: int | None) -> Witness:
    """The output, and the later row with the largest derivative."""
    other, row = (int(place) for place in torch.unravel_index(hidden.argmax(), hidden.shape)[:2])
    where = f"{batch.name(other)} of {batch.texts[other]}, step {row + 1}"
    return Witness(
        date=batch.texts[sample],
        symbol=batch.name(sample) + ("" if step is None else f", step {step + 1}"),
        column=f"derivative {float(hidden.max()):.3g} to {where}",
    )


def _leak_detail(mass: Mass) -> str:
    """The shares of the derivatives on later samples and on later steps."""
    samples = f"{mass.later / mass.total:.2g} on samples dated later"
    steps = f"{mass.steps / mass.total:.2g} on later steps of the own window"
    parts = [text for text, size in ((samples, mass.later), (steps, mass.steps)) if size > 0]
    return f"share of the absolute derivatives: {' and '.join(parts)}"


def _clean_detail(mass: Mass, confirmed: bool) -> str:
    """That no derivative leads to a later row, and whether finite perturbations agree."""
    if confirmed:
        return (
            "gradients to later rows are zero, but perturbing those rows moves outputs: the path "
            "is detached or has no derivative, such as a rank"
        )
    if mass.share > 0:
        return "derivatives to later rows are rounding, and perturbing those rows moves no output"
    return "no derivative leads to a later row; paths without a derivative are not covered"
