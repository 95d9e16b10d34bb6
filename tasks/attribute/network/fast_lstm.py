"""An LSTM with gradients by its inputs only, in about half of torch's time on a CPU.

It runs in modules of users, and where the native LSTM, which takes half of that, is not built.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from foldproof.models.network import Forecaster

State = tuple[Tensor, Tensor]
sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input
tanh_backward = torch.ops.aten.tanh_backward.grad_input


class Recurrence(torch.autograd.Function):
    """One LSTM layer over (T, F, P): points come last, so each gate is one block of memory.

    Input and hidden state share one array, so each step is one matrix product forward and one
    backward. tanh x = 2 sigmoid 2x - 1 takes a third of the time of torch's tanh, so the weights of
    the cell gate are doubled. The backward pass cannot be differentiated again, and weights get no
    gradient.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Hidden states (T, H, P), the last hidden state and the last cell state, each (H, P).

        Args:
            ctx: Keeps what the backward pass needs.
            x: (T, F, P).
            weight: (4H, F + H) for the input, forget, output and (doubled) cell gate.
            bias: (4H, 1) in the same order.
        """
        steps, features, points = x.shape
        size = len(weight) // 4
        stacked = x.new_zeros(steps + 1, features + size, points)  # inputs above hidden states
        stacked[:-1, :features] = x
        gates, cells = x.new_empty(steps, 4, size, points), x.new_zeros(steps + 1, size, points)
        cell_tanh = x.new_empty(steps, size, points)
        hidden = stacked[:, features:].unbind()
        for t, (gate, after, tanh) in enumerate(zip(gates, cells[1:], cell_tanh, strict=True)):
            torch.addmm(bias, weight, stacked[t], out=gate.view(4 * size, points)).sigmoid_()
            write, keep, out, new = gate
            new.mul_(2).sub_(1)
            torch.mul(keep, cells[t], out=after).addcmul_(write, new)
            torch.mul(after, 2, out=tanh).sigmoid_().mul_(2).sub_(1)
            torch.mul(out, tanh, out=hidden[t + 1])
        ctx.save_for_backward(weight, gates, cells, cell_tanh)
        ctx.set_materialize_grads(False)
        return stacked[1:, features:], hidden[-1].clone(), cells[-1].clone()

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, by_all: Tensor | None, by_last: Tensor | None, by_cell: Tensor | None
    ) -> tuple[Tensor, None, None]:
        """(T, F, P) gradient by the inputs, given the gradients by the three outputs."""
        weight, gates, cells, cell_tanh = ctx.saved_tensors
        size, points = cell_tanh.shape[1:]
        features = weight.shape[1] - size
        transposed = torch.cat([weight[: 3 * size], weight[3 * size :] / 2]).t().contiguous()
        slopes = cell_tanh.new_empty(len(cell_tanh), len(transposed), points)  # inputs, hidden
        by_gates = cell_tanh.new_empty(4, size, points)
        by_write, by_keep, by_out, by_new = by_gates
        by_hidden = torch.zeros_like(cell_tanh[0]) if by_last is None else by_last
        by_state = torch.zeros_like(cell_tanh[0]) if by_cell is None else by_cell.clone()
        work = torch.empty_like(by_state)
        for t in range(len(cell_tanh) - 1, -1, -1):
            if by_all is not None:
                by_hidden = by_hidden + by_all[t]
            write, keep, out, new = gates[t]
            torch.mul(by_hidden, out, out=work)
            by_state.add_(tanh_backward(work, cell_tanh[t], grad_input=work))
            torch.mul(by_state, new, out=by_write)
            torch.mul(by_state, cells[t], out=by_keep)
            torch.mul(by_hidden, cell_tanh[t], out=by_out)
            sigmoid_backward(by_gates[:3], gates[t, :3], grad_input=by_gates[:3])
            torch.mul(by_state, write, out=by_new)
            tanh_backward(by_new, new, grad_input=by_new)
            by_state.mul_(keep)
            torch.mm(transposed, by_gates.view(4 * size, points), out=slopes[t])
            by_hidden = slopes[t, features:]
        return slopes[:, :features], None, None


def fast_forward(lstm: nn.LSTM) -> Callable[..., tuple[Tensor, State]]:
    """``lstm.forward`` with gradients by the inputs only; equal up to rounding.

    Cases that :class:`Recurrence` does not cover or does not speed up go to the LSTM itself:
    training, forecasts without gradients, initial states, packed sequences, devices other than the
    CPU.
    """
    plain = lstm.forward

    def forward(x: Tensor, hx: State | None = None) -> tuple[Tensor, State]:
        usual = isinstance(x, Tensor) and x.dim() == 3 and x.device.type == "cpu" and hx is None
        if not usual or lstm.training or not torch.is_grad_enabled():
            return plain(x, hx)
        sequence = x.permute(1, 2, 0) if lstm.batch_first else x.transpose(1, 2)
        ends = []
        for layer in range(lstm.num_layers):
            sequence, last, cell = Recurrence.apply(sequence, *stacked_weights(lstm, layer))
            ends.append((last.t(), cell.t()))
        whole = sequence.permute(2, 0, 1) if lstm.batch_first else sequence.transpose(1, 2)
        hidden, cells = (torch.stack(each) for each in zip(*ends, strict=True))
        return whole, (hidden, cells)

    return forward


def stacked_weights(lstm: nn.LSTM, layer: int) -> tuple[Tensor, Tensor]:
    """Weight (4H, F + H) and bias (4H, 1) of a layer in the order of :class:`Recurrence`."""

    def reordered(gates: Tensor) -> Tensor:
        write, keep, new, out = gates.detach().chunk(4)
        return torch.cat([write, keep, out, 2 * new])

    weights = [getattr(lstm, f"weight_{by}_l{layer}") for by in ("ih", "hh")]
    weight = reordered(torch.cat(weights, 1))
    if not lstm.bias:
        return weight, weight.new_zeros(len(weight), 1)
    both = getattr(lstm, f"bias_ih_l{layer}") + getattr(lstm, f"bias_hh_l{layer}")
    return weight, reordered(both.unsqueeze(1))


def supported(part: nn.Module) -> bool:
    """Whether ``part`` is an LSTM that :func:`fast_forward` covers."""
    return type(part) is nn.LSTM and not part.bidirectional and not part.proj_size


def use_fast_lstm(module: nn.Module) -> list[nn.Module]:
    """Give every supported LSTM in ``module`` the fast forward; delete ``forward`` to undo it.

    The LSTM of a forecaster that runs natively stays as it is: it is faster yet.

    Returns:
        The LSTMs that were changed by this call, without those that already were.
    """
    parts = [*module.modules()]
    native = {part.lstm for part in parts if isinstance(part, Forecaster) and part.runs_natively}
    changed = [
        part
        for part in parts
        if supported(part) and "forward" not in vars(part) and part not in native
    ]
    for part in changed:
        vars(part)["forward"] = fast_forward(part)  # type: ignore[arg-type]  # supported
    return changed
