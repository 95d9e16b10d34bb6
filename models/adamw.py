"""AdamW on all parameters as one vector, without what torch.optim imports at its first use."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from foldproof.models.spec import TrainingSpec

BETAS = (0.9, 0.999)
EPSILON = 1e-8
"""Averaging of gradients and of their squares, and the floor of the root: torch's defaults."""


class AdamW:
    """AdamW (Loshchilov & Hutter 2019) with gradients clipped to a norm.

    It makes the steps of torch.optim.AdamW after clip_grad_norm_, up to rounding of the norm.
    torch's optimizer imports torch._dynamo, which takes seconds and 75 MB a process.

    Args:
        parameters: Those that need a gradient are updated in place.
        spec: The step size; the decoupled weight decay: a step shrinks weights by this times the
            step size; the Euclidean norm that larger gradients are scaled down to.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], spec: TrainingSpec) -> None:
        self.parameters = [one for one in parameters if one.requires_grad]
        self.sizes = [one.numel() for one in self.parameters]
        self.learning_rate, self.weight_decay = spec.learning_rate, spec.weight_decay
        self.clip_norm = spec.clip_norm
        self.steps = 0
        self.mean = torch.cat([torch.zeros_like(one).flatten() for one in self.parameters])
        self.mean_square = torch.zeros_like(self.mean)

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for one in self.parameters:
            one.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Clip the gradients and update the parameters; a missing gradient counts as zero."""
        gradient = torch.cat(
            [one.new_zeros(one.numel()) if one.grad is None else one.grad.flatten()
             for one in self.parameters]
        )  # fmt: skip
        gradient.mul_((self.clip_norm / (gradient.norm() + 1e-6)).clamp_max(1.0))
        self.steps += 1
        self.mean.lerp_(gradient, 1 - BETAS[0])
        self.mean_square.mul_(BETAS[1]).addcmul_(gradient, gradient, value=1 - BETAS[1])
        root = self.mean_square.sqrt().div_(math.sqrt(1 - BETAS[1] ** self.steps)).add_(EPSILON)
        weights: Tensor = torch.cat([one.flatten() for one in self.parameters])
        weights.mul_(1 - self.learning_rate * self.weight_decay)
        weights.addcdiv_(self.mean, root, value=-self.learning_rate / (1 - BETAS[0] ** self.steps))
        for one, new in zip(self.parameters, weights.split(self.sizes), strict=True):
            one.copy_(new.view_as(one))
