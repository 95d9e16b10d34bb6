"""A training step in C: mean squared error of an LSTM with a linear head, then AdamW."""

import ctypes
import math

import torch
from torch import Tensor, nn

from foldproof.models.adamw import BETAS, EPSILON, AdamW
from foldproof.models.native.kernel import (
    Kernel,
    Place,
    address,
    addresses,
    parameters_of,
    run,
)


class TrainingStep:
    """Steps of training by the kernel, which change the parameters in place.

    They are those of autograd with :class:`~foldproof.models.adamw.AdamW` up to rounding: the error
    and the norm of the gradients are summed up in float64, and each tile of samples goes through
    the backward pass while its activations are in the cache.

    Args:
        found: The kernel.
        lstm: One that it supports.
        head: The linear layer on the last hidden state, one output.
        optimizer: Of the parameters of both, in this order, and of no others.
    """

    def __init__(self, found: Kernel, lstm: nn.LSTM, head: nn.Linear, optimizer: AdamW) -> None:
        self.library, self.optimizer, self.weights = found.library, optimizer, parameters_of(lstm)
        self.features = lstm.input_size
        own = [torch.empty_like(one) for n, one in enumerate(self.weights) if n % 4 < 3]
        gradients = [*own, torch.empty_like(head.weight), torch.empty_like(head.bias)]
        both = [own[n + k] for n in range(0, len(own), 3) for k in (0, 1, 2, 2)]  # the biases share
        self.kept = gradients, optimizer.parameters  # an address does not keep a tensor alive
        self.head = address(head.weight), address(head.bias)
        self.gradients = addresses(gradients)
        self.update = (
            len(optimizer.sizes), (ctypes.c_int64 * len(optimizer.sizes))(*optimizer.sizes),
            addresses(optimizer.parameters), addresses([*both, *gradients[-2:]]),
            address(optimizer.mean), address(optimizer.mean_square), optimizer.clip_norm,
            1 - BETAS[0], 1 - BETAS[1],
        )  # fmt: skip

    def __call__(
        self, x: Tensor, place: Place | None, target: Tensor, mask: Tensor | None
    ) -> float:
        """Make a step; the mean squared error before it.

        Args:
            x: Windows (B, T, F), or contiguous rows (R, F) with a place.
            place: Where the windows are in the rows.
            target: (B,).
            mask: (B, H), multiplies the last hidden state (dropout).

        Raises:
            ValueError: ``x`` has another shape or type, as after a wrong window normalizer.
        """
        samples = None if place is not None else len(target)
        check_input(x, samples, self.features)
        x = x if x.stride(-1) == 1 else x.contiguous()
        loss = ctypes.c_double()
        run(
            self.library.lstm_loss, x, place, self.weights, *self.head, address(mask),
            address(target), self.gradients, ctypes.addressof(loss),
        )  # fmt: skip
        own = self.optimizer
        own.steps += 1
        share, square = (1 - beta**own.steps for beta in BETAS)
        self.library.adamw_step(
            *self.update, math.sqrt(square), own.learning_rate / share,
            1 - own.learning_rate * own.weight_decay, EPSILON,
        )  # fmt: skip
        return loss.value


def check_input(x: Tensor, samples: int | None, features: int) -> None:
    """Raise ValueError unless the C code can read ``x``.

    Args:
        x: (B, T, F), or (R, F) if ``samples`` is None.
        samples: B.
        features: F.
    """
    shape = x.shape[:-1] if samples is None else (samples, *x.shape[1:-1])
    dimensions = 2 if samples is None else 3
    if (
        x.dtype != torch.float32
        or x.device.type != "cpu"
        or x.dim() != dimensions
        or x.shape != (*shape, features)
        or not x.numel()
    ):
        wanted = "(R, F)" if samples is None else f"({samples}, T, {features})"
        raise ValueError(
            f"the LSTM reads float32 windows {wanted} on the CPU, not {x.dtype} of the shape "
            f"{tuple(x.shape)}: the window normalizer must keep type and shape"
        )
