"""Attribution of a trained unit's test forecasts to raw features and lags."""

from dataclasses import replace

import numpy as np
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
from foldproof.tasks.attribute.methods.question import Question
from foldproof.tasks.attribute.unit.inputs import UnitInputs, feature_spread
from foldproof.tasks.attribute.unit.periods import by_direction, period_rows
from foldproof.tasks.attribute.unit.tables import Attribution, tables

DATES = 64
"""Cross-sections at most for the mean partial derivatives of a unit."""
REFERENCES = 256
"""Training windows that represent the training distribution."""


def attribute_unit(
    inputs: UnitInputs,
    samples: int,
    nodes: int,
    seed: int,
    methods: tuple[str, ...] = DEFAULT,
    groups: tuple[tuple[str, ...], ...] = (),
) -> Attribution:
    """Attributions of a unit's test forecasts by each of the methods.

    The attributed function runs from raw features through window and hidden normalizers to the
    forecast in target units; the statistics of the input normalizer are held fixed. That input
    normalizer is affine in a raw cell, so attributions by differences do not change under it.
    Partial derivatives are multiplied by its slope and by the feature's standard deviation in the
    training block.

    Each sample's baseline is a window drawn from the training block. The baseline is observed data,
    so the path makes sense where a constant window is degenerate (instance norm, RevIN), and
    completeness holds per sample. Methods on cross-sections use those of evenly spread test dates,
    with at most as many gradients as the paths.

    Args:
        inputs: The unit with its panel.
        samples: Test windows for methods on samples, at most; spread evenly over dates.
        nodes: Gauss-Legendre nodes; doubled, up to 16-fold, for samples above the tolerance.
        seed: Seed of the choice of samples and baselines, and of all draws of the methods.
        methods: Keys of :data:`~foldproof.tasks.attribute.ATTRIBUTIONS`, in the tables' order.
        groups: Features by name that methods by group move together; () for each alone.

    Raises:
        ValueError: ``samples`` or ``nodes`` below 1; unknown method or feature.
    """
    if samples < 1:
        raise ValueError(f"samples must be at least 1 to attribute a unit; it is {samples}")
    check_methods(methods)
    features = inputs.panel.features
    numbers = group_numbers(groups, features)
    generator = torch.Generator().manual_seed(seed)
    chosen = spread_samples(inputs.test, samples, generator)
    baseline = draw(inputs.train, len(chosen), generator)
    references = inputs.windows(draw(inputs.train, REFERENCES, generator))

    days, slope = len(inputs.panel.dates), inputs.scaled.slope.expand_as(inputs.scaled.values)
    spread, unit = feature_spread(inputs), inputs.trained.unit

    def ask(picked: Tensor, against: Tensor) -> Question:
        date, symbol = picked.numpy() % days, picked.numpy() // days
        windows = inputs.windows(picked)
        return Question(
            forward=inputs.forward(picked),
            inputs=windows,
            baseline=inputs.windows(against),
            references=references,
            dates=inputs.panel.dates[date],
            target=torch.from_numpy(inputs.panel.target[date, symbol].astype(np.float64)),
            unit=(cut(slope, picked, windows.shape[1]).double() * spread).to(windows.device),
            groups=numbers,
            nodes=nodes,
            seed=seed,
        )

    questions = {"samples": ask(chosen, baseline)}
    if any(ATTRIBUTIONS[name].asked_on == "cross-sections" for name in methods):
        whole = spread_cross_sections(inputs.test, days, DATES, samples * nodes)
        questions["cross-sections"] = ask(whole, draw(inputs.train, len(whole), generator))
    wanted = {name: ATTRIBUTIONS[name] for name in methods}
    answers = {name: one.run(questions[one.asked_on]) for name, one in wanted.items()}
    names = {name: column_names(one, features, numbers) for name, one in wanted.items()}
    asked, main, length = questions["samples"], answers[MAIN], unit.network.window
    assert main.values is not None  # the main method always has values per sample
    parts = by_direction(main.values, (asked.inputs - asked.baseline).cpu())
    periods = period_rows(inputs.key, features, asked.dates, unit.fold.test_dates, length, parts)
    return replace(tables(inputs.key, length, names, answers), periods=periods)


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
    """The names of the columns of a method's answer."""
    if method.columns == "window":
        return ("all features",)
    if method.columns == "groups":
        return tuple(" + ".join(features[number] for number in group) for group in groups)
    return features
