"""Attribution of a trained unit's test forecasts to raw features and lags."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from models import engine
from models.normalizers import Scaled, resolve
from models.windows import eligible
from tasks.attribute.gradients import ForwardOf
from tasks.attribute.methods import ATTRIBUTIONS, DEFAULT, MAIN, Method, check_methods
from tasks.attribute.periods import directed, period_rows
from tasks.attribute.question import Answer, Question
from tasks.attribute.sampling import cut, draw, spread_cross_sections, spread_samples
from tasks.attribute.scoring import coupled_scorer, scorer
from tasks.attribute.tables import UNIT, Attribution, tables
from tasks.attribute.windows import Groups, alone
from tasks.data.panel import Panel
from tasks.train import TrainedUnit, network_of, normalized

DATES = 64
"""Cross-sections at most for the mean partial derivatives of a unit."""
REFERENCES = 256
"""Training windows that stand for the training distribution."""


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


def attribute_unit(
    trained: TrainedUnit,
    panel: Panel,
    samples: int,
    nodes: int,
    seed: int,
    methods: tuple[str, ...] = DEFAULT,
    groups: tuple[tuple[str, ...], ...] = (),
) -> Attribution:
    """Attributions of a unit's test forecasts by each of the methods.

    Attributed is the whole way from raw features through window and hidden normalizers to the
    forecast in target units; the input normalizer's statistics are held fixed. That map is affine
    in a raw cell, and attributions by differences do not change under it; partial derivatives are
    multiplied by its slope and by the feature's standard deviation in the training block.

    Each sample's baseline is a window drawn from the training block: observed data, so the way is
    no artefact where a constant window is degenerate (instance norm, RevIN), and completeness
    holds per sample. Methods on cross-sections take those of evenly spread test dates, for at most
    as many gradients as the paths.

    Args:
        trained: The unit.
        panel: The panel that it was trained on.
        samples: Test windows for methods on samples, at most; spread evenly over dates.
        nodes: Gauss-Legendre nodes; doubled, up to 16-fold, for samples above the tolerance.
        seed: Seeds the choice of samples and baselines, and whatever a method draws.
        methods: Keys of :data:`~tasks.attribute.ATTRIBUTIONS`, in the tables' order.
        groups: Features by name that methods by group move together; () for each alone.

    Raises:
        ValueError: ``samples`` or ``nodes`` below 1; unknown method or feature; no complete window
            in the test or training block; the panel is not the one of the unit.
    """
    if samples < 1:
        raise ValueError(f"samples must be at least 1 to attribute a unit; it is {samples}")
    check_methods(methods)
    numbers = group_numbers(groups, panel.features)
    scene = scene_of(trained, panel)
    generator = torch.Generator().manual_seed(seed)
    chosen = spread_samples(scene.test, samples, generator)
    baseline = draw(scene.train, len(chosen), generator)
    references = scene.windows(draw(scene.train, REFERENCES, generator))

    def on(picked: Tensor, against: Tensor) -> Question:
        held = scene.windows(against), references
        return question(scene, picked, *held, numbers, nodes, seed)

    questions = {"samples": on(chosen, baseline)}
    if any(ATTRIBUTIONS[name].asked_on == "cross-sections" for name in methods):
        whole = spread_cross_sections(scene.test, len(panel.dates), DATES, samples * nodes)
        questions["cross-sections"] = on(whole, draw(scene.train, len(whole), generator))
    asked = {name: ATTRIBUTIONS[name] for name in methods}
    answers = {name: one.run(questions[one.asked_on]) for name, one in asked.items()}
    names = {name: column_names(one, panel.features, numbers) for name, one in asked.items()}
    found = tables(trained, names, answers)
    return replace(found, periods=periods(trained, panel, questions["samples"], answers[MAIN]))


def periods(trained: TrainedUnit, panel: Panel, asked: Question, answer: Answer) -> pd.DataFrame:
    """The main method's importance by stretches of the test block as long as a window."""
    unit = trained.unit
    who = dict(zip(UNIT, (unit.variant, unit.fold.number, unit.seed), strict=True))
    values = answer.values
    if values is None:  # of the main method there always are
        raise ValueError(f"{MAIN} must tell values by sample; it told aggregates only")
    moved = (asked.inputs - asked.baseline).cpu()
    parts = directed(values, moved)
    length = unit.network.window
    return period_rows(who, panel.features, asked.dates, unit.fold.test_dates, length, parts)


def question(
    scene: Scene,
    samples: Tensor,
    baseline: Tensor,
    references: Tensor,
    groups: Groups,
    nodes: int,
    seed: int,
) -> Question:
    """The unit's forecasts of ``samples`` (B,), held against windows of the training block."""
    days = len(scene.panel.dates)
    date, symbol = samples.numpy() % days, samples.numpy() // days
    inputs = scene.windows(samples)
    slope = scene.scaled.slope.expand_as(scene.scaled.values)
    unit = cut(slope, samples, inputs.shape[1]).double() * feature_spread(scene)
    return Question(
        forward=scene.forward(samples),
        inputs=inputs,
        baseline=baseline,
        references=references,
        dates=scene.panel.dates[date],
        target=torch.from_numpy(scene.panel.target[date, symbol].astype(np.float64)),
        unit=unit.to(inputs.device),
        groups=groups,
        nodes=nodes,
        seed=seed,
    )


def group_numbers(groups: tuple[tuple[str, ...], ...], features: tuple[str, ...]) -> Groups:
    """Groups of names as groups of numbers; every feature alone where there are none."""
    unknown = sorted({name for group in groups for name in group} - set(features))
    if unknown:
        raise ValueError(
            f"groups name features that the panel does not have: {', '.join(unknown)}; it has "
            f"{', '.join(features)}"
        )
    numbers = tuple(tuple(features.index(name) for name in group) for group in groups)
    return numbers or alone(len(features))


def column_names(method: Method, features: tuple[str, ...], groups: Groups) -> tuple[str, ...]:
    """What the columns of a method's answer are called."""
    if method.columns == "window":
        return ("all features",)
    if method.columns == "groups":
        return tuple(" + ".join(features[number] for number in group) for group in groups)
    return features


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
