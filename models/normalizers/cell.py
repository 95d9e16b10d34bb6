"""Normalizers inside the LSTM's recurrence. They use the LSTM's own weights.

All but :class:`WeightNorm` run step by step in torch, several times slower than the native LSTM.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from foldproof.models.native.kernel import last_hidden, parameters_of, torch_lstm
from foldproof.models.normalizers.hidden import EPSILON, require_two
from foldproof.models.normalizers.variant import CellNormalizer

GAIN = 0.1
"""Start of the learned scales inside the recurrence."""


class StepwiseCell(CellNormalizer):
    """An LSTM whose sums and state pass through methods that a subclass overrides.

    As it is, it equals nn.LSTM. Per step and layer: gates = ``given``(W_x x) + ``recurrent``(W_h h)
    + b, and h = sigmoid(o) tanh(``state``(c)).
    """

    def given(self, layer: int, sums: Tensor) -> Tensor:
        """Normalize W_x x of all steps, (T, B, 4H)."""
        return sums

    def recurrent(self, layer: int, step: int, sums: Tensor) -> Tensor:
        """Normalize W_h h of one step, (B, 4H)."""
        return sums

    def state(self, layer: int, step: int, cell: Tensor) -> Tensor:
        """Normalize the cell state c of one step, (B, H), on its way to h."""
        return cell

    def forward(self, lstm: nn.LSTM, x: Tensor, native: bool = True) -> Tensor:
        """The top layer's last hidden state (B, H) of windows (B, T, F)."""
        return self.states(lstm, x)[:, -1]

    def states(self, lstm: nn.LSTM, x: Tensor) -> Tensor:
        """The top layer's hidden state after each step, (B, T, H)."""
        sequence = x.transpose(0, 1)
        for layer in range(lstm.num_layers):
            if layer:
                sequence = functional.dropout(sequence, lstm.dropout, self.training)
            sequence = self._outputs(layer, lstm.all_weights[layer], sequence)
        return sequence.transpose(0, 1)

    def _outputs(self, layer: int, weights: Sequence[Tensor], sequence: Tensor) -> Tensor:
        """Hidden states (T, B, H) of a layer."""
        w_input, w_hidden, *biases = weights
        hidden = cell = sequence.new_zeros(sequence.shape[1], w_hidden.shape[1])
        outputs = []
        for step, part in enumerate(self.given(layer, sequence @ w_input.T).unbind()):
            gates = part + self.recurrent(layer, step, hidden @ w_hidden.T) + sum(biases)
            write, keep, new, out = gates.chunk(4, dim=1)
            cell = keep.sigmoid() * cell + write.sigmoid() * new.tanh()
            hidden = out.sigmoid() * self.state(layer, step, cell).tanh()
            outputs.append(hidden)
        return torch.stack(outputs)


class LayerNormCell(StepwiseCell):
    """Layer norm of both sums over the 4H gates, and of the cell state (Ba et al. 2016, eq. 20).

    The gains begin as 0.1, as those of recurrent batch norm (Cooijmans et al. 2017). From 1, as in
    the paper, small states are enlarged at every step: the recurrence becomes chaotic, and no
    quadrature resolves its gradients.
    """

    def __init__(self, lstm: nn.LSTM, length: int) -> None:
        super().__init__()
        size = lstm.hidden_size
        self.given_norm, self.recurrent_norm, self.state_norm = (
            nn.ModuleList(nn.LayerNorm(width, eps=EPSILON) for _ in range(lstm.num_layers))
            for width in (4 * size, 4 * size, size)
        )
        for norm in (*self.given_norm, *self.recurrent_norm, *self.state_norm):
            nn.init.constant_(norm.weight, GAIN)

    def given(self, layer: int, sums: Tensor) -> Tensor:
        """Normalize W_x x, (T, B, 4H)."""
        return self.given_norm[layer](sums)

    def recurrent(self, layer: int, step: int, sums: Tensor) -> Tensor:
        """Normalize W_h h, (B, 4H)."""
        return self.recurrent_norm[layer](sums)

    def state(self, layer: int, step: int, cell: Tensor) -> Tensor:
        """Normalize c, (B, H)."""
        return self.state_norm[layer](cell)


