"""Small torch modules: what they are coupled to is plain from their code."""

import copy

import torch
from torch import nn

from foldproof.tasks.diagnose.network.batch import FiniteDifferences, TestBatch
from foldproof.tasks.diagnose.network.calls import dropout_off
from foldproof.tasks.diagnose.network.coupling import coupling


class Reader(nn.Module):
    """LSTM whose last step, after ``norm``, is the forecast."""

    def __init__(self, norm=None, first=None):
        super().__init__()
        self.first = first or nn.Identity()
        self.lstm = nn.LSTM(3, 6, batch_first=True)
        self.norm = norm or nn.Identity()
        self.head = nn.Linear(6, 1)

    def forward(self, x):
        return self.head(self.norm(self.lstm(self.first(x))[0][:, -1])).squeeze(-1)


class Stepper(nn.Module):
    """One output a step."""

    def __init__(self, first=None, both=False):
        super().__init__()
        self.first = first or nn.Identity()
        self.lstm = nn.LSTM(3, 6, batch_first=True, bidirectional=both)

    def forward(self, x):
        return self.lstm(self.first(x))[0]


class Layer(nn.Module):
    """A function of (B, ...) as a module."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


class Dated(nn.Module):
    """Centres hidden states within the date, or on all dates before."""

    def __init__(self, relation):
        super().__init__()
        self.reader, self.relation = Reader(), relation

    def forward(self, x, dates):
        out = self.reader(x)
        related = self.relation(dates.unsqueeze(1), dates.unsqueeze(0)).to(out.dtype)
        return out - (related @ out) / related.sum(1).clamp_min(1)


class Counting(nn.Module):
    """Moves a buffer at every pass; ``used`` says whether it shows in the output."""

    def __init__(self, used):
        super().__init__()
        self.reader, self.used = Reader(), used
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, x):
        self.seen = self.seen + 1
        return self.reader(x) + self.seen * self.used


class Remembering(nn.Module):
    """Keeps the last mean in an attribute that is not a buffer."""

    def __init__(self):
        super().__init__()
        self.reader, self.last = Reader(), 0.0

    def forward(self, x):
        out = self.reader(x) + self.last
        self.last = float(x.mean())
        return out


def built(make):
    """A module with the same weights each time."""
    torch.manual_seed(0)
    return make()


def module_batch(module, windows, dates, training=False, seed=0):
    """A module in one mode as the audit tests it, and what finite changes show."""
    module = dropout_off(copy.deepcopy(module)).to(windows.dtype).train(training)
    texts = [f"day {date}" for date in dates.tolist()]
    tolerance = 1e-9 if windows.dtype == torch.float64 else 1e-5
    mode = "training mode" if training else "eval mode"
    one = TestBatch(module, windows, dates, texts, seed, tolerance, mode, counts=True)
    moves = coupling(one.forward, windows, dates, seed, resize=False)
    return one, FiniteDifferences(later=moves.later.size > tolerance)


def instance_norm():
    return Layer(lambda x: (x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True))


def causal_norm():
    steps = torch.arange(1, 6).view(1, -1, 1)
    return Layer(lambda x: x - x.cumsum(1) / steps)


def rank(x):
    return x.argsort(0).argsort(0).to(x.dtype) / len(x)
