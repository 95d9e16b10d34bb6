"""The compiled LSTM (lstm.c), loaded with ctypes and tested against nn.LSTM before its first use.

``setup.py`` builds a library for each instruction set and precision at installation; after a change
of lstm.c: ``python setup.py build_ext --inplace``. Without a C compiler there is none, and
everything runs on nn.LSTM. The two engines agree to rounding, not to the bit.
"""

import ctypes
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

AGREEMENT: Mapping[torch.dtype, float] = MappingProxyType(
    {torch.float32: 1e-5, torch.float64: 1e-13}
)
"""The precisions that lstm.c is built for, and the largest difference from nn.LSTM, values and
gradients, that passes the test at loading."""

INT, LONG, POINTER = ctypes.c_int, ctypes.c_int64, ctypes.c_void_p
REAL, DOUBLE = ctypes.c_float, ctypes.c_double
INPUT = (INT, LONG, INT, INT, INT, POINTER, LONG, LONG, POINTER, LONG, POINTER)
"""Arguments that all passes share: T, B, F, H, L, x, its two strides, starts, rows, weights."""

OUTSIDE = 2
"""What a pass returns if a window reaches outside the rows; 1 if there is no memory."""


class Place(NamedTuple):
    """Where windows are in the rows (R, F) of a panel.

    Attributes:
        starts: (B,) int64, the first row of each window.
        length: T, the rows of a window.
    """

    starts: Tensor
    length: int


@dataclass(frozen=True)
class Kernel:
    """A loaded library.

    Attributes:
        instructions: The instruction set that it was built for.
        dtype: The precision that it was built for.
        source: Hash of the source that it was built from.
        library: Its functions.
    """

    instructions: str
    dtype: torch.dtype
    source: str
    library: ctypes.CDLL

    @property
    def name(self) -> str:
        """The engine as users read it, with the version of its source."""
        return f"native {self.instructions} {self.source[:8]}"


def instruction_sets() -> list[str]:
    """The instruction sets of this CPU that lstm.c is built for, the fastest first.

    torch decides what an x86 CPU has; the environment variable ATEN_CPU_CAPABILITY lowers it.
    """
    if platform.machine().lower() in ("arm64", "aarch64"):
        return ["neon"]
    sets = {"AVX512": ["avx512", "avx2"], "AVX2": ["avx2"]}
    return sets.get(torch.backends.cpu.get_cpu_capability(), [])


@cache
def kernel(dtype: torch.dtype = torch.float32) -> Kernel | None:
    """The fastest library that is built, loads, and agrees with nn.LSTM; None if there is none."""
    for name in instruction_sets():
        try:
            found = loaded(name, dtype)
        except OSError:  # not built, or built for another system
            continue
        if largest_difference(found) < AGREEMENT[dtype]:
            return found
    return None


def loaded(instructions: str, dtype: torch.dtype = torch.float32) -> Kernel:
    """The library built for ``instructions`` and ``dtype``, not tested yet.

    Raises:
        OSError: There is no such library, it cannot be loaded, or it was built from another source,
            whose functions may take other arguments.
    """
    folder, single = files("foldproof.models.native"), dtype == torch.float32
    name = f"lstm_{instructions}{'' if single else '_double'}.so"
    library = ctypes.CDLL(str(folder / name))
    library.lstm_source.restype = ctypes.c_char_p
    built, source = library.lstm_source().decode(), folder / "lstm.c"
    if source.is_file() and built != sha256(source.read_bytes()).hexdigest()[:16]:
        raise OSError(f"{name} was built from another lstm.c: install again")
    library.lstm_kept.restype, library.lstm_kept.argtypes = LONG, (INT, LONG, INT, INT)
    library.lstm_forward.argtypes = (*INPUT, INT, POINTER, POINTER)
    library.lstm_backward.argtypes = (*INPUT, INT, POINTER, POINTER, POINTER, POINTER)
    if single:
        library.lstm_loss.argtypes = (*INPUT, *[POINTER] * 6)
        library.adamw_step.restype = None
        library.adamw_step.argtypes = (INT, *[POINTER] * 5, DOUBLE, *[REAL] * 6)
    return Kernel(instructions, dtype, built, library)


