"""An LSTM that is differentiated by its inputs only, in about half of torch's time on a CPU."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

State = tuple[Tensor, Tensor]
sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input
tanh_backward = torch.ops.aten.tanh_backward.grad_input


class Recurrence(torch.autograd.Function):
    """One LSTM layer over (T, F, P): points last, so that every gate is one block of memory.

    Input and hidden state lie one below the other: a step is one product of matrices forward, and
    one backward. tanh x = 2 sigmoid 2x - 1 takes a third of torch's time, so the cell gate's rows
    come doubled. Nothing is differentiated twice, and weights get no gradient.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Hidden states (T, H, P), the last of them and the last cell, each (H, P).

        From x (T, F, P), weight (4H, F + H) with the rows of the gates input, forget, output and,
        doubled, cell, and bias (4H, 1) in the same order.
        """
        steps, features, points = x.shape
        size = len(weight) // 4
        below = x.new_zeros(steps + 1, features + size, points)  # inputs, and the hidden state
        below[:-1, :features] = x
        gates, cells = x.new_empty(steps, 4, size, points), x.new_zeros(steps + 1, size, points)
        bent = x.new_empty(steps, size, points)  # tanh of the cell
        hidden = below[:, features:].unbind()
        for t, (gate, after, tanh) in enumerate(zip(gates, cells[1:], bent, strict=True)):
            torch.addmm(bias, weight, below[t], out=gate.view(4 * size, points)).sigmoid_()
            into, keep, out, new = gate
            new.mul_(2).sub_(1)
            torch.mul(keep, cells[t], out=after).addcmul_(into, new)
            torch.mul(after, 2, out=tanh).sigmoid_().mul_(2).sub_(1)
            torch.mul(out, tanh, out=hidden[t + 1])
        ctx.save_for_backward(weight, gates, cells, bent)
        ctx.set_materialize_grads(False)
        return below[1:, features:], hidden[-1].clone(), cells[-1].clone()

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, by_all: Tensor | None, by_last: Tensor | None, by_cell: Tensor | None
    ) -> tuple[Tensor, None, None]:
        """(T, F, P) gradient by the inputs, from those by the three outputs."""
        weight, gates, cells, bent = ctx.saved_tensors
        size, points = bent.shape[1:]
        features = weight.shape[1] - size
        back = torch.cat([weight[: 3 * size], weight[3 * size :] / 2]).t().contiguous()
        slopes = bent.new_empty(len(bent), len(back), points)  # by inputs, and by hidden state
        by_gates = bent.new_empty(4, size, points)
        by_into, by_keep, by_out, by_new = by_gates
        by_hidden = torch.zeros_like(bent[0]) if by_last is None else by_last
        through = torch.zeros_like(bent[0]) if by_cell is None else by_cell.clone()
        work = torch.empty_like(through)
        for t in range(len(bent) - 1, -1, -1):
            if by_all is not None:
                by_hidden = by_hidden + by_all[t]
            into, keep, out, new = gates[t]
            torch.mul(by_hidden, out, out=work)
            through.add_(tanh_backward(work, bent[t], grad_input=work))
            torch.mul(through, new, out=by_into)
            torch.mul(through, cells[t], out=by_keep)
            torch.mul(by_hidden, bent[t], out=by_out)
            sigmoid_backward(by_gates[:3], gates[t, :3], grad_input=by_gates[:3])
            torch.mul(through, into, out=by_new)
            tanh_backward(by_new, new, grad_input=by_new)
            through.mul_(keep)
            torch.mm(back, by_gates.view(4 * size, points), out=slopes[t])
            by_hidden = slopes[t, features:]
        return slopes[:, :features], None, None


def quick(lstm: nn.LSTM) -> Callable[..., tuple[Tensor, State]]:
    """``lstm.forward`` with gradients by the inputs only; equal up to rounding.

    What :class:`Recurrence` does not do, or not sooner, is left to the LSTM itself: training,
    forecasts without gradients, initial states, packed sequences, places other than the CPU.
    """
    plain = lstm.forward

    def forward(x: Tensor, hx: State | None = None) -> tuple[Tensor, State]:
        usual = isinstance(x, Tensor) and x.dim() == 3 and x.device.type == "cpu" and hx is None
        if not usual or lstm.training or not torch.is_grad_enabled():
            return plain(x, hx)
        sequence = x.permute(1, 2, 0) if lstm.batch_first else x.transpose(1, 2)
        ends = []
        for layer in range(lstm.num_layers):
            sequence, last, cell = Recurrence.apply(sequence, *stacked(lstm, layer))
            ends.append((last.t(), cell.t()))
        whole = sequence.permute(2, 0, 1) if lstm.batch_first else sequence.transpose(1, 2)
        hidden, cells = (torch.stack(each) for each in zip(*ends, strict=True))
        return whole, (hidden, cells)

    return forward


def stacked(lstm: nn.LSTM, layer: int) -> tuple[Tensor, Tensor]:
    """Weight (4H, F + H) and bias (4H, 1) of a layer as :class:`Recurrence` takes them."""
    by_input, by_hidden = (getattr(lstm, f"weight_{by}_l{layer}").detach() for by in ("ih", "hh"))
    into, keep, new, out = torch.cat([by_input, by_hidden], 1).chunk(4)
    weight = torch.cat([into, keep, out, 2 * new])
    if not lstm.bias:
        return weight, weight.new_zeros(len(weight), 1)
    both = getattr(lstm, f"bias_ih_l{layer}") + getattr(lstm, f"bias_hh_l{layer}")
    into, keep, new, out = both.detach().unsqueeze(1).chunk(4)
    return weight, torch.cat([into, keep, out, 2 * new])


def suits(part: nn.Module) -> bool:
    """Whether ``part`` is an LSTM of which :func:`quick` knows everything."""
    return type(part) is nn.LSTM and not part.bidirectional and not part.proj_size


def use_fast_lstm(module: nn.Module) -> list[nn.Module]:
    """Give every LSTM in ``module`` the quick forward; deleting their ``forward`` undoes it.

    Returns:
        Those that got it now; who has it already keeps it.
    """
    given = [part for part in module.modules() if suits(part) and "forward" not in vars(part)]
    for part in given:
        vars(part)["forward"] = quick(part)  # type: ignore[arg-type]  # suits
    return given
