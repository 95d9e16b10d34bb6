"""Facts recorded beside a model's weights: its training rows and the history that it needs."""

from collections.abc import Mapping
from datetime import date
from types import MappingProxyType

import numpy as np
import torch

from foldproof.models.network import Ensemble
from foldproof.models.normalizers import resolve
from foldproof.models.windows import eligible
from foldproof.tasks.data import DataSpec
from foldproof.tasks.train.serving.model import ModelInputs, Served
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
    """The forecaster of a trained unit, or of its ensemble with other seeds, in memory."""
    unit = trained.unit
    networks = [network_of(one, len(features)) for one in (trained, *trained.others)]
    return Served(
        network=Ensemble(networks) if trained.others else networks[0],
        statistics={name: torch.from_numpy(a) for name, a in trained.statistics.items()},
        variant=unit.variant,
        data=data,
        features=features,
        window=unit.network.window,
        target_scale=trained.target_scale,
    )


def background_of(
    served: Served,
    inputs: ModelInputs,
    trained: TrainedUnit,
    importance: Mapping[str, float] = NOTHING,
) -> Background:
    """The facts that later scores of a model are compared with.

    Args:
        served: The forecaster.
        inputs: Its rows from the first date on, including the training block.
        trained: The unit, which has the training block.
        importance: Importance of its features by integrated gradients; scaled to sum to 1.
    """
    fold, unbounded = trained.unit.fold, resolve(served.variant).unbounded
    days, trained_days = (one.astype("datetime64[D]") for one in (inputs.dates, fold.train_dates))
    cut = np.isin(days, trained_days)
    total = sum(importance.values())
    return Background(
        trained_on=trained_on(fold),
        fitted_to=fitted_to(fold),
        history=history_needed(served, inputs),
        since=date.fromisoformat(str(inputs.dates[0])[:10]) if unbounded else None,
        reference=profiles(inputs.values[cut][inputs.member[cut]], inputs.features),
        importance={name: value / total for name, value in importance.items()} if total else {},
    )


def history_needed(served: Served, inputs: ModelInputs) -> int:
    """Dates from a symbol's first row to its first score; the smallest number of all symbols.

    It is measured, because the look-back of a user's feature function is unknown.
    """
    days = len(inputs.dates)
    member = torch.from_numpy(inputs.member)
    samples = eligible(served.normalized(inputs), member, range(days), served.window)
    scored = np.full(len(inputs.symbols), days)
    np.minimum.at(scored, (samples // days).numpy(), (samples % days).numpy())
    return int((scored - inputs.member.argmax(axis=0) + 1).min())
