"""The data that a trained unit is attributed on: its normalized panel, samples and network."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from foldproof.models import engine
from foldproof.models.date_rows import at
from foldproof.models.normalizers import Scaled, resolve
from foldproof.models.windows import eligible
from foldproof.tasks.attribute.baselines.sampling import cut
from foldproof.tasks.attribute.network.forward import forward_of
from foldproof.tasks.attribute.network.gradients import ForwardOf
from foldproof.tasks.data.panel import Panel
from foldproof.tasks.train import TrainedUnit, network_of, normalized


@dataclass(frozen=True, eq=False)
class UnitInputs:
    """A unit with its panel as the network gets it and its eligible samples.

    Attributes:
        trained: The unit.
        panel: The panel that it was trained on.
        scaled: The normalized panel (D, S, F).
        member: (D, S) bool, in the universe on that day.
        test: (N,) int64 samples s * D + d of the test block with a whole window.
        train: Those of the training block.
    """

    trained: TrainedUnit
    panel: Panel
    scaled: Scaled
    member: Tensor
    test: Tensor
    train: Tensor

    @property
    def key(self) -> dict[str, object]:
        """The columns that name the unit in every table: variant, fold, seed."""
        unit = self.trained.unit
        return {"variant": unit.variant, "fold": unit.fold.number, "seed": unit.seed}

    @property
    def spread(self) -> float:
        """Standard deviation of the unit's forecasts, the unit of completeness errors."""
        return float(self.trained.forecasts["forecast"].std(ddof=0)) or 1.0

    @property
    def coupled(self) -> bool:
        """Whether a forecast depends on the other stocks of its date."""
        return resolve(self.trained.unit.variant).coupling != "none"

    def windows(self, samples: Tensor) -> Tensor:
        """(B, T, F) float64 windows on the unit's device.

        In float32, rounding alone would amount to about 1e-6 of the spread of the forecasts.
        """
        unit = self.trained.unit
        picked = cut(self.scaled.values, samples, unit.network.window)
        return picked.to(engine.device(unit.training), torch.float64)

    def forward(self, samples: Tensor) -> ForwardOf:
        """The network as a function of points that belong to ``samples``."""
        device, scale = engine.device(self.trained.unit.training), self.trained.target_scale
        network = network_of(self.trained, len(self.panel.features)).to(device, torch.float64)
        days = len(self.panel.dates)
        return forward_of(network, self.coupled, samples, self.test, days, self.windows, scale)


def unit_inputs(trained: TrainedUnit, panel: Panel) -> UnitInputs:
    """The normalized panel and the samples of the unit's test and training blocks.

    Raises:
        ValueError: The panel is not the one of the unit, or a block has no complete window.
    """
    unit = trained.unit
    if unit.panel != panel.fingerprint:
        raise ValueError(
            f"unit {unit.key} was trained on panel {unit.panel[:12]}, this one is "
            f"{panel.fingerprint[:12]}: attribute it on its own panel"
        )
    scaled = normalized(unit, panel, trained.statistics)
    member = torch.from_numpy(np.array(panel.member))
    blocks = []
    for name, rows in (("test", unit.fold.test), ("train", unit.fold.train)):
        block = eligible(scaled.values, member, rows, unit.network.window)
        if not len(block):
            raise ValueError(
                f"variant {unit.variant}, fold {unit.fold.number}: no complete window of "
                f"{unit.network.window} rows in the {name} rows; nothing to attribute"
            )
        blocks.append(block)
    return UnitInputs(trained, panel, scaled, member, *blocks)


def feature_spread(inputs: UnitInputs) -> Tensor:
    """(F,) standard deviation of each feature over the members' training rows, in slope's units.

    Where the slope is 1 throughout, the normalized values are in the feature's unit: they are the
    raw values, or ranks, which have no slope.
    """
    rows = inputs.trained.unit.fold.train
    block = at(rows)
    plain = bool((inputs.scaled.slope == 1).all())
    values = inputs.scaled.values[block].numpy() if plain else inputs.panel.values[block]
    cells = values[inputs.panel.member[block]].astype(np.float64)  # (N, F)
    cells = np.where(np.isfinite(cells), cells, np.nan)
    return torch.from_numpy(np.nanstd(cells, axis=0))
