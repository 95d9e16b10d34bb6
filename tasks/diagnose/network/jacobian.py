"""T4: the share of a forecast's derivatives that lies on rows dated later."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor

from foldproof.tasks.diagnose.findings.catalogue import DIAGNOSTICS
from foldproof.tasks.diagnose.findings.finding import Finding, Verdict, Witness
from foldproof.tasks.diagnose.network.batch import (
    ONE_DATE,
    STEPS,
    FiniteDifferences,
    TestBatch,
    unknown,
)
from foldproof.tasks.diagnose.network.calls import gradients
from foldproof.tasks.diagnose.network.coupling import some

OUTPUTS = 32
"""Outputs that are differentiated: one backward pass each."""
ROUNDING = 64.0
"""Shares up to this many machine epsilons are rounding where no finite change is felt either:
sums that cancel, as in a transform there and back, leave such derivatives behind."""
TEST = DIAGNOSTICS["jacobian"]


@dataclass(frozen=True)
class Mass:
    """Absolute derivatives of some outputs, summed by the rows that they lead to.

    Attributes:
        later: To samples dated later.
        steps: To later steps of the output's own window; 0 where outputs are not one a step.
        others: To all other samples, of whatever date.
        total: To all rows.
        top: The largest of the derivatives to later rows.
        witness: Where that is.
        ahead: Dates of the batch that the farthest of them looks ahead.
    """

    later: float = 0.0
    steps: float = 0.0
    others: float = 0.0
    total: float = 0.0
    top: float = 0.0
    witness: Witness | None = None
    ahead: int = 0

    def __add__(self, other: "Mass") -> "Mass":
        worst = max(self, other, key=lambda mass: mass.top)
        return Mass(
            self.later + other.later,
            self.steps + other.steps,
            self.others + other.others,
            self.total + other.total,
            worst.top,
            worst.witness,
            max(self.ahead, other.ahead),
        )

    @property
    def share(self) -> float:
        """Of all absolute derivatives, what lies on later rows."""
        return (self.later + self.steps) / self.total


def jacobian(trial: TestBatch, felt: FiniteDifferences) -> Finding:
    r"""Differentiate outputs with respect to every row of the batch.

    .. math:: \varphi = \sum_i \sum_{j: d_j > d_i} |\partial f_i / \partial x_j| \Big/
        \sum_i \sum_j |\partial f_i / \partial x_j|

    and, for outputs that are one a step, later steps of the own window count as later, too.
    Derivatives with respect to samples of the same date are no leak in time.

    .. warning::

        Statistics that are detached, ranks and rounding have no derivative, whatever they depend
        on. CLEAN says no more than that no derivative leads to a later row.

    Args:
        trial: The module and its batch of at most a few thousand samples.
        felt: What finite changes have shown: the finding says where they disagree.

    Raises:
        ValueError: Outputs or derivatives are not finite.
    """
    with gradients():
        masses = list(each_mass(trial, felt.steps is not None))
    mass: Mass = reduce(Mass.__add__, masses, Mass())
    if mass.total == 0:
        return unknown(trial, TEST.key, "the outputs have no derivative", counts=False)
    if trial.one_date and felt.steps is None and mass.others > 0:
        return unknown(trial, TEST.key, ONE_DATE, counts=False)
    confirmed = felt.later or bool(felt.steps)
    threshold = TEST.threshold if confirmed else ROUNDING * torch.finfo(trial.windows.dtype).eps
    leaks = mass.share > threshold
    return Finding(
        test=TEST.key,
        stage=trial.stage,
        verdict=Verdict.LEAK if leaks else Verdict.CLEAN,
        evidence="exact" if leaks else "exact, within derivatives",
        statistic=TEST.statistic,
        value=mass.share,
        threshold=threshold,
        tested=f"derivatives of {len(masses)} outputs with respect to {len(trial.dates)} windows",
        witness=mass.witness if leaks else None,
        detail=detail_of(mass, leaks, confirmed),
        counts=trial.counts,
        ahead=mass.ahead if leaks and mass.later > 0 else None,
    )


def each_mass(trial: TestBatch, per_step: bool) -> Iterator[Mass]:
    """Of some samples, evenly spread, and with ``per_step`` of some of their steps."""
    windows = trial.windows.detach().clone().requires_grad_()
    length = windows.shape[1] if per_step else 1
    outputs = trial.one_each(trial.traced(windows), length)  # (B, 1) or (B, T)
    steps = some(torch.arange(length), STEPS).tolist()
    for sample in some(torch.arange(len(outputs)), OUTPUTS // len(steps)).tolist():
        for step in steps:
            slopes = slopes_of(outputs[sample, step], windows)
            yield mass_of(trial, slopes, sample, step if per_step else None)


def slopes_of(output: Tensor, windows: Tensor) -> Tensor:
    """Absolute derivatives (B, T, F) of one output; 0 where it leaves the graph.

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


def mass_of(trial: TestBatch, slopes: Tensor, sample: int, step: int | None) -> Mass:
    """Add up ``slopes`` (B, T, F) of the output of ``sample`` at ``step``."""
    ahead = torch.zeros(slopes.shape[:2], dtype=torch.bool, device=slopes.device)  # (B, T)
    ahead[trial.dates > trial.dates[sample]] = True
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
    present = trial.dates.unique()
    farthest = trial.dates[hidden.flatten(1).amax(1) > 0].max()
    between = (present > trial.dates[sample]) & (present <= farthest)
    witness = witness_of(trial, hidden, sample, step)
    return Mass(later, float(own.sum()), others, total, top, witness, int(between.sum()))


def witness_of(trial: TestBatch, hidden: Tensor, sample: int, step: int | None) -> Witness:
    """The output, and the later row that it depends on most by derivative."""
    other, row = (int(place) for place in torch.unravel_index(hidden.argmax(), hidden.shape)[:2])
    where = f"{trial.name(other)} of {trial.texts[other]}, step {row + 1}"
    return Witness(
        date=trial.texts[sample],
        symbol=trial.name(sample) + ("" if step is None else f", step {step + 1}"),
        column=f"derivative {float(hidden.max()):.3g} to {where}",
    )


def detail_of(mass: Mass, leaks: bool, confirmed: bool) -> str:
    """One sentence: where derivatives lead, and what finite changes say to that."""
    if leaks:
        samples = f"{mass.later / mass.total:.2g} on samples dated later"
        steps = f"{mass.steps / mass.total:.2g} on later steps of the own window"
        parts = [text for text, size in ((samples, mass.later), (steps, mass.steps)) if size > 0]
        return f"of the absolute derivatives, {' and '.join(parts)}"
    if confirmed:
        return (
            "no derivative leads to a later row, yet changes of later rows are felt: what they act "
            "through is detached or has no derivative, such as a rank"
        )
    if mass.share > 0:
        return "derivatives to later rows are of the size of rounding, and no change is felt"
    return "no derivative leads to a later row; what has no derivative is not seen"
