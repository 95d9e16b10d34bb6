"""Run a torch module under test without changing it, and read its state."""

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
    """Switch off dropout within ``module`` in place, whatever its mode, and return it."""
    for part in module.modules():
        if isinstance(part, nn.modules.dropout._DropoutNd):
            part.p = 0.0
        if isinstance(part, nn.RNNBase | nn.MultiheadAttention):
            part.dropout = 0.0
    return module


def takes_dates(module: nn.Module) -> bool:
    """Whether ``forward`` takes dates as a second argument."""
    parameters = list(inspect.signature(module.forward).parameters.values())
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    second = positional[1] if len(positional) > 1 else None
    return second is not None and (second.default is second.empty or second.name == "dates")


def run(module: nn.Module, windows: Tensor, dates: Tensor, seed: int) -> Tensor:
    """Outputs with random numbers from ``seed``; the global random state does not change.

    For a module that returns a tuple, such as an LSTM, the first entry.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        out = module(windows, dates) if takes_dates(module) else module(windows)
    return out[0] if isinstance(out, tuple) else out


def call(module: nn.Module, windows: Tensor, dates: Tensor, seed: int) -> Tensor:
    """Outputs of :func:`run` without gradients."""
    with torch.no_grad():
        return run(module, windows, dates, seed)


def fresh_call(module: nn.Module, windows: Tensor, dates: Tensor, seed: int) -> Tensor:
    """Outputs of a copy, so that a pass does not change the state of ``module``."""
    return call(copy.deepcopy(module), windows, dates, seed)


@contextmanager
def gradients() -> Iterator[None]:
    """Autograd on and cuDNN off, since cuDNN refuses the backward pass of an LSTM in eval mode.

    Training mode is not an alternative: it turns on the batch statistics under test.
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
    """A copy in float64 where possible, its windows, and the rounding to allow for.

    In float32 another batch shape moves outputs by 2e-6 sd; float64 separates leaks clearly.
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
    """Names of parameters and buffers that differ from ``before``."""
    return [name for name, content in state_of(module).items() if before.get(name) != content]


def training_parts(module: nn.Module) -> list[str]:
    """Names of the submodules in training mode; ``(all)`` stands for ``module`` itself."""
    return [name or "(all)" for name, part in module.named_modules() if part.training]
