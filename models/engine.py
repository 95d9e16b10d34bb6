"""Training with early stopping, and scoring in which each date is independent of the others."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from foldproof.models.adamw import AdamW
from foldproof.models.batches import BATCHES
from foldproof.models.chunks import batches_of, gathered, stretches, why_not
from foldproof.models.leaky import scored_leaking
from foldproof.models.losses import LOSSES, Loss
from foldproof.models.native.kernel import Place, kernel, parameters_of
from foldproof.models.native.step import TrainingStep
from foldproof.models.network import Forecaster
from foldproof.models.normalizers.variant import Variant
from foldproof.models.spec import NetworkSpec, TrainingSpec, require
from foldproof.models.windows import Windows

SCORED_TOGETHER = 256
"""Maximum number of slots in a forward pass of scoring, if at least two dates fit."""

NO_DATE = -1
"""The date of an empty slot."""


@dataclass(frozen=True)
class Epoch:
    """Mean losses of one pass; the training loss is measured before each step."""

    train_loss: float
    validation_loss: float


@dataclass(frozen=True, eq=False)
class Fit:
    """The result of training.

    Attributes:
        weights: Parameters and buffers of the best epoch, on the CPU.
        curves: One entry per epoch, including those after the best.
        best_epoch: The epoch whose weights were kept, counted from 1.
    """

    weights: dict[str, Tensor]
    curves: list[Epoch]
    best_epoch: int


def device(spec: TrainingSpec) -> torch.device:
    """The device of ``spec``; auto is CUDA if there is one."""
    if spec.device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(spec.device)


def lstm_engine(network: NetworkSpec, training: TrainingSpec) -> str:
    """What runs the LSTM here: torch, or native with instruction set and version.

    The two agree to float32 rounding, so a stored result is valid for its engine only.
    """
    if training.engine == "torch" or native_refusal(network, training):
        return "torch"
    found = kernel()
    assert found is not None  # otherwise there is a refusal
    return found.name


def native_refusal(network: NetworkSpec, training: TrainingSpec) -> str:
    """Why the native LSTM cannot run; empty if it can."""
    if device(training).type != "cpu":
        return "runs on the CPU only; set training.device to cpu"
    if network.dropout and network.layers > 1:
        return "has no dropout between layers; set network.dropout to 0"
    if kernel() is None:
        return "is not built for this machine; install foldproof where there is a C compiler"
    return ""


def require_engine(network: NetworkSpec, training: TrainingSpec) -> None:
    """Raise ValueError if ``training`` asks for the native LSTM and it cannot run."""
    why = training.engine == "native" and native_refusal(network, training)
    require(not why, f"training.engine: native {why}, or training.engine to auto")


def require_samples(name: str, variant: Variant, training: TrainingSpec) -> None:
    """Raise ValueError if ``variant`` cannot be trained on what ``training`` learns from.

    A comparison of variants trained on windows with others trained on chunks would be confounded.
    """
    why = training.samples == "chunks" and why_not(variant)
    require(
        not why,
        f"training.samples chunks cannot train {name}: {why}; leave it out, or set "
        "training.samples to windows",
    )


def fit(
    network: Forecaster,
    windows: Windows,
    train: Tensor,
    validation: Tensor,
    spec: TrainingSpec,
    seed: int,
    batches: str | None = None,
) -> Fit:
    """Train ``network`` in place with AdamW until the validation loss stops improving.

    Args:
        network: It gets the best weights, on the windows' device.
        windows: Features and targets.
        train: (N,) samples to train on, with finite targets.
        validation: (M,) samples for early stopping.
        spec: Loss, batches, optimizer, stopping.
        seed: Seed of batch order and dropout; the global random state is restored.
        batches: Key of ``foldproof.models.batches.BATCHES`` that overrides ``spec.batches``.

    Raises:
        ValueError: Too few samples, or a loss that is not finite.
    """
    for name, block, samples in (
        ("training", "train", train), ("validation", "validation", validation)
    ):  # fmt: skip
        require(
            len(samples) >= 2,
            f"{name} needs at least 2 samples; it has {len(samples)} complete windows of "
            f"{windows.length} rows with a known label: lengthen split.{block}, shorten "
            "network.window, or check the features for warm-up and gaps",
        )
    where, loss = windows.rows.device, LOSSES[spec.loss]
    network.to(where)
    train, validation = train.to(where), validation.to(where)
    dates, symbols = windows.date(train), windows.symbol(train)
    generator, draw = Generator().manual_seed(seed), BATCHES[batches or spec.batches].cut
    chunks = spec.samples == "chunks"
    answers = _on_chunks if chunks else _on_windows
    runs = stretches(train, windows.dates, spec.chunk) if chunks else []
    _fit_ahead(network, windows, train, validation, spec, seed)
    optimizer = AdamW(network.parameters(), spec)
    step = _step(network, windows, answers, loss, optimizer)
    if not chunks and spec.loss == "mse":
        step = _native_step(network, windows, optimizer) or step
    curves: list[Epoch] = []
    weights: dict[str, Tensor] = {}
    best = 0
    with torch.random.fork_rng(devices=[where] if where.type == "cuda" else []):
        torch.manual_seed(seed)
        while len(curves) < min(spec.epochs, best + spec.patience if best else spec.epochs):
            order = (
                batches_of(runs, spec.batch_size, generator)
                if chunks
                else draw(train, dates, symbols, spec.batch_size, generator)
            )
            train_loss = _train(network, windows, order, step)
            forecast = predict(network, windows, validation)
            reached = loss(forecast, windows.target[validation], windows.date(validation))
            curves.append(Epoch(train_loss, float(reached)))
            epoch = curves[-1]
            require(
                math.isfinite(epoch.train_loss) and math.isfinite(epoch.validation_loss),
                f"the loss must stay finite; in epoch {len(curves)} it is {epoch.train_loss} in "
                f"training and {epoch.validation_loss} in validation: lower learning_rate (now "
                f"{spec.learning_rate}), or use a normalization that bounds the features",
            )
            if not best or epoch.validation_loss < curves[best - 1].validation_loss:
                best = len(curves)
                weights = {
                    name: value.cpu().clone() for name, value in network.state_dict().items()
                }
    network.load_state_dict(weights)
    return Fit(weights, curves, best)


AHEAD_EPOCHS = 5
"""Passes over the training block by a normalizer that learns the rows after each window: those of
the authors of SAN."""


def _fit_ahead(
    network: Forecaster,
    windows: Windows,
    train: Tensor,
    validation: Tensor,
    spec: TrainingSpec,
    seed: int,
) -> None:
    """Train a window normalizer that learns the rows after each window, then keep it fixed.

    Its target reaches ``ahead`` rows beyond the window, so windows just before dates that are not
    trained on are purged. A leaky control purges none, and learns from the validation block too.
    """
    normalizer = network.window
    if normalizer is None or not normalizer.ahead:
        return
    allowed = windows.date(train).unique()
    if not normalizer.purged:
        train = torch.cat([train, validation])
        allowed = torch.arange(windows.first, windows.last + 1, device=train.device)
    samples = windows.followed(train, normalizer.ahead, allowed)
    require(
        len(samples) >= 2,
        f"{type(normalizer).__name__} learns from windows and the {normalizer.ahead} rows after "
        f"them; {len(samples)} windows have these rows in the training block: lengthen "
        "split.train, or leave out this variant",
    )
    generator = Generator().manual_seed(seed)
    steps = torch.arange(1, normalizer.ahead + 1, device=samples.device)
    optimizer = AdamW(normalizer.parameters(), spec)
    normalizer.train()
    for _ in range(AHEAD_EPOCHS):
        order = torch.randperm(len(samples), generator=generator).to(samples.device)
        for batch in samples[order].split(spec.batch_size):
            optimizer.zero_grad()
            later = windows.features(batch.unsqueeze(1) + steps)
            normalizer.ahead_loss(windows.gather(batch), later).backward()
            optimizer.step()
    normalizer.requires_grad_(False)


Answers = tuple[Tensor, Tensor]
"""Forecasts (N,) with gradients, and their samples (N,)."""


def _on_windows(network: Forecaster, windows: Windows, samples: Tensor) -> Answers:
    """The forecasts of windows; samples (B,)."""
    return network.at(windows, samples), samples


def _on_chunks(network: Forecaster, windows: Windows, batch: Tensor) -> Answers:
    """The forecasts along chunks on the days that count; batch (B, n)."""
    x, samples, counts = gathered(windows, batch)
    return network.along(x, windows.date(samples))[counts], samples[counts]


Step = Callable[[Tensor], tuple[Tensor | float, int]]
"""Train on a batch: the mean loss before the step, and the number of samples."""


def _step(
    network: Forecaster,
    windows: Windows,
    answers: Callable[[Forecaster, Windows, Tensor], Answers],
    loss: Loss,
    optimizer: AdamW,
) -> Step:
    """A step by autograd."""

    def step(batch: Tensor) -> tuple[Tensor, int]:
        optimizer.zero_grad()
        forecasts, samples = answers(network, windows, batch)
        value = loss(forecasts, windows.target[samples], windows.date(samples))
        value.backward()
        optimizer.step()
        return value.detach(), len(samples)

    return step


def _native_step(network: Forecaster, windows: Windows, optimizer: AdamW) -> Step | None:
    """A step of the loss mse in C, for a network that learns an LSTM and a head, nothing else."""
    found, normalizer = network.kernel_for(windows), network.window
    own = [*parameters_of(network.lstm), *network.head.parameters()]
    if (
        found is None
        or network.hidden is not None
        or (normalizer is not None and not normalizer.only_reads())
        or [*map(id, own)] != [*map(id, optimizer.parameters)]
    ):
        return None
    train = TrainingStep(found, network.lstm, network.head, optimizer)
    dropout, hidden = network.dropout, network.lstm.hidden_size

    def step(batch: Tensor) -> tuple[float, int]:
        mask = dropout(windows.rows.new_ones(len(batch), hidden)) if dropout.p else None
        if normalizer is None:
            x, place = windows.rows, Place(windows.starts(batch), windows.length)
        else:
            x, place = normalizer(windows.gather(batch))[0], None
        return train(x, place, windows.target[batch], mask), len(batch)

    return step


def _train(network: Forecaster, windows: Windows, order: list[Tensor], step: Step) -> float:
    """One pass in the given order; the mean loss over samples."""
    network.train()
    network.start_epoch()
    total, count = torch.zeros((), dtype=torch.float64, device=windows.rows.device), 0
    for batch in order:
        value, samples = step(batch)
        total += value * samples
        count += samples
    network.end_epoch(windows.gather(batch[batch >= 0]) for batch in order)
    return float(total / count)


def predict(network: Forecaster, windows: Windows, samples: Tensor) -> Tensor:
    """Forecasts (N,) of ``samples`` (N,) in eval mode, without gradients.

    A date's forecasts are equal to the last bit whichever other dates are scored with it. The
    rounding of a matrix product depends on its shape and on the position in it. So either a date
    has a forward pass to itself, or, with few symbols, each (date, symbol) has a fixed slot in a
    pass of fixed shape, and unused slots stay empty. The network's modes are restored, and its
    buffers do not change. A control may be scored in a way that leaks, see ``Variant.scoring``.
    """
    samples = samples.to(windows.rows.device)
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        with torch.no_grad():
            if network.scoring is not None:
                return scored_leaking(network, windows, samples, network.scoring)
            return _scored(network, windows, samples)
    finally:
        for module, mode in modes:
            module.training = mode


def _scored(network: Forecaster, windows: Windows, samples: Tensor) -> Tensor:
    """Forecasts (N,) of ``samples``, one forward pass after another."""
    forecast = windows.rows.new_empty(len(samples))
    together = SCORED_TOGETHER // windows.symbols
    size = max(1, together) * windows.symbols
    place = windows.date(samples) * windows.symbols + windows.symbol(samples)
    order = place.argsort()
    counts = (place[order] // size).unique_consecutive(return_counts=True)[1]
    found = network.kernel_for_rows(windows)
    answer = network if found is None else network.answer
    for chosen in order.split(counts.tolist()):
        dates = windows.date(samples[chosen])
        if found is None:
            x = windows.gather(samples[chosen])
        else:  # which reads the windows where they are, each without regard to the others
            x = network.last_at(found, windows, samples[chosen])
        if together > 1:
            slots = place[chosen] % size
            filled = x.new_zeros(*x.shape[1:-1], size, x.shape[-1])
            filled = filled if x.dim() == 2 else filled.transpose(0, 1)
            filled[slots] = x
            numbers = dates.new_full((size,), NO_DATE)
            numbers[slots] = dates
            forecast[chosen] = answer(filled, numbers)[slots]
        else:
            forecast[chosen] = answer(x, dates)
    return forecast
