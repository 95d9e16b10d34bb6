"""A torch module under test: copied, run without a trace, its state read."""

import copy
import hashlib
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn

from foldproof.tasks.diagnose.findings.catalogue import FLOAT32, FLOAT64
from foldproof.tasks.diagnose.perturb.attempt import attempt


def dropout_off(module: nn.Module) -> nn.Module:
    """Switch off the dropout modules of ``module`` in place, whatever its mode; returns it."""
    for part in module.modules():
        if isinstance(part, nn.modules.dropout._DropoutNd):
            part.p = 0.0
        if isinstance(part, nn.RNNBase | nn.MultiheadAttention):
            part.dropout = 0.0
    return module


def takes_dates(module: nn.Module) -> bool:
    """Whether ``forward`` needs a second argument, the dates."""
    parameters = list(inspect.signature(module.forward).parameters.values())
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    second = positional[1] if len(positional) > 1 else None
    return second is not None and (second.default is second.empty or second.name == "dates")


def run(module: nn.Module, windows: Tensor, dates: Tensor, seed: int) -> Tensor:
    """Outputs; random numbers start from ``seed``, global ones stay as they are.

    Of a tuple, such as an LSTM's, the first entry counts.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        out = module(windows, dates) if takes_dates(module) else module(windows)
    return out[0] if isinstance(out, tuple) else out


def call(module: nn.Module, windows: Tensor, dates: Tensor, seed: int) -> Tensor:
    """Outputs as of :func:`run`, without gradients."""
    with torch.no_grad():
        return run(module, windows, dates, seed)


def fresh_call(module: nn.Module, windows: Tensor, dates: Tensor, seed: int) -> Tensor:
    """Outputs of a copy: whatever a pass does to the state is gone with it."""
    return call(copy.deepcopy(module), windows, dates, seed)


@contextmanager
def gradients() -> Iterator[None]:
    """Autograd on, cuDNN off: it refuses the backward pass of an LSTM in eval mode.

    Training mode would be no way out: it turns on batch statistics, which are what is tested.
    """
    with (
        torch.inference_mode(False),
        torch.enable_grad(),
        torch.backends.cudnn.flags(enabled=False),
    ):
        yield


def precise(
    module: nn.Module, windows: Tensor, dates: Tensor, seed: int
) -> tuple[nn.Module, Tensor, float]:
    """A copy that works in float64 where that can be, its windows, and the rounding to allow for.

    In float32 a change of the batch's shape rounds by 2e-6 sd; in float64 leaks stand out by far.
    """
    if windows.is_floating_point():
        double = copy.deepcopy(module).double()
        out, _ = attempt(partial(fresh_call, double, windows.double(), dates, seed))
        if out is not None and out.dtype == torch.float64:
            return double, windows.double(), FLOAT64
    return copy.deepcopy(module), windows, FLOAT32


def state_of(module: nn.Module) -> dict[str, str]:
    """Hash of each parameter and buffer, by name."""
    return {
        name: hashlib.sha256(tensor.detach().cpu().contiguous().numpy().tobytes()).hexdigest()
        for name, tensor in (*module.named_parameters(), *module.named_buffers())
    }


def changed_state(before: dict[str, str], module: nn.Module) -> list[str]:
    """Names of parameters and buffers whose content differs from ``before``."""
    return [name for name, content in state_of(module).items() if before.get(name) != content]


def training_parts(module: nn.Module) -> list[str]:
    """Names of the parts of ``module`` that are in training mode; ``(all)`` is the whole."""
    return [name or "(all)" for name, part in module.named_modules() if part.training]
