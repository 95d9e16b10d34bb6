"""Networks of the benchmark: trained on windows or sequences, scored batch by batch."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from foldproof.models.batches import BATCHES
from foldproof.models.network import build
from foldproof.models.normalizers import Variant
from foldproof.models.spec import NetworkSpec
from foldproof.tasks.benchmark.honest.forecaster import HONEST, WINDOW, Parts, Samples, on_dates
from foldproof.tasks.benchmark.honest.market import DAILY
from foldproof.tasks.diagnose.trace.trace import Trace
from foldproof.tasks.split import Fold

HIDDEN = 8
EPOCHS = 4
BATCH = 128
RATE = 1e-2


def lagged(scaled: pd.DataFrame) -> pd.DataFrame:
    """(n, T * F) windows, oldest row first; NaN before the stock's first row."""
    past = [scaled.groupby(level=1).shift(lag) for lag in range(WINDOW - 1, -1, -1)]
    names = [f"{name}@{lag}" for lag in range(WINDOW - 1, -1, -1) for name in scaled]
    return pd.concat(past, axis=1).set_axis(names, axis=1)


def tensor(inputs: pd.DataFrame, samples: Samples, dtype: torch.dtype = torch.float32) -> Tensor:
    """(B, T, F) windows of ``samples``."""
    values = inputs.loc[samples].to_numpy(dtype=np.float64)
    return torch.from_numpy(values).to(dtype).unflatten(1, (WINDOW, -1))


def numbered(samples: Samples) -> tuple[Tensor, Tensor]:
    """(B,) date and symbol numbers."""
    dates = samples.get_level_values(0).to_numpy().astype("datetime64[D]").astype(np.int64)
    _, symbols = np.unique(samples.get_level_values(1).to_numpy(dtype=str), return_inverse=True)
    return torch.from_numpy(dates), torch.from_numpy(symbols.reshape(-1).astype(np.int64))


def seeded(make: Callable[[], nn.Module], seed: int = 0) -> nn.Module:
    """A new module from a fixed seed; the global random state does not change."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return make()


def fit_windows(
    make: Callable[[int], nn.Module],
    batches: str,
    size: int,
    inputs: pd.DataFrame,
    y: pd.DataFrame,
    samples: Samples,
    fold: Fold,
    stop_on: Callable[[pd.DataFrame, pd.DataFrame, Fold], Samples] | None = None,
    epochs: int = EPOCHS,
) -> nn.Module:
    """Train ``make(F)`` on the training dates; keep the best epoch on validation.

    Args:
        make: Number of features -> module (windows, dates) -> (B,).
        batches: Key of ``foldproof.models.batches.BATCHES``.
        size: Samples in a batch.
        inputs: Windows.
        y: Targets.
        samples: The samples allowed in training.
        fold: The training, validation and test dates.
        stop_on: (inputs, targets, fold) -> samples on which the epoch is chosen; by default the
            validation dates.
        epochs: Passes over the training samples.
    """
    complete = inputs.index[inputs.notna().all(axis=1)]
    usable = samples.intersection(complete).sort_values()
    train = on_dates(usable, fold.train_dates)
    held = stop_on(inputs, y, fold) if stop_on else on_dates(usable, fold.validation_dates)
    held = held.intersection(complete)
    network = seeded(lambda: make(inputs.shape[1] // WINDOW))
    optimizer = torch.optim.Adam(network.parameters(), lr=RATE)
    (dates, symbols), (held_dates, _) = numbered(train), numbered(held)
    x, target = tensor(inputs, train), targets(y, train)
    held_x, held_y = tensor(inputs, held), targets(y, held)
    generator, best = torch.Generator().manual_seed(0), np.inf
    kept = copy.deepcopy(network.state_dict())
    for _ in range(epochs):
        network.train()
        places = torch.arange(len(train))
        for chosen in BATCHES[batches].cut(places, dates, symbols, size, generator):
            optimizer.zero_grad()
            loss = (network(x[chosen], dates[chosen]) - target[chosen]).square().mean()
            loss.backward()
            optimizer.step()
        network.eval()
        with torch.no_grad():
            reached = float((network(held_x, held_dates) - held_y).square().mean())
        if reached < best:
            best, kept = reached, copy.deepcopy(network.state_dict())
    network.load_state_dict(kept)
    return network.eval()


def targets(y: pd.DataFrame, samples: Samples) -> Tensor:
    """(B,) targets in units of a daily standard deviation, so that losses are near 1."""
    return torch.from_numpy(y.loc[samples, "target"].to_numpy() / DAILY).float()


@dataclass(frozen=True)
class Scoring:
    """How a network is scored.

    Attributes:
        batches: Key of BATCHES, or ``all`` for one batch of the whole test block.
        size: Samples in a batch.
        training: Whether the network is scored in training mode.
        prepare: (network, windows, dates), run before scoring, or None.
    """

    batches: str = "date"
    size: int = BATCH
    training: bool = False
    prepare: Callable[[nn.Module, Tensor, Tensor], None] | None = None

    def __call__(
        self, model: nn.Module, inputs: pd.DataFrame, test: Samples, fold: Fold, trace: Trace,
        y: pd.DataFrame,
    ) -> pd.Series:  # fmt: skip
        """Scores of the complete windows among ``test``."""
        samples = test.intersection(inputs.index[inputs.notna().all(axis=1)]).sort_values()
        x, (dates, symbols) = tensor(inputs, samples), numbered(samples)
        network = model.train(self.training)
        if self.prepare is not None:
            self.prepare(network, x, dates)
        places, generator = torch.arange(len(samples)), torch.Generator().manual_seed(0)
        cut = (
            [places]
            if self.batches == "all"
            else BATCHES[self.batches].cut(places, dates, symbols, self.size, generator)
        )
        target = torch.tensor(y["target"].reindex(samples).to_numpy(dtype=np.float64))
        traced = traced_batch(cut, dates)
        names = samples.get_level_values(1)[traced.numpy()]
        trace.network(network, x[traced], dates[traced], target[traced], names)
        scores = torch.empty(len(samples))
        with torch.no_grad():
            for chosen in cut:
                scores[chosen] = network(x[chosen], dates[chosen])
        return pd.Series(scores.double().numpy(), index=samples)


def traced_batch(cut: Sequence[Tensor], dates: Tensor, most: int = 96) -> Tensor:
    """The first batch with several dates, else the first few batches joined."""
    for batch in cut:
        if len(dates[batch].unique()) > 1:
            return batch[:: max(1, -(-len(batch) // most))]
    return torch.cat(list(cut[:3]))[:most]


def lstm(variant: Variant) -> Callable[[int], nn.Module]:
    """A factory of the project's network with ``variant``."""
    spec = NetworkSpec(window=WINDOW, hidden=HIDDEN)
    return lambda features: build(variant, features, spec, 0)


