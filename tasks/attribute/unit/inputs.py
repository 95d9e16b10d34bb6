"""."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from foldproof.models import engine
from foldproof.models.normalizers import Scaled, resolve
from foldproof.models.windows import eligible
from foldproof.tasks.attribute.baselines.sampling import (
    cut,
)
from foldproof.tasks.attribute.network.forward import coupled_scorer, scorer
from foldproof.tasks.attribute.network.gradients import ForwardOf
from foldproof.tasks.data.panel import Panel
from foldproof.tasks.train import TrainedUnit, network_of, normalized


@dataclass(frozen=True, eq=False)
class UnitInputs:
    """What a unit is attributed on: its panel as the network sees it and its eligible samples."""

    trained: TrainedUnit
    panel: Panel
    scaled: Scaled
    test: Tensor
    train: Tensor

    def windows(self, samples: Tensor) -> Tensor:
        """(B, T, F) float64 windows on the unit's device.

        In float32 rounding alone comes to about 1e-6 of the spread of the forecasts.
        """
        unit = self.trained.unit
        picked = cut(self.scaled.values, samples, unit.network.window)
        return picked.to(engine.device(unit.training), torch.float64)

    def forward(self, samples: Tensor) -> ForwardOf:
        """The network as a function of points that belong to ``samples``.

        A network that couples the samples of a date keeps the companions of a point as observed.
        """
        unit, days = self.trained.unit, len(self.panel.dates)
        device = engine.device(unit.training)
        network = network_of(self.trained, len(self.panel.features)).to(device, torch.float64)
        network.requires_grad_(False)
        dates = (samples % days).to(device)
        if network.hidden is None or resolve(unit.variant).coupling == "none":
            return scorer(network, dates, self.trained.target_scale)
        rest = self.test[torch.isin(self.test % days, samples % days)]
        rest = rest[~torch.isin(rest, samples)]
        everyone = torch.cat([samples, rest])
        return coupled_scorer(
            network,
            self.windows(everyone),
            (everyone % days).to(device),
            self.trained.target_scale,
        )


def unit_inputs(trained: TrainedUnit, panel: Panel) -> UnitInputs:
    """The normalized panel and the samples of the unit's test and training blocks."""
    unit = trained.unit
    if unit.panel != panel.fingerprint:
        raise ValueError(
            f"unit {unit.key} was trained on panel {unit.panel[:12]}, this one is "
            f"{panel.fingerprint[:12]}: attribute it on its own panel"
        )
    scaled = normalized(unit, panel, trained.statistics)
    member = torch.from_numpy(np.array(panel.member))
    blocks = {"test": unit.fold.test, "train": unit.fold.train}
    found = {
        name: eligible(scaled.values, member, rows, unit.network.window)
        for name, rows in blocks.items()
    }
    for name, block in found.items():
        if not len(block):
            raise ValueError(
                f"variant {unit.variant}, fold {unit.fold.number}: no complete window of "
                f"{unit.network.window} rows in the {name} rows; nothing to attribute"
            )
    return UnitInputs(trained, panel, scaled, found["test"], found["train"])


def feature_spread(scene: UnitInputs) -> Tensor:
    """(F,) standard deviation of each feature over the members' training rows, in slope's units.

    Where the slope is 1 throughout, the normalized values themselves are in the feature's unit:
    they are the raw ones, or ranks, which have no slope.
    """
    rows = scene.trained.unit.fold.train
    block = slice(rows.start, rows.stop)
    plain = bool((scene.scaled.slope == 1).all())
    values = scene.scaled.values[block].numpy() if plain else scene.panel.values[block]
    cells = values[scene.panel.member[block]].astype(np.float64)  # (N, F)
    cells = np.where(np.isfinite(cells), cells, np.nan)
    return torch.from_numpy(np.nanstd(cells, axis=0))