def largest_difference(found: Kernel) -> float:
    """Largest absolute difference from nn.LSTM on a small example, of values and gradients."""
    with (
        torch.random.fork_rng(devices=[]),
        torch.inference_mode(False),
        torch.enable_grad(),
        torch.device("cpu"),
    ):
        torch.default_generator.manual_seed(0)
        lstm = nn.LSTM(3, 21, 2, batch_first=True, dtype=found.dtype)
        x = torch.randn(17, 5, 3, dtype=found.dtype, requires_grad=True)
        weights = torch.randn(21, dtype=found.dtype)
        results = []
        for states in (
            lstm(x)[0][:, -3:],
            HiddenStates.apply(found, 3, None, True, x, *parameters_of(lstm)),
        ):
            slopes = torch.autograd.grad((states.tanh() @ weights).mean(), [x, *lstm.parameters()])
            results.append([states, *slopes])
        apart = [(a - b).detach().abs().max() for a, b in zip(*results, strict=True)]
        return float(torch.stack(apart).max())  # NaN if any of them is


def parameters_of(lstm: nn.LSTM) -> list[Tensor]:
    """w_ih, w_hh, b_ih and b_hh of each layer, the lowest layer first."""
    return [weight for layer in lstm.all_weights for weight in layer]


def supports(lstm: nn.LSTM) -> bool:
    """Whether the kernel computes what ``lstm`` does in its present mode and precision.

    An LSTM with hooks or a forward of its own runs as it is.
    """
    weight = lstm.weight_ih_l0
    return (
        type(lstm) is nn.LSTM
        and lstm.batch_first
        and lstm.bias
        and not lstm.bidirectional
        and not lstm.proj_size
        and not (lstm.training and lstm.dropout and lstm.num_layers > 1)
        and weight.dtype in AGREEMENT
        and weight.device.type == "cpu"
        and "forward" not in vars(lstm)
        and not lstm._forward_hooks
        and not lstm._forward_pre_hooks
        and not lstm._backward_hooks
    )


def last_hidden(
    lstm: nn.LSTM, x: Tensor, native: bool = True, weights: Sequence[Tensor] | None = None
) -> Tensor:
    """The top layer's hidden state after the last step, (B, H); see :func:`hidden_states`."""
    return hidden_states(lstm, x, 1, native, weights).squeeze(1)


def hidden_states(
    lstm: nn.LSTM,
    x: Tensor,
    steps: int,
    native: bool = True,
    weights: Sequence[Tensor] | None = None,
) -> Tensor:
    """The top layer's hidden states after the last ``steps`` steps, (B, steps, H), of (B, T, F).

    They are ``lstm(x)[0][:, -steps:]``, by the kernel where there is one that supports ``lstm`` and
    ``x``. A sample's result then does not depend on the other samples of the batch, not in the last
    bit. The kernel has first derivatives only, by weights and by ``x``.

    Args:
        lstm: With ``batch_first``.
        x: Windows in any memory layout.
        steps: From 1 to T.
        native: False always uses torch's LSTM.
        weights: Instead of those of ``lstm``, in the order of :func:`parameters_of`.
    """
    used = parameters_of(lstm) if weights is None else [*weights]
    fits = x.dtype == lstm.weight_ih_l0.dtype and x.device.type == "cpu"
    if native and fits and supports(lstm):
        found = kernel(x.dtype)
        if found is not None and x.dim() == 3 and x.shape[2] == lstm.input_size and x.numel():
            return HiddenStates.apply(found, steps, None, torch.is_grad_enabled(), x, *used)
    output, last = lstm(x) if weights is None else torch_lstm(lstm, x, used)[:2]
    top = last[0] if weights is None else last
    return top[-1].unsqueeze(1) if steps == 1 else output[:, -steps:]


def kernel_for_rows(lstm: nn.LSTM, rows: Tensor) -> Kernel | None:
    """The kernel if it can read windows of the rows (R, F) where they are."""
    fits = (
        rows.dtype == lstm.weight_ih_l0.dtype
        and rows.device.type == "cpu"
        and rows.is_contiguous()
        and rows.shape[1] == lstm.input_size
        and supports(lstm)
    )
    return kernel(rows.dtype) if fits else None


def last_hidden_at(found: Kernel, lstm: nn.LSTM, rows: Tensor, place: Place) -> Tensor:
    """:func:`last_hidden` of windows that are read from ``rows`` (R, F) without a copy.

    Raises:
        IndexError: A window reaches outside the rows.
    """
    states: Tensor = HiddenStates.apply(
        found, 1, place, torch.is_grad_enabled(), rows, *parameters_of(lstm)
    )
    return states.squeeze(1)


