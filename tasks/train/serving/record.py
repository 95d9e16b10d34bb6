"""What is recorded of a model beside its weights: its training rows, the history that it needs."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import torch

from foldproof.models.windows import eligible
from foldproof.tasks.data import DataSpec
from foldproof.tasks.train.serving.model import Laid, Served
from foldproof.tasks.train.serving.training_values import (
    Background,
    fitted_to,
    profiles,
    trained_on,
)
from foldproof.tasks.train.train import network_of
from foldproof.tasks.train.unit import TrainedUnit

NOTHING: Mapping[str, float] = MappingProxyType({})


def served_of(trained: TrainedUnit, features: tuple[str, ...], data: DataSpec) -> Served:
    """The forecaster that a trained unit is, without a detour through files."""
    unit = trained.unit
    return Served(
        network=network_of(trained, len(features)),
        statistics={name: torch.from_numpy(a) for name, a in trained.statistics.items()},
        variant=unit.variant,
        data=data,
        features=features,
        window=unit.network.window,
        target_scale=trained.target_scale,
    )


def background_of(
    served: Served, laid: Laid, trained: TrainedUnit, importance: Mapping[str, float] = NOTHING
) -> Background:
    """What a model's later scores are held against.

    Args:
        served: The forecaster.
        laid: Its raw rows from the first on, the training block among them.
        trained: Names that block.
        importance: Of its features, by integrated gradients, in any unit; sized to sum to 1.
    """
    fold = trained.unit.fold
    block = laid.between(*trained_on(fold))
    cut = slice(block.start, block.stop)
    total = sum(importance.values())
    return Background(
        trained_on=trained_on(fold),
        fitted_to=fitted_to(fold),
        history=history_needed(served, laid),
        reference=profiles(laid.values[cut][laid.member[cut]], laid.features),
        importance={name: value / total for name, value in importance.items()} if total else {},
    )


def history_needed(served: Served, laid: Laid) -> int:
    """Dates from the first row of a symbol to its first score, of the symbol that needs least.

    It is measured, because only the rows show what a function of one's own looks back at.
    """
    days = len(laid.dates)
    member = torch.from_numpy(laid.member)
    samples = eligible(served.normalized(laid), member, range(days), served.window)
    scored = np.full(len(laid.symbols), days)
    np.minimum.at(scored, (samples // days).numpy(), (samples % days).numpy())
    return int((scored - laid.member.argmax(axis=0) + 1).min())