def network_parts(
    make: Callable[[int], nn.Module],
    scoring: Scoring = Scoring(),  # frozen
    batches: str = "shuffled",
    size: int = BATCH,
) -> Parts:
    """The honest parts with a network on windows in place of the linear model."""
    train = partial(fit_windows, make, batches, size)
    return replace(HONEST, windows=lagged, train=train, score=scoring)


def fit_sequences(
    make: Callable[[int], nn.Module],
    inputs: pd.DataFrame,
    y: pd.DataFrame,
    samples: Samples,
    fold: Fold,
) -> nn.Module:
    """Train ``make(F)``, (B, T, F) -> (B, T), on the training dates with a loss at each step."""
    train = on_dates(samples.intersection(inputs.dropna().index), fold.train_dates)
    network = seeded(lambda: make(inputs.shape[1]))
    optimizer = torch.optim.Adam(network.parameters(), lr=RATE)
    stocks = [group.index for _, group in inputs.loc[train].groupby(level=1)]
    longest = max(map(len, stocks))
    whole = [stock for stock in stocks if len(stock) == longest]
    x = torch.stack([torch.tensor(inputs.loc[s].to_numpy()).float() for s in whole])
    target = torch.stack([targets(y, stock) for stock in whole])
    for _ in range(3 * EPOCHS):
        optimizer.zero_grad()
        (network(x) - target).square().mean().backward()
        optimizer.step()
    return network.eval()


def score_sequences(
    model: nn.Module, inputs: pd.DataFrame, test: Samples, fold: Fold, trace: Trace, y: pd.DataFrame
) -> pd.Series:
    """The output at each test date in a pass over each stock's rows since training began."""
    rows = inputs.loc[inputs.index.get_level_values(0) >= fold.train_dates[0]].dropna()
    found = []
    with torch.no_grad():
        for _, group in rows.groupby(level=1):
            x = torch.tensor(group.to_numpy()).float().unsqueeze(0)
            found.append(pd.Series(model(x)[0].double().numpy(), index=group.index))
    scores = pd.concat(found)
    return scores[scores.index.isin(test)].sort_index()