def torch_lstm(
    lstm: nn.LSTM, x: Tensor, weights: Sequence[Tensor]
) -> tuple[Tensor, Tensor, Tensor]:
    """Output, last hidden states and last cell states of ``lstm`` with other weights, by torch."""
    start = x.new_zeros(lstm.num_layers, len(x), lstm.hidden_size)
    layers, dropout = lstm.num_layers, float(lstm.dropout)
    return torch.lstm(
        x, (start, start), [*weights], True, layers, dropout, lstm.training, False, True
    )


class HiddenStates(torch.autograd.Function):
    """The two passes of the kernel over windows (B, T, F), or over rows (R, F) with a place."""

    @staticmethod
    def forward(
        ctx: Any, found: Kernel, steps: int, place: Place | None, graded: bool, x: Tensor,
        *weights: Tensor,
    ) -> Tensor:  # fmt: skip
        """The last hidden states (B, steps, H), given w_ih, w_hh, b_ih, b_hh of each layer.

        ``graded`` is whether gradients are enabled outside; ``ctx`` does not tell.
        """
        x = x if x.stride(-1) == 1 else x.contiguous()
        weights = tuple(weight.contiguous() for weight in weights)
        samples, length = x.shape[:2] if place is None else (len(place.starts), place.length)
        hidden, layers = weights[1].shape[1], len(weights) // 4
        last, kept = x.new_empty(samples, steps, hidden), None
        if graded and any(ctx.needs_input_grad):
            kept = x.new_empty(found.library.lstm_kept(length, samples, hidden, layers))
            ctx.save_for_backward(x, kept, *weights)
            ctx.kernel, ctx.steps, ctx.place = found, steps, place
        run(found.library.lstm_forward, x, place, weights, steps, address(kept), address(last))
        return last

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, by_last: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients by ``x`` and by the weights."""
        x, kept, *weights = ctx.saved_tensors
        by_last = by_last.contiguous()  # kept by name: an address does not keep a tensor alive
        by_x = torch.empty_like(x) if ctx.needs_input_grad[4] else None
        if by_x is not None and ctx.place is not None:
            raise NotImplementedError("there is no gradient by rows that windows share")
        by_weights: list[Tensor] = []
        if any(ctx.needs_input_grad[5:]):
            by_weights = [torch.empty_like(w) for n, w in enumerate(weights) if n % 4 < 3]
        if by_x is not None and by_x.stride() != x.stride():
            x, by_x = x.contiguous(), by_x.contiguous()  # a view that overlaps itself
        run(
            ctx.kernel.library.lstm_backward, x, ctx.place, weights, ctx.steps, address(kept),
            address(by_last), address(by_x),
            addresses(by_weights) if by_weights else None,
        )  # fmt: skip
        slopes: list[Tensor | None] = [None] * len(weights)
        for n, slope in enumerate(by_weights):
            slopes[n // 3 * 4 + n % 3] = slope
            if n % 3 == 2:  # both biases have the same gradient
                slopes[n // 3 * 4 + 3] = slope.clone()
        return None, None, None, None, by_x, *slopes


def run(
    function: Any, x: Tensor, place: Place | None, weights: Sequence[Tensor], *rest: Any
) -> None:
    """Call a pass of the library on windows (B, T, F), or on rows (R, F) with a place.

    Raises:
        MemoryError: There is no memory for its work space.
        IndexError: A window reaches outside the rows.
    """
    if place is None:
        (samples, steps, features), starts, rows = x.shape, None, 0
        strides = x.stride(1), x.stride(0)
    else:
        (rows, features), steps = x.shape, place.length
        starts = place.starts.to(torch.int64).contiguous()
        samples, strides = len(starts), (x.stride(0), 0)
    failed = function(
        steps, samples, features, weights[1].shape[1], len(weights) // 4, address(x), *strides,
        address(starts), rows, addresses(weights), *rest,
    )  # fmt: skip
    if failed == OUTSIDE:
        raise IndexError(f"windows of {steps} rows must lie within the {rows} rows of the panel")
    if failed:
        raise MemoryError(
            f"the LSTM kernel got no memory for {samples} windows of {steps} rows; "
            "lower training.batch_size"
        )


def address(tensor: Tensor | None) -> int | None:
    """Where the tensor's first number is in memory."""
    return None if tensor is None else tensor.data_ptr()


def addresses(tensors: Any) -> Any:
    """The addresses of several tensors, as a C array."""
    return (POINTER * len(tensors))(*(tensor.data_ptr() for tensor in tensors))
