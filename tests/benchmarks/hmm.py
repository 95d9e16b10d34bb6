"""The hidden Markov set: a two-state process, its GRU classifier and its true conditional.

Defined by Crabbe & van der Schaar (2021, experiment state) after Tonekaboni et al. (2020, NeurIPS,
"What went wrong and when?"), with the sizes and the classifier of the code published with
Enguehard, "Learning Perturbations to Explain Time Series Predictions" (2023, ICML).
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from foldproof.tasks.attribute.network.gradients import eval_mode
from tests.benchmarks.explainers import Explain

IMPORTANT = (1, 2)
"""The feature that decides the label, by state."""
MEANS = ((0.1, 1.6, 0.5), (-0.1, -0.4, -1.5))
VARIANCE, COVARIANCE = 0.801, 0.01
"""Variance of every feature; covariance of feature 0 with the important one, others are 0."""
TRAIN, TEST, LENGTH = 640, 50, 200
"""Training sequences (four fifths of 800, as in a published fold), explained sequences, steps.

The published number of explained sequences is 200; 50 give the same means in a quarter of the time.
"""
HIDDEN, EPOCHS, BATCH = 200, 50, 32


class Sequences(NamedTuple):
    """x (N, T, 3) float32, labels (N, T) int64, state (N, T) int64 in {0, 1}."""

    x: np.ndarray
    label: np.ndarray
    state: np.ndarray

    @property
    def relevant(self) -> np.ndarray:
        """(N, T, 3) bool: the one feature that decides the label, at each step."""
        return np.array(IMPORTANT)[self.state][..., None] == np.arange(3)


def stay(run: np.ndarray | Tensor) -> np.ndarray | Tensor:
    """Probability that state 1 continues after ``run`` steps without a change."""
    return 0.95 - run / 500


def covariance(state: int) -> np.ndarray:
    """(3, 3) covariance of the features in a state."""
    out = VARIANCE * np.eye(3)
    out[0, IMPORTANT[state]] = out[IMPORTANT[state], 0] = COVARIANCE
    return out


def draw(count: int, seed: int) -> Sequences:
    """Sequences of 200 steps: state, features given the state, label given its feature.

    State 1 follows state 0 with probability 0.05 and itself with 0.95, less 0.002 per step it has
    lasted. The label is 1 with probability 1 / (1 + exp(-2 x)), with x the important feature.
    """
    generator = np.random.default_rng(seed)
    previous, run = generator.integers(0, 2, count), np.zeros(count)
    state = np.empty((count, LENGTH), np.int64)
    for step in range(LENGTH):
        one = np.where(previous == 1, stay(run), 0.05)
        state[:, step] = generator.random(count) < one
        run = np.where(state[:, step] == previous, run + 1, 0)
        previous = state[:, step]
    root = np.stack([np.linalg.cholesky(covariance(s)) for s in (0, 1)])[state]
    noise = generator.standard_normal((count, LENGTH, 3))
    x = np.array(MEANS)[state] + np.einsum("ntij,ntj->nti", root, noise)
    deciding = np.take_along_axis(x, np.array(IMPORTANT)[state][..., None], 2)[..., 0]
    label = generator.random(state.shape) < 1 / (1 + np.exp(-2 * deciding))
    return Sequences(x.astype(np.float32), label.astype(np.int64), state)


class Classifier(nn.Module):
    """GRU -> batch norm -> ReLU -> dropout -> logits of the two labels at the last step."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.GRU(3, HIDDEN, batch_first=True)
        self.head = nn.Sequential(
            nn.BatchNorm1d(HIDDEN), nn.ReLU(), nn.Dropout(0.5), nn.Linear(HIDDEN, 2)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(P, T, 3) -> (P, 2)."""
        return self.head(self.rnn(x)[1][0])

    def by_step(self, x: Tensor) -> Tensor:
        """(P, T, 3) -> (P, T, 2), each step as a function of its own row with the past fixed."""
        with torch.no_grad():
            states = self.rnn(x)[0]
        before = torch.cat([torch.zeros_like(states[:, :1]), states[:, :-1]], 1)
        now = step_of(self.rnn, x.flatten(0, 1), before.flatten(0, 1))
        return self.head(now).view(*x.shape[:2], 2)


def step_of(rnn: nn.GRU, x: Tensor, before: Tensor) -> Tensor:
    """(N, H) state after one step on x (N, 3) from the state before (N, H)."""
    into = nn.functional.linear(x, rnn.weight_ih_l0, rnn.bias_ih_l0).chunk(3, -1)
    kept = nn.functional.linear(before, rnn.weight_hh_l0, rnn.bias_hh_l0).chunk(3, -1)
    reset, update = ((a + b).sigmoid() for a, b in zip(into[:2], kept[:2], strict=True))
    fresh = (into[2] + reset * kept[2]).tanh()
    return (1 - update) * fresh + update * before


def train(sequences: Sequences, seed: int, epochs: int = EPOCHS) -> Classifier:
    """The classifier, trained as published: each batch is cut after a random step."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        network = Classifier().train()
        x, label = torch.from_numpy(sequences.x), torch.from_numpy(sequences.label)
        optimizer = torch.optim.Adam(network.parameters(), lr=1e-4, weight_decay=1e-3)
        for _ in range(epochs):
            for rows in torch.arange(len(x)).split(BATCH):
                last = int(torch.randint(LENGTH, ()))
                optimizer.zero_grad()
                logits = network(x[rows, : last + 1])
                nn.functional.cross_entropy(logits, label[rows, last]).backward()
                optimizer.step()
    return network.eval().requires_grad_(False)


def true_logits(x: Tensor) -> Tensor:
    """(P, T, 3) -> (P, T) log odds of label 1 given all rows so far, with the past fixed.

    The exact filter of state and run length: the output of a perfect classifier.
    """
    likelihood, sure = emission(x), torch.sigmoid(2 * x[..., list(IMPORTANT)])  # (P, T, 2)
    joint = priors(likelihood.detach()) * likelihood
    chance = (joint * sure).sum(-1) / joint.sum(-1)
    return torch.logit(chance)


def emission(x: Tensor) -> Tensor:
    """(P, T, 3) -> (P, T, 2) density of each row in each state, the larger scaled to 1."""
    logs = []
    for state, mean in enumerate(MEANS):
        inverse = torch.from_numpy(np.linalg.inv(covariance(state))).to(x)
        away = x - torch.tensor(mean).to(x)
        logs.append(-0.5 * torch.einsum("pti,ij,ptj->pt", away, inverse, away))
    both = torch.stack(logs, -1)  # the determinants are equal
    return (both - both.detach().amax(-1, keepdim=True)).exp()


def priors(likelihood: Tensor) -> Tensor:
    """(P, T, 2) likelihoods -> (P, T, 2) probability of each state given the earlier rows."""
    count, length, _ = likelihood.shape
    zero, one = likelihood.new_full((count, 1), 0.5), likelihood.new_zeros(count, length + 1)
    one[:, 0] = 0.5  # (P, run length)
    on = stay(torch.arange(length + 1).to(likelihood))
    out = torch.empty_like(likelihood)
    for step in range(length):
        fresh = 0.05 * zero
        lasting = (one * on)[:, :-1]
        zero = 0.95 * zero + (one * (1 - on)).sum(1, keepdim=True)
        one = torch.cat([fresh, lasting], 1)
        out[:, step] = torch.cat([zero, one.sum(1, keepdim=True)], 1)
        zero, one = zero * likelihood[:, step, :1], one * likelihood[:, step, 1:]
        total = zero + one.sum(1, keepdim=True)
        zero, one = zero / total, one / total
    return out


def attributed(
    network: Classifier | None,
    sequences: np.ndarray,
    method: Explain,
) -> np.ndarray:
    """(N, T, 3) attributions of each step's output to its own row, from a baseline of zeros.

    As published, the output is the logit of the predicted label, and every prefix of the sequence
    moves from the baseline as a whole; the attributions of its last row are kept. Earlier rows move
    here too, but no gradient flows back to them, so one pass over the sequence serves all prefixes.

    Args:
        network: The classifier; None for the true conditional, in float64.
        sequences: (N, T, 3) float32.
        method: (forward, inputs, baseline) -> attributions.
    """
    x = torch.from_numpy(sequences).to(torch.float64 if network is None else torch.float32)
    zeros = torch.zeros_like(x)
    if network is None:  # either label: the log odds of the two differ in sign only
        return method(lambda points: true_logits(points).sum(1), x, zeros).numpy()
    both = [
        method(lambda points, k=k: network.by_step(points)[..., k].sum(1), x, zeros)
        for k in (0, 1)
    ]  # fmt: skip
    with eval_mode(network), torch.no_grad():
        given = network.by_step(x).argmax(-1, keepdim=True)
    return torch.where(given == 1, both[1], both[0]).numpy()
