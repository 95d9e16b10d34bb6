"""Attribution of a trained unit's test forecasts to raw features and lags."""

from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from foldproof.tasks.attribute.baselines.sampling import (
    cut,
    draw,
    spread_cross_sections,
    spread_samples,
)
from foldproof.tasks.attribute.methods.catalogue import (
    ATTRIBUTIONS,
    DEFAULT,
    MAIN,
    Method,
    check_methods,
)
from foldproof.tasks.attribute.methods.checks import Groups, alone
from foldproof.tasks.attribute.methods.question import Answer, Question
from foldproof.tasks.attribute.unit.inputs import UnitInputs, feature_spread, unit_inputs
from foldproof.tasks.attribute.unit.periods import directed, period_rows
from foldproof.tasks.attribute.unit.tables import UNIT, Attribution, tables
from foldproof.tasks.data.panel import Panel
from foldproof.tasks.train import TrainedUnit

DATES = 64
"""Cross-sections at most for the mean partial derivatives of a unit."""


REFERENCES = 256
"""Training windows that stand for the training distribution."""


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
    scene = unit_inputs(trained, panel)
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
    scene: UnitInputs,
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
