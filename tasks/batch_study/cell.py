"""One network of the study: trained on a batch composition, scored honestly and in train mode."""

import copy
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from foldproof.models import engine
from foldproof.models.leaky import batches_of, in_passes
from foldproof.models.network import Forecaster
from foldproof.models.windows import Windows
from foldproof.tasks.data.panel import Panel
from foldproof.tasks.diagnose.network.calls import dropout_off
from foldproof.tasks.statistics.rank_ic import rank_ics
from foldproof.tasks.train import TrainedUnit, Unit, network_of, train_unit, unit_windows


@dataclass(frozen=True)
class Scored:
    """Mean daily rank IC of a trained network on the test block, by scoring mode.

    Attributes:
        seed: Seed of the network, and of the panel if it is synthetic.
        honest: Eval mode, date by date.
        train_mode: Train mode, dropout off, weights frozen, on batches of the composition used in
            training: the result of a forgotten ``eval()``.
        train_mode_dates: The same on batches of one date.
        best_epoch: The epoch whose weights were kept, by the honest validation loss.
        epochs: Number of epochs trained.
        chance: Standard error of the rank IC without skill; see :func:`chance`.
    """

    seed: int
    honest: float
    train_mode: float
    train_mode_dates: float
    best_epoch: int
    epochs: int
    chance: float


def scored_cell(unit: Unit, panel: Panel) -> Scored:
    """Train a unit and score its test block in the three modes.

    ``unit.training.batches`` is the composition; the variant must not overrule it, see
    :func:`~foldproof.tasks.batch_study.composition.why_not`.
    """
    trained = train_unit(unit, panel)
    samples, windows = test_samples(trained, panel)
    network = network_of(trained, len(panel.features))
    batches, size = unit.training.batches, unit.training.batch_size
    modes = {
        "honest": engine.predict(network, windows, samples),
        "train_mode": in_train_mode(network, windows, samples, batches, size, unit.seed),
        "train_mode_dates": in_train_mode(network, windows, samples, "date", size, unit.seed),
    }
    target, dates = windows.target[samples], windows.date(samples)
    figures = {name: rank_ic(forecast, target, dates) for name, forecast in modes.items()}
    return Scored(
        seed=unit.seed,
        best_epoch=trained.best_epoch,
        epochs=len(trained.curves),
        chance=chance(target, dates),
        **figures,
    )


def test_samples(trained: TrainedUnit, panel: Panel) -> tuple[Tensor, Windows]:
    """(N,) samples of the test block, and the windows they index; on the CPU."""
    unit = trained.unit
    windows = unit_windows(unit, panel, trained.statistics, unit.fold.test, np.array(panel.target))
    return windows.eligible(torch.from_numpy(np.array(panel.member)), unit.fold.test), windows


def in_train_mode(
    network: Forecaster, windows: Windows, samples: Tensor, batches: str, size: int, seed: int
) -> Tensor:
    """Forecasts (N,) of ``samples`` (N,) in train mode, dropout off, without gradients.

    .. warning::

        This is the mistake under study. Every pass in train mode changes running statistics, so a
        copy is scored; the network does not change.

    Args:
        network: Frozen weights.
        windows: The windows of the panel.
        samples: The samples to score.
        batches: Key of ``foldproof.models.batches.BATCHES``.
        size: Largest number of samples in a batch.
        seed: Seed of the order of batches, and of their content if shuffled.
    """
    moved = copy.deepcopy(network)
    dropout_off(moved).train()
    order = batches_of(windows, samples, batches, size, seed)
    return in_passes(moved, windows, samples, order)


def rank_ic(forecast: Tensor, target: Tensor, dates: Tensor) -> float:
    """Mean over dates of the Spearman correlation across symbols; (N,) each.

    Samples without a target are left out; a date whose forecasts are all equal counts as 0.
    """
    return float(np.nanmean(rank_ics(forecast[None].numpy(), target.numpy(), dates.numpy())))


def chance(target: Tensor, dates: Tensor) -> float:
    """Standard error of :func:`rank_ic` of forecasts independent of the target.

    The Spearman correlation of n independent pairs has variance exactly 1 / (n - 1), and the days
    of a martingale are uncorrelated.
    """
    counts = dates[target.isfinite()].unique(return_counts=True)[1].double()
    return float((1 / (counts - 1)).sum().sqrt() / len(counts))
