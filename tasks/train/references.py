"""Reference forecasters on the same folds and windows, to compare the LSTM with.

scikit-learn is imported inside functions, because a configuration needs only the names.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from types import MappingProxyType

import numpy as np
import pandas as pd
import torch

from foldproof.models.date_rows import Rows, at, hull
from foldproof.models.normalizers import VARIANTS
from foldproof.models.normalizers.history import stretches
from foldproof.models.spec import unknown
from foldproof.models.windows import Windows
from foldproof.tasks.data.panel import Panel
from foldproof.tasks.split.fold import Fold
from foldproof.tasks.statistics.rank_ic import centred_ranks
from foldproof.tasks.train.inputs import TrainingError, shared, windows_of
from foldproof.tasks.train.single_features import FEATURE, daily_feature_ics, training_signs
from foldproof.tasks.train.train import forecast_table, target_scale, with_unit

PREFIX = "ref:"
"""Prefix of a reference's name in tables that also contain variants."""
MOMENTUM_ROWS = 252
RIDGE_PENALTIES = (1e1, 1e2, 1e3, 1e4, 1e5, 1e6)


@dataclass(frozen=True, eq=False)
class Block:
    """Samples of one block of a fold.

    Attributes:
        samples: (n,), numbered as in ``models.windows``.
        source: The windows that they index.
    """

    samples: np.ndarray
    source: Windows

    @cached_property
    def windows(self) -> np.ndarray:
        """(n, T * F) flattened windows; made when a forecaster reads them, since they are large."""
        return self.source.gather(torch.from_numpy(self.samples)).flatten(1).numpy()

    @cached_property
    def target(self) -> np.ndarray:
        """(n,) targets in standard deviations of the training targets."""
        return self.source.target[torch.from_numpy(self.samples)].numpy()


@dataclass(frozen=True, eq=False)
class Blocks:
    """The inputs of a reference: the panel up to each date, and the fold's blocks.

    ``fitted`` are the date rows of the training block. ``scale`` is the standard deviation of the
    training targets, the unit of the blocks' targets.
    """

    panel: Panel
    fitted: Rows
    train: Block
    validation: Block
    test: Block
    scale: float
    seed: int


@dataclass(frozen=True)
class Reference:
    """A forecaster to compare the LSTM with.

    Attributes:
        title: A few words for tables.
        formula: Its forecast.
        source: Library or practice.
        forecast: Blocks of a fold -> (n_test,) forecasts in training sds of the target.
    """

    title: str
    formula: str
    source: str
    forecast: Callable[[Blocks], np.ndarray]


def momentum(blocks: Blocks) -> np.ndarray:
    """Trailing mean of the symbol's targets that were known on the forecast's date.

    A target counts from its label end on, so the newest targets are still left out. Targets from
    before a long gap are left out too: the symbol may have been another company.
    """
    panel = blocks.panel
    known = np.where(panel.member, panel.target, np.nan).astype(np.float64)
    filled = np.nan_to_num(known)
    total = np.vstack([np.zeros_like(filled[:1]), np.cumsum(filled, axis=0)])
    count = np.vstack([np.zeros_like(filled[:1]), np.cumsum(np.isfinite(known), axis=0)])
    columns, rows = np.divmod(blocks.test.samples, len(panel.dates))
    ends = np.where(np.isnat(panel.label_end), np.datetime64("9999-12-31"), panel.label_end)
    stop = np.searchsorted(np.maximum.accumulate(ends), panel.dates[rows], side="right")
    began = first_rows(panel)[rows, columns]
    start = np.minimum(np.maximum(stop - MOMENTUM_ROWS, began), stop)
    n = count[stop, columns] - count[start, columns]
    return (total[stop, columns] - total[start, columns]) / np.maximum(n, 1) / blocks.scale


def first_rows(panel: Panel) -> np.ndarray:
    """(D, S) the first row of the stretch of each row."""
    number = stretches(shared(panel.values), shared(panel.member)).numpy()
    began = np.zeros(number.shape, int)
    began[1:] = np.where(number[1:] > number[:-1], np.arange(1, len(number))[:, None], 0)
    return np.maximum.accumulate(began, axis=0)


def ridge(blocks: Blocks) -> np.ndarray:
    """Ridge regression on the flattened window, with the penalty of lowest validation MSE."""
    from sklearn.linear_model import Ridge

    def validation_error(model: Ridge) -> float:
        residual = model.predict(blocks.validation.windows) - blocks.validation.target
        return float(np.mean(residual**2))

    models = [
        Ridge(alpha=penalty).fit(blocks.train.windows, blocks.train.target)
        for penalty in RIDGE_PENALTIES
    ]
    return min(models, key=validation_error).predict(blocks.test.windows)