class StepBatchNorm(nn.Module):
    """Batch norm with running statistics of its own for each of T steps, and one learned scale.

    There is no bias unless ``bias`` asks for one; the scale begins as 0.1 (Cooijmans et al. 2017).
    """

    def __init__(self, size: int, length: int, bias: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((size,), GAIN))
        self.bias = nn.Parameter(torch.zeros(size)) if bias else None
        self.running_mean: Tensor
        self.running_variance: Tensor
        self.register_buffer("running_mean", torch.zeros(length, size))
        self.register_buffer("running_variance", torch.ones(length, size))

    def forward(self, values: Tensor, step: int) -> Tensor:
        """(B, size) values of a step, counted from 0 -> (B, size)."""
        return functional.batch_norm(
            values, self.running_mean[step], self.running_variance[step], self.weight, self.bias,
            self.training, eps=EPSILON,
        )  # fmt: skip


class RecurrentBatchNorm(StepwiseCell):
    """Batch norm per step of both sums and of the cell state (Cooijmans et al. 2017).

    Each step of the window has running statistics of its own, so a window longer than those of the
    training cannot be scored.
    """

    def __init__(self, lstm: nn.LSTM, length: int) -> None:
        super().__init__()
        size, layers = lstm.hidden_size, range(lstm.num_layers)
        self.given_norm = nn.ModuleList(StepBatchNorm(4 * size, length) for _ in layers)
        self.recurrent_norm = nn.ModuleList(StepBatchNorm(4 * size, length) for _ in layers)
        self.state_norm = nn.ModuleList(StepBatchNorm(size, length, bias=True) for _ in layers)

    def given(self, layer: int, sums: Tensor) -> Tensor:
        """Normalize W_x x, (T, B, 4H), step by step.

        Raises:
            ValueError: A training batch of one sample.
        """
        require_two(self.training, sums.shape[1])
        return torch.stack([self.given_norm[layer](each, n) for n, each in enumerate(sums)])

    def recurrent(self, layer: int, step: int, sums: Tensor) -> Tensor:
        """Normalize W_h h, (B, 4H)."""
        return self.recurrent_norm[layer](sums, step)

    def state(self, layer: int, step: int, cell: Tensor) -> Tensor:
        """Normalize c, (B, H)."""
        return self.state_norm[layer](cell, step)


class InputToHiddenBatchNorm(StepwiseCell):
    """Batch norm of W_x x over batch and steps, the recurrence without (Laurent et al. 2016)."""

    def __init__(self, lstm: nn.LSTM, length: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(
            nn.BatchNorm1d(4 * lstm.hidden_size, eps=EPSILON) for _ in range(lstm.num_layers)
        )

    def given(self, layer: int, sums: Tensor) -> Tensor:
        """Normalize W_x x, (T, B, 4H).

        Raises:
            ValueError: A training batch of one sample.
        """
        require_two(self.training, sums.shape[1])
        return self.norms[layer](sums.flatten(0, 1)).unflatten(0, sums.shape[:2])


class WeightNorm(CellNormalizer):
    """Each row of the LSTM's matrices is g v / |v| (Salimans & Kingma 2016).

    It has no statistics. g begins as |v|, so the network starts as the plain LSTM. Where the native
    LSTM runs, it runs this too.
    """

    native = True

    def __init__(self, lstm: nn.LSTM, length: int) -> None:
        super().__init__()
        matrices = [weight.detach() for weight in parameters_of(lstm) if weight.dim() > 1]
        self.sizes = nn.ParameterList(one.norm(dim=1, keepdim=True) for one in matrices)

    def forward(self, lstm: nn.LSTM, x: Tensor, native: bool = True) -> Tensor:
        """The top layer's last hidden state (B, H) of windows (B, T, F)."""
        return last_hidden(lstm, x, native, self._weights(lstm))

    def states(self, lstm: nn.LSTM, x: Tensor) -> Tensor:
        """The top layer's hidden state after each step, (B, T, H)."""
        return torch_lstm(lstm, x, self._weights(lstm))[0]

    def _weights(self, lstm: nn.LSTM) -> list[Tensor]:
        """The weights of ``lstm`` with rows of the learned sizes."""
        sizes = iter(self.sizes)
        return [
            functional.normalize(weight, dim=1) * next(sizes) if weight.dim() > 1 else weight
            for weight in parameters_of(lstm)
        ]
