"""Leaky controls: mistakes that are made with normalizations, to prove that the audit finds them.

Another control, ``full_sample_zscore``, is in the catalogue, since the presets compare it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor, nn

from foldproof.models.normalizers.hidden import EPSILON, GhostBatchNorm, HiddenBatchNorm
from foldproof.models.normalizers.history import Moments, RollingZScore, rolling, standardized
from foldproof.models.normalizers.pooled import ZScore
from foldproof.models.normalizers.slices import UnpurgedSAN
from foldproof.models.normalizers.variant import Scaled, Scoring, Variant


@dataclass(frozen=True)
class AheadZScore(RollingZScore):
    """A rolling z-score whose window ends ``ahead`` rows after today: a leak on purpose."""

    ahead: int = 10

    def _normalized(self, values: Tensor, member: Tensor, state: dict[str, Tensor]) -> Scaled:
        found = rolling(values.double(), self.window)
        rows = (torch.arange(len(values)) + self.ahead).clamp_max(len(values) - 1)
        future = Moments(*(moment[rows] for moment in found))
        return standardized(values, future, self.minimum)


class PredictionTimeBatchNorm(HiddenBatchNorm):
    """Batch norm without running statistics: at scoring, too, it uses those of the batch."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.norm = nn.BatchNorm1d(size, eps=EPSILON, track_running_stats=False)


def _batch_norm(title: str, formula: str, source: str, trap: str, scoring: Scoring,
                batches: str | None = None, hidden: type[HiddenBatchNorm] = HiddenBatchNorm,
                ) -> Variant:  # fmt: skip
    """A control that is scored in a leaky way, with batch norm of the last hidden state."""
    return Variant(
        f"{title} (control)", formula, source, input=ZScore(), hidden=hidden, batches=batches,
        causal=False, coupling="batch", training_coupling="batch", control=True, scoring=scoring,
        statistics="the samples scored together, those of later dates included", trap=trap,
        good_for="proving that the audit finds statistics of the scored batch",
    )  # fmt: skip


CONTROLS: Mapping[str, Variant] = MappingProxyType({
    "centred_rolling_zscore": Variant(
        "Centred rolling z-score (control)",
        "(x - mean) / sd over the stock's 10 days before and 10 days after", "a centred window",
        input=AheadZScore(window=21, minimum=10, ahead=10), causal=False, control=True,
        statistics="the stock's rows 10 before and 10 after",
        good_for="a plot of the past, where the future is known",
        trap="center=True, or smoothing before the split",
    ),
    "horizon_zscore": Variant(
        "Z-score of window and horizon (control)",
        "(x - mean) / sd over the stock's last 20 days and the next 5", "Kronos issue 227",
        input=AheadZScore(window=25, minimum=10, ahead=5), causal=False, control=True,
        statistics="the stock's last 20 rows and the 5 of the horizon",
        good_for="proving that the audit finds a scaler of whole samples",
        trap="samples of window and target are normalized before they are split",
    ),
    "prediction_time_batch_norm": _batch_norm(
        "Prediction-time batch norm",
        "a (h - mean_pass) / sd_pass + b over the pass, 20 dates at scoring",
        "Nado et al. 2020", "adapts to the test data, the later ones too",
        Scoring("date_block", 20), hidden=PredictionTimeBatchNorm,
    ),
    "batch_norm_train_mode_symbol": _batch_norm(
        "Batch norm in training mode, one stock",
        "a (h - mean_pass) / sd_pass + b over 32 windows of one stock",
        "a forgotten eval(), rows sorted by stock", "the later windows hold the labels",
        Scoring("symbol", 32, training=True), "symbol",
    ),
    "batch_norm_train_mode_dates": _batch_norm(
        "Batch norm in training mode, blocks of dates",
        "a (h - mean_pass) / sd_pass + b over 5 adjacent dates",
        "a forgotten eval(), rows sorted by date", "the later dates show where the market goes",
        Scoring("date_block", 5, training=True), "date_block",
    ),
    "ghost_batch_norm_train_mode": _batch_norm(
        "Ghost batch norm in training mode, in time order",
        "a (h - mean_ghost) / sd_ghost + b over 32 samples of adjacent dates",
        "Hoffer, Hubara & Soudry 2017, ghosts not shuffled", "each ghost is a few dates",
        Scoring("chronological", 20, training=True), "chronological", GhostBatchNorm,
    ),
    "batch_norm_updated": _batch_norm(
        "Batch norm updated on the test block",
        "a (h - mean_test) / sd_test + b, running statistics estimated again before scoring",
        "update_bn on the test loader; Wu & Johnson 2021", "moments of the whole test block",
        Scoring("date", 1, refreshed=True),
    ),
    "san_unpurged": Variant(
        "SAN without a purge (control)",
        "as san on slices of 10 rows, trained on the 10 rows after each window up to the test "
        "block", "Liu et al., NeurIPS 2023, windows cut by their last row",
        input=ZScore(), window=UnpurgedSAN, causal=False, causal_steps=False, control=True,
        statistics="training rows; in training, 10 rows of the test block",
        good_for="proving that the audit trains again",
        trap="the label is purged, but the auxiliary target is not",
    ),
})  # fmt: skip
"""Leaky controls by key. They can be compared and certified by name, and are never candidates."""