def gradient_boosting(blocks: Blocks) -> np.ndarray:
    """Gradient-boosted trees on the flattened window, stopped on the validation block."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    model = HistGradientBoostingRegressor(
        learning_rate=0.05,
        max_iter=200,
        max_leaf_nodes=15,
        min_samples_leaf=200,
        l2_regularization=1.0,
        early_stopping=True,
        n_iter_no_change=10,
        random_state=blocks.seed,
    )
    validation = {"X_val": blocks.validation.windows, "y_val": blocks.validation.target}
    model.fit(blocks.train.windows, blocks.train.target, **validation)
    return model.predict(blocks.test.windows)


def single_feature(blocks: Blocks, feature: str) -> np.ndarray:
    """The stock's place in the order of its date by one feature, with the sign of training.

    The place is the centred rank over its standard deviation, times the mean daily rank IC of the
    feature in the training block: the best linear forecast from the place. A feature without any
    rank IC there counts as one with ``LEAST_IC``, so that it still ranks.
    """
    panel = blocks.panel
    daily = daily_feature_ics(panel, (feature,))
    sign = float(training_signs(daily, blocks.fitted)[0])
    known = daily[at(blocks.fitted), 0]
    strength = abs(float(known[np.isfinite(known)].mean())) if np.isfinite(known).any() else 0.0
    values = np.where(panel.member, panel.values[..., panel.features.index(feature)], np.nan)
    count = (~np.isnan(values)).sum(axis=1, keepdims=True)
    standardized = centred_ranks(values) / np.sqrt(np.maximum(count**2 - 1, 1) / 12)
    columns, rows = np.divmod(blocks.test.samples, len(panel.dates))
    return sign * max(strength, LEAST_IC) * standardized[rows, columns]


LEAST_IC = 1e-3
"""Rank IC of a feature that has none in the training block."""
REFERENCES: Mapping[str, Reference] = MappingProxyType(
    {
        "zero": Reference(
            "zero forecast", "0", "the bar for MSE", lambda b: np.zeros(len(b.test.samples))
        ),
        "momentum": Reference(
            "momentum",
            f"mean of the symbol's targets known on d, last {MOMENTUM_ROWS} rows",
            "Jegadeesh & Titman 1993 (as practice; on the target's own scale)",
            momentum,
        ),
        "ridge": Reference(
            "ridge regression",
            "linear in the flattened z-scored window, L2 penalty chosen on validation",
            "scikit-learn Ridge",
            ridge,
        ),
        "gradient_boosting": Reference(
            "gradient-boosted trees",
            "trees on the flattened z-scored window, early stopping on validation",
            "scikit-learn HistGradientBoostingRegressor",
            gradient_boosting,
        ),
    }
)


FEATURE_REFERENCE = f"{FEATURE}name"
"""How the settings name a reference that consists of one feature."""


def reference_of(name: str) -> Reference:
    """The reference called ``name``: a key of ``REFERENCES``, or ``feature:<name>``.

    Raises:
        ValueError: There is none.
    """
    if name in REFERENCES:
        return REFERENCES[name]
    feature = name.removeprefix(FEATURE)
    if not feature or feature == name:
        raise ValueError(
            f"{unknown('reference', name, REFERENCES)}; one feature alone is {FEATURE}<name>, such "
            f"as {FEATURE}momentum_252_21"
        )
    return Reference(
        f"{feature} alone",
        f"rank of {feature} on d, times its mean rank IC in the training block",
        "one input column, sign from the training block",
        partial(single_feature, feature=feature),
    )


def reference_forecasts(
    name: str, panel: Panel, fold: Fold, window: int, seed: int
) -> pd.DataFrame:
    """Out-of-sample forecasts of a reference, as those of a unit; the variant is ``ref:<name>``.

    Args:
        name: A key of ``REFERENCES``, or ``feature:<name>`` for a feature of the panel.
        panel: The panel.
        fold: Trained on and forecast.
        window: Rows of a window; all references forecast what a network with it does.
        seed: Of a reference that draws.
    """
    scale = target_scale(panel, fold.train)
    blocks = blocks_of(panel, fold, window, scale, seed)
    forecast = reference_of(name).forecast(blocks) * scale
    frame = forecast_table(panel, blocks.test.samples, forecast)
    return with_unit(frame, panel, fold, PREFIX + name, seed)


def blocks_of(panel: Panel, fold: Fold, window: int, scale: float, seed: int) -> Blocks:
    """Flattened windows of a fold after the train z-score: the inputs of variant zscore."""
    normalizer = VARIANTS["zscore"].input
    assert normalizer is not None  # the variant consists of it
    member = torch.from_numpy(np.array(panel.member))
    state = normalizer.fit(shared(panel.values), member, fold.train)
    target = torch.from_numpy(panel.target / np.float32(scale))
    rows = hull(fold.train, fold.validation, fold.test)
    windows = windows_of(panel, normalizer, state, rows, target, window)

    def block(rows: Rows, labelled: bool) -> Block:
        samples = windows.eligible(member, rows, labelled)
        if not len(samples):
            raise TrainingError(
                f"fold {fold.number}: no complete window of {window} rows in rows "
                f"{rows.start}..{rows.stop - 1}"
            )
        return Block(samples.numpy(), windows)

    return Blocks(
        panel,
        fold.train,
        train=block(fold.train, True),
        validation=block(fold.validation, True),
        test=block(fold.test, False),
        scale=scale,
        seed=seed,
    )
