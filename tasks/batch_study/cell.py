"""One network of the study: trained on a batch composition, scored honestly and in train mode."""

import copy
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import Tensor

from foldproof.models import engine
from foldproof.models.batches import BATCHES
from foldproof.models.network import Forecaster
from foldproof.models.windows import Windows, eligible
from foldproof.tasks.data.panel import Panel
from foldproof.tasks.diagnose.network.calls import dropout_off
from foldproof.tasks.statistics.rank_ic import rank_ics
from foldproof.tasks.train import TrainedUnit, Unit, network_of, normalized, train_unit


@dataclass(frozen=True)
class Scored:
    """A trained network's mean daily rank IC on the test block, by how it was scored.

    Attributes:
        seed: Of the network, and of the panel where that is drawn.
        honest: Eval mode, every date by itself.
        train_mode: Train mode, dropout off, weights frozen, on batches of the composition that it
            was trained on: what a forgotten ``eval()`` reports.
        train_mode_dates: The same on batches of one date each.
        best_epoch: The epoch whose weights were kept, by the honest validation loss.
        epochs: Epochs that were trained.
        chance: Standard error of the rank IC where there is no skill; see :func:`chance`.
    """

    seed: int
    honest: float
    train_mode: float
    train_mode_dates: float
    best_epoch: int
    epochs: int
    chance: float


def scored_cell(unit: Unit, panel: Panel) -> Scored:
    """Train a unit and score its test block in the three ways.

    ``unit.training.batches`` is the composition; the variant must not overrule it, see
    :func:`~tasks.diagnose.batch_study.composition.why_not`.
    """
    trained = train_unit(unit, panel)
    samples, windows = test_samples(trained, panel)
    network = network_of(trained, len(panel.features))
    batches, size = unit.training.batches, unit.training.batch_size
    ways = {
        "honest": engine.predict(network, windows, samples),
        "train_mode": in_train_mode(network, windows, samples, batches, size, unit.seed),
        "train_mode_dates": in_train_mode(network, windows, samples, "date", size, unit.seed),
    }
    target, dates = windows.target[samples], windows.date(samples)
    figures = {name: rank_ic(forecast, target, dates) for name, forecast in ways.items()}
    return Scored(
        seed=unit.seed,
        best_epoch=trained.best_epoch,
        epochs=len(trained.curves),
        chance=chance(target, dates),
        **figures,
    )


def test_samples(trained: TrainedUnit, panel: Panel) -> tuple[Tensor, Windows]:
    """(N,) samples of the test block, and the windows that they index; on the CPU."""
    unit = trained.unit
    values = normalized(unit, panel, trained.statistics).values
    member = torch.from_numpy(np.array(panel.member))
    target = torch.from_numpy(np.array(panel.target))
    samples = eligible(values, member, unit.fold.test, unit.network.window)
    return samples, Windows.of(values, target, unit.network.window)


def in_train_mode(
    network: Forecaster, windows: Windows, samples: Tensor, batches: str, size: int, seed: int
) -> Tensor:
    """Forecasts (N,) of ``samples`` (N,) in train mode, dropout off, without gradients.

    .. warning::

        This is the mistake under study. Running statistics move with every pass in train mode, so
        a copy is scored; the network stays as it is.

    Args:
        network: Frozen weights.
        windows: Features.
        samples: What to score.
        batches: Key of ``foldproof.models.batches.BATCHES``.
        size: Samples in a batch at most.
        seed: Of the order of batches, and of their content where they are shuffled.
    """
    moved = copy.deepcopy(network)
    dropout_off(moved).train()
    order = BATCHES[batches].cut(
        samples,
        windows.date(samples),
        windows.symbol(samples),
        size,
        torch.Generator().manual_seed(seed),
    )
    forecast = windows.target.new_full(windows.target.shape, torch.nan)  # (S * D,), by sample
    with torch.no_grad():
        for batch in order:
            forecast[batch] = moved(windows.gather(batch), windows.date(batch))
    return forecast[samples]


def rank_ic(forecast: Tensor, target: Tensor, dates: Tensor) -> float:
    """Mean over dates of the Spearman correlation across symbols; (N,) each.

    Samples without a target do not count; a date whose forecasts are all equal counts 0.
    """
    return float(np.nanmean(rank_ics(forecast[None].numpy(), target.numpy(), dates.numpy())))


def chance(target: Tensor, dates: Tensor) -> float:
    """Standard error of :func:`rank_ic` of forecasts that have nothing to do with the target.

    A day's Spearman correlation of n independent pairs has variance 1 / (n - 1), exactly, and the
    days of a martingale are uncorrelated.
    """
    counts = dates[target.isfinite()].unique(return_counts=True)[1].double()
    return float((1 / (counts - 1)).sum().sqrt() / len(counts))


def row_of(panel: str, normalization: str, composition: str, scored: Scored) -> dict[str, object]:
    """One line of the study's long table."""
    names = {"panel": panel, "normalization": normalization, "composition": composition}
    return names | asdict(scored)
