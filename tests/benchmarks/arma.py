"""The ARMA white box: a sum of squares of a few known cells.

Defined by Crabbe & van der Schaar (2021, ICML, "Explaining Time Series Predictions with Dynamic
Masks", experiments rare feature and rare time, and the code published with it).
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import torch
from statsmodels.tsa.arima_process import ArmaProcess
from torch import Tensor

from foldproof.tasks.attribute.network.gradients import Forward
from tests.benchmarks.explainers import Explain

SAMPLES, TIMES, FEATURES, FEW = 10, 50, 50, 5
AR, MA = (2, 0.5, 0.2, 0.1), (2,)
"""Lag polynomials, lag 0 included: y_t = -y_{t-1}/4 - y_{t-2}/10 - y_{t-3}/20 + e_t."""


class WhiteBox(NamedTuple):
    """Series (B, T, F) and the cells the regressor reads, (B, T, F) bool."""

    series: np.ndarray
    relevant: np.ndarray


def rare_feature(generator: np.random.Generator) -> np.ndarray:
    """Five features of each sample, in the middle half of the time."""
    relevant = np.zeros((SAMPLES, TIMES, FEATURES), bool)
    for sample in relevant:
        few = generator.permutation(FEATURES)[:FEW]
        sample[TIMES // 4 : 3 * TIMES // 4, few] = True
    return relevant


def rare_time(generator: np.random.Generator) -> np.ndarray:
    """Five successive steps of each sample, in the middle half of the features."""
    relevant = np.zeros((SAMPLES, TIMES, FEATURES), bool)
    for sample in relevant:
        start = generator.integers(TIMES - FEW)
        sample[start : start + FEW, FEATURES // 4 : 3 * FEATURES // 4] = True
    return relevant


RARE: Mapping[str, Callable[[np.random.Generator], np.ndarray]] = MappingProxyType(
    {"rare-feature": rare_feature, "rare-time": rare_time}
)


def draw(name: str, seed: int) -> WhiteBox:
    """Series, ARMA in time and independent across features, with their relevant cells."""
    generator = np.random.default_rng(seed)
    process = ArmaProcess(ar=np.array(AR), ma=np.array(MA))
    series = process.generate_sample(
        nsample=(SAMPLES, TIMES, FEATURES), axis=1, distrvs=generator.standard_normal
    )
    return WhiteBox(series, RARE[name](generator))


def regressor(relevant: Tensor) -> Forward:
    """The white box of one sample with relevant cells (T, F) bool.

    The published model has one output per step, the sum of squares over its relevant features.
    Steps do not mix, so the attributions of the sum over steps, used here, are the same.
    """
    return lambda points: (points.square() * relevant).sum((1, 2))


def attributed(box: WhiteBox, method: Explain, baseline: Tensor) -> np.ndarray:
    """(B, T, F) attributions of each sample's own regressor; baseline (B, T, F)."""
    found = [
        method(regressor(torch.from_numpy(relevant)), torch.from_numpy(series)[None], start[None])
        for series, relevant, start in zip(*box, baseline, strict=True)
    ]
    return torch.cat(found).numpy()
