"""Attribution of a trained unit's test forecasts to raw features and lags."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from models import engine
from models.normalizers import Scaled, resolve
from models.windows import eligible
from tasks.attribute.gradients import CHUNK, ForwardOf, frozen, outputs_at
from tasks.attribute.integrated import path_integral
from tasks.attribute.partials import MeanPartials, partials_of
from tasks.attribute.sampling import cut, draw, spread_cross_sections, spread_samples
from tasks.attribute.scoring import coupled_scorer, scorer
from tasks.attribute.tables import TOLERANCE, Attribution, Paths, tables
from tasks.data.panel import Panel
from tasks.train import TrainedUnit, network_of, normalized

DOUBLINGS = 4
"""How often the nodes are doubled for samples that exceed it."""
DATES = 64
"""Cross-sections at most for the mean partial derivatives of a unit."""
NO_CHANGE = 1e-9
"""A change of the forecast below this share of its size is none."""


@dataclass(frozen=True, eq=False)
class Scene:
    """What a unit is attributed on: its panel as the network sees it and its eligible samples."""

    trained: TrainedUnit
    panel: Panel
    scaled: Scaled
    test: Tensor
    train: Tensor

    def windows(self, samples: Tensor) -> Tensor:
        """(B, T, F) float64 windows on the unit's device.

        In float32 the rounding of a forecast alone exceeds the tolerance where it hardly changes.
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


def attribute_unit(
    trained: TrainedUnit, panel: Panel, samples: int, nodes: int, seed: int
) -> Attribution:
    """Integrated gradients and mean partial derivatives of a unit's test forecasts.

    Attributed is the whole way from raw features through window and hidden normalizers to the
    forecast in target units; the input normalizer's statistics are held fixed. That map is affine
    in a raw cell, and integrated gradients do not change under it; partial derivatives are
    multiplied by its slope and by the feature's standard deviation in the training block.

    Each sample's baseline is a window drawn from the training block: observed data, so the way is
    no artefact where a constant window is degenerate (instance norm, RevIN), and completeness
    holds per sample. The mean partials take whole cross-sections of evenly spread test dates, for
    at most as many gradients as the paths.

    Args:
        trained: The unit.
        panel: The panel that it was trained on.
        samples: Test windows for integrated gradients, at most; spread evenly over dates.
        nodes: Gauss-Legendre nodes; doubled, up to 16-fold, for samples above the tolerance.
        seed: Seeds the choice of samples and baselines.

    Raises:
        ValueError: ``samples`` or ``nodes`` below 1; no complete window in the test or training
            block; the panel is not the one of the unit.
    """
    if samples < 1:
        raise ValueError(f"samples must be at least 1 to attribute a unit; it is {samples}")
    scene = scene_of(trained, panel)
    generator = torch.Generator().manual_seed(seed)
    chosen = spread_samples(scene.test, samples, generator)
    baseline = scene.windows(draw(scene.train, len(chosen), generator))
    paths = resolved_paths(scene.forward(chosen), scene.windows(chosen), baseline, nodes)
    whole = spread_cross_sections(scene.test, len(panel.dates), DATES, samples * nodes)
    partials = scene_partials(scene, whole)
    return tables(trained, panel.features, paths, partials)


def scene_of(trained: TrainedUnit, panel: Panel) -> Scene:
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
    return Scene(trained, panel, scaled, found["test"], found["train"])


def resolved_paths(forward: ForwardOf, inputs: Tensor, baseline: Tensor, nodes: int) -> Paths:
    """Integrated gradients; samples whose completeness error is too large get more nodes."""
    with frozen(forward):
        attributions, gap, change = path_integral(forward, inputs, baseline, nodes)
        floor = least_change(outputs_at(forward, inputs, CHUNK))
        error = gap.abs() / change.abs().clamp_min(floor)
        for _ in range(DOUBLINGS):
            wide = (error > TOLERANCE).nonzero().squeeze(1)
            if not len(wide):
                break
            nodes *= 2
            attributions[wide], gap, change = path_integral(
                restricted(forward, wide), inputs[wide], baseline[wide], nodes
            )
            error[wide] = gap.abs() / change.abs().clamp_min(floor)
    return Paths(attributions.cpu(), error.cpu(), nodes)


def restricted(forward: ForwardOf, samples: Tensor) -> ForwardOf:
    """``forward`` for a selection of its samples, numbered anew."""
    return lambda points, rows: forward(points, samples[rows])


def least_change(forecasts: Tensor) -> float:
    """The change of a forecast that errors are relative to at least.

    A hundredth of the forecasts' spread; where they do not vary, what counts as no change.
    """
    spread = 0.01 * float(forecasts.std(correction=0))
    none = NO_CHANGE * float(forecasts.abs().max())
    return max(spread, none, torch.finfo(forecasts.dtype).tiny)


def scene_partials(scene: Scene, samples: Tensor) -> MeanPartials:
    """Mean partials of whole cross-sections, per standard deviation of the raw feature."""
    forward, inputs = scene.forward(samples), scene.windows(samples)
    slope = scene.scaled.slope.expand_as(scene.scaled.values)
    unit = cut(slope, samples, inputs.shape[1]).double() * feature_spread(scene)
    with frozen(forward):
        return partials_of(
            forward,
            inputs,
            scene.panel.dates[samples.numpy() % len(scene.panel.dates)],
            scale=unit.to(inputs.device),
        )


def feature_spread(scene: Scene) -> Tensor:
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
